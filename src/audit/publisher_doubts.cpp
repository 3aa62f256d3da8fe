// SPDX-License-Identifier: Apache-2.0
//
// Whether what this log's key has signed is still what the journal holds: at start, and when somebody shows a
// checkpoint.
#include <algorithm>

#include "audit/durable_file.h"
#include "audit/publisher_state.h"
#include "audit/signing_key.h"
#include "base/hash.h"

namespace fedgate::audit {

namespace {

constexpr const char* remedy =
    "; bring the newest journal and signer.state back, or begin a new log: `fedgate audit new-log --reason ...`";

std::string in_words(const TreeHead& head) { return std::to_string(head.size) + " (root " + to_hex(head.root) + ")"; }

}  // namespace

Result<std::string> Publisher::State::contradiction(const TreeHead& head) const {
  const auto durable = journal.state().durable;
  if (head.size > durable)
    return "a checkpoint of size " + in_words(head) + " is signed, and the journal has " + std::to_string(durable) +
           " records: it is an older copy, or was cut";
  const auto ours = journal.tree().head_at(head.size);
  if (!ours) return fail(ours.error());
  if (ours->root == head.root) return std::string();
  return "a checkpoint of size " + in_words(head) + " is signed, and the journal's root at that size is " +
         to_hex(ours->root) + ": its records are others";
}

/// With the state stored first, so that one reason stands in the trail once, over restarts, too.
void Publisher::State::stop_signing(const std::string& why) {
  {
    const std::lock_guard lock(mutex);
    stopped = why + remedy;
    problem.clear();
  }
  metrics.audit_signing_stopped().Set(1);
  log.error("the audit log is signed no more; calls go on", {{"detail", why + remedy}});
  if (state.reported == why) return;
  state.reported = why;
  // Without a state of our own there is nothing to add to: another log's, or none, must stay as it is.
  if (signer && state.log == journal.log_name())
    if (auto stored = store(); !stored) log.error("why is not stored", {{"detail", stored.error().detail}});
  AuditEvent event;
  event.type = EventType::security_violation;
  event.time = clock.wall();
  event.action = "audit_signing_stopped";
  event.error_code = Error(Code::conflict, "").info().wire_name;
  event.reason = why;
  journal.append(event, [&logger = log](Result<LeafReference> done) {
    if (!done) logger.error("that signing stopped is not in the trail", {{"detail", done.error().detail}});
  });
}

/// The key, or, where a rotation was interrupted after its end was stored, the one that follows it.
Result<void> Publisher::State::take_key() {
  auto found = read_signer(options.signing_key_file, journal.log_name(), wire::NoteAlgorithm::ed25519);
  if (!found) return fail(found.error());
  signer.emplace(std::move(*found));
  return {};
}

Result<std::string> Publisher::State::judge_absent() {
  const auto mark = read_small_file(mark_file());
  if (!mark) return fail(mark.error());
  if (*mark)
    return "this log has been signed, and " + state_file() +
           ", which says how far, is gone: without it a second, "
           "different log could be signed";
  // Older versions signed nothing: whatever the journal holds, nobody has a signature over it.
  state.log = journal.log_name();
  state.key = signer->vkey();
  if (auto stored = store(); !stored) return fail(stored.error());
  return std::string();
}

Result<std::string> Publisher::State::judge_present(SignerState found) {
  const auto there = generation_of(found.log);
  const auto here = generation_of(journal.log_name());
  if (!there || !here || there->replica != here->replica)
    return state_file() + " is of the log " + found.log + ", not of " + journal.log_name() +
           ": each replica needs a directory of its own for its signing key";
  if (there->number > here->number)
    return state_file() + " is of generation " + std::to_string(there->number) +
           " of this log, and the journal of an earlier one: it is an older copy";
  if (there->number < here->number) {
    state.log = journal.log_name();
    state.key = signer->vkey();
    state.past = std::move(found.past);
    state.past.insert(state.past.begin(), {found.key, found.last ? found.last->note : ""});
    if (auto stored = store(); !stored) return fail(stored.error());
    return std::string();
  }
  state = std::move(found);
  marked = true;
  if (state.next_key) {
    auto next = read_signer(next_key_file(), journal.log_name(), wire::NoteAlgorithm::ed25519);
    if (next && next->vkey() == *state.next_key && signer->vkey() == state.key) {
      log.warning("a rotation of the audit log's key was interrupted; it goes on", {});
      return std::string();  // once it has been compared, begin() finishes it
    }
  }
  if (state.key != signer->vkey()) {
    auto next = read_signer(next_key_file(), journal.log_name(), wire::NoteAlgorithm::ed25519);
    if (!next || next->vkey() != state.key)
      return "the key in " + options.signing_key_file + " is not the one that has signed this log (" +
             state.key.text() + ")";
    if (auto moved = rename_file(next_key_file(), options.signing_key_file); !moved) return fail(moved.error());
    signer.emplace(std::move(*next));
  }
  return std::string();
}

Result<std::string> Publisher::State::compare() {
  const auto text = read_small_file(state_file());
  if (!text) return fail(text.error());
  if (!*text) return judge_absent();
  auto found = signer_state_from(**text);
  if (!found) return fail(found.error().in(state_file()));
  auto judged = judge_present(std::move(*found));
  if (!judged || !judged->empty() || !state.last) return judged;
  judged = contradiction(state.last->head);
  if (!judged || !judged->empty() || state.evidence.empty()) return judged;
  const auto shown = wire::parse_checkpoint(state.evidence);
  if (!shown) return std::string();
  return contradiction(shown->head);
}

Result<void> Publisher::State::begin() {
  metrics.audit_signing_stopped().Set(0);
  if (auto taken = take_key(); !taken) return taken;
  const auto against = compare();
  if (!against) return fail(against.error());
  show();
  if (!against->empty()) {
    stop_signing(*against);
    return {};
  }
  if (!state.reported.empty() || !state.evidence.empty()) {
    log.warning("the audit log is signed again", {{"after", state.reported}});
    state.reported.clear();
    state.evidence.clear();
    if (auto stored = store(); !stored) return stored;
  }
  if (state.next_key)
    if (auto done = finish_rotation("", std::chrono::seconds(10)); !done) return fail(done.error());
  return {};
}

Result<void> Publisher::confront(const Checkpoint& shown) {
  const auto note = wire::parse_note(shown.note);
  const auto stated = wire::parse_checkpoint(shown.note);
  if (!note) return fail(note.error());
  if (!stated) return fail(stated.error());
  const auto signers = keys();
  if (!std::ranges::any_of(signers, [&](const wire::VerifierKey& key) {
        return key.name == stated->origin && wire::signed_by(*note, key).has_value();
      }))
    return {};
  auto& own = *state_;
  const std::lock_guard signing(own.making);
  if (stated->origin != own.journal.log_name()) {
    // That generation has ended; what it ended with is all that is left to compare.
    for (const auto& last : past()) {
      if (last.origin != stated->origin) continue;
      if (stated->head.size > last.head.size || (stated->head.size == last.head.size && stated->head != last.head))
        return fail(Code::conflict, "our own signature stands under size " + in_words(stated->head) + " of " +
                                        stated->origin + ", which ended at " + in_words(last.head));
    }
    return {};
  }
  const auto against = own.contradiction(stated->head);
  if (!against) return fail(against.error());
  if (against->empty()) return {};
  if (own.state.evidence.empty()) own.state.evidence = stated->note;
  own.stop_signing(*against);
  return fail(Code::conflict, *against);
}

}  // namespace fedgate::audit
