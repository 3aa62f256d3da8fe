// SPDX-License-Identifier: Apache-2.0
//
// The rotation of the log's key, in steps of which each may be the last before a crash: the next key is on the disk;
// signer.state names it; a leaf names it; the checkpoint over that leaf bears both signatures and stands in
// signer.state together with the next key as the present one; the next key's file takes the place of the old one's.
#include <unistd.h>

#include "audit/durable_file.h"
#include "audit/publisher_state.h"
#include "audit/signing_key.h"

namespace fedgate::audit {

Result<wire::VerifierKey> Publisher::rotate(const std::string& who, std::chrono::milliseconds bound) {
  auto& own = *state_;
  Result<wire::VerifierKey> done = fail(Code::internal, "nothing was done");
  {
    const std::lock_guard signing(own.making);
    if (auto why = stopped(); !why.empty()) return fail(Code::conflict, "signing has stopped: " + why);
    if (!own.state.next_key) {
      // One that nothing names yet was left by an attempt that failed.
      (void)::unlink(own.next_key_file().c_str());
      if (auto made = ensure_signing_key(own.next_key_file(), own.entropy); !made) return fail(made.error());
      auto next = read_signer(own.next_key_file(), own.journal.log_name(), wire::NoteAlgorithm::ed25519);
      if (!next) return fail(next.error());
      own.state.next_key = next->vkey();
      if (auto stored = own.store(); !stored) {
        own.state.next_key.reset();
        return fail(stored.error());
      }
    }
    done = own.finish_rotation(who, bound);
  }
  if (!done) return done;
  std::vector<std::function<void(std::shared_ptr<const Checkpoint>)>> listeners;
  {
    const std::lock_guard lock(own.mutex);
    listeners = own.told;
  }
  for (const auto& listener : listeners) listener(latest());
  return done;
}

Result<wire::VerifierKey> Publisher::State::finish_rotation(const std::string& who, std::chrono::milliseconds bound) {
  auto next = read_signer(next_key_file(), journal.log_name(), wire::NoteAlgorithm::ed25519);
  if (!next) return fail(next.error());
  if (next->vkey() != *state.next_key)
    return fail(Code::conflict, next_key_file() + " is not the key that signer.state names as the next one");
  AuditEvent event;
  event.type = EventType::configuration_changed;
  event.time = clock.wall();
  event.principal = who;
  event.action = "audit_rotate_key";
  const auto vkey = next->vkey().text();
  event.reason = "next key: " + vkey.substr(vkey.find('+') + 1);
  const auto leaf = journal.append_within(event, bound);
  if (!leaf) return fail(leaf.error());
  if (auto synced = durable_head(); !synced) return fail(synced.error());
  if (state.last) {
    const auto against = contradiction(state.last->head);
    if (!against) return fail(against.error());
    if (!against->empty()) {
      stop_signing(*against);
      return fail(Code::conflict, *against);
    }
  }
  // That leaf is the last under the old key; what others appended meanwhile is the new one's.
  const auto head = journal.tree().head_at(leaf->index + 1);
  if (!head) return fail(head.error());
  auto shown = next->vkey();
  if (auto adopted = adopt_next(std::move(*next), *head); !adopted) return fail(adopted.error());
  return shown;
}

Result<void> Publisher::State::adopt_next(wire::NoteSigner next, const TreeHead& head) {
  const auto text = wire::checkpoint_text(state.log, head);
  const auto note = text + '\n' + signer->sign(text) + next.sign(text);
  auto before = state;
  state.past.insert(state.past.begin(), {state.key, note});
  state.key = next.vkey();
  state.next_key.reset();
  state.last = Checkpoint{state.log, head, note};
  state.at = clock.wall();
  auto stored = mark();
  if (stored) stored = store();
  if (!stored) {
    state = std::move(before);
    return stored;
  }
  signer.emplace(std::move(next));
  show();
  log.info("the audit log has another key", {{"key", state.key.text()}});
  // Where this fails the next start does it.
  if (auto moved = rename_file(next_key_file(), options.signing_key_file); !moved)
    log.error("the new key is not in its place yet", {{"detail", moved.error().detail}});
  return {};
}

}  // namespace fedgate::audit
