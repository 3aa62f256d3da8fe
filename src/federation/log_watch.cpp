// SPDX-License-Identifier: Apache-2.0
//
// Whether the logs of others are still there, and continue what we have seen of them: the second half of
// entanglement.h.
#include <algorithm>

#include "audit/merkle_proof.h"
#include "federation/entanglement.h"
#include "federation/witness.h"

namespace fedgate::federation {

namespace {

constexpr const char* checkpoint_path = "/api/v2/federation/audit/checkpoint?log=";
constexpr const char* proof_path = "/api/v2/federation/audit/proof?";
constexpr std::chrono::seconds patience{10};
constexpr unsigned absent_at_most = 3;  // a replica may be about to start
constexpr std::size_t most_logs = 8;    // of one node, looked at in one round

net::Request get(std::string target) {
  net::Request request;
  request.method = "GET";
  request.target = std::move(target);
  return request;
}

}  // namespace

Result<std::optional<Checkpoint>> Entanglement::newest_seen(const std::string& log) {
  const auto state = records_.witnessed(log);
  if (!state) return fail(state.error());
  const std::lock_guard lock(mutex_);
  const auto known = logs_.find(log);
  const auto looked = known == logs_.end() ? std::nullopt : known->second.head;
  if (looked && (!*state || (*state)->checkpoint.head.size < looked->head.size)) return looked;
  return *state ? std::optional((*state)->checkpoint) : std::nullopt;
}

void Entanglement::fork(const Node& node, const Checkpoint& one, const Checkpoint& other, std::string_view how) {
  around_.alarms.raise(
      {AlarmKind::fork, node.id, one.origin},
      one.origin + " has signed two heads that " + std::string(how) + ": " + both_heads(one.head, other.head),
      one.note + "\n" + other.note);
}

Task<Entanglement::Ask> Entanglement::look_at_logs(PeerClient& peers, const Node& node) {
  const auto known = co_await around_.pool.run([this, &node] { return records_.witnessed_logs(node.id); });
  if (!known) co_return Ask::refused;
  auto how = Ask::answered;
  std::size_t looked = 0;
  for (const auto& one : *known) {
    // The operators have said that it has ended: its bundle names it no more.
    if (around_.keys.keys_of(node.id, one.checkpoint.origin).empty() || ++looked > most_logs) continue;
    const auto asked = co_await look_at(peers, node, one.checkpoint.origin);
    if (asked == Ask::away) co_return asked;
    if (asked == Ask::refused) how = asked;
  }
  co_return how;
}

Task<Entanglement::Ask> Entanglement::look_at(PeerClient& peers, const Node& node, std::string log) {
  {
    const std::lock_guard lock(mutex_);
    logs_[log].looked_at = around_.clock.steady();
  }
  // Read before it is asked: meanwhile we may cosign what is newer than its answer.
  const auto before = co_await around_.pool.run([this, &log] { return newest_seen(log); });
  if (!before) co_return Ask::refused;
  auto answer = co_await peers.ask(audit_route(node), get(checkpoint_path + log), around_.clock.steady() + patience);
  if (!answer) co_return Ask::away;
  if (answer->status == 404 && *before) {
    (void)co_await around_.pool.run([this, &node, &before] { return absent(node, **before); });
    co_return Ask::answered;
  }
  if (answer->status != 200) co_return answer->status == 404 ? Ask::answered : Ask::refused;
  auto shown = co_await around_.pool.run(
      [this, &node, &log, &before, note = std::move(answer->body)] { return judge_head(node, log, *before, note); });
  if (!shown) {
    around_.log.warning("a checkpoint is not believed", {{"node", node.id.view()}, {"detail", shown.error().detail}});
    co_return Ask::refused;
  }
  Result<void> judged;
  if (*before && (*before)->head.size > 0 && (*before)->head.size < shown->head.size) {
    const auto query =
        wire::proof_query({.log = log, .size = shown->head.size, .indexes = {}, .from = (*before)->head.size});
    auto proof = co_await peers.ask(audit_route(node), get(proof_path + query), around_.clock.steady() + patience);
    if (!proof) co_return Ask::away;
    if (proof->status != 200) co_return Ask::refused;
    judged = co_await around_.pool.run([this, &node, &before, &shown, body = std::move(proof->body)] {
      return judge_continuation(node, **before, *shown, body);
    });
  } else {
    judged = co_await around_.pool.run([this, &node, &shown] { return found_good(node, *shown); });
  }
  co_return judged ? Ask::answered : Ask::refused;
}

/// On the pool. Its checkpoint, with the signatures that we know; alarms where it cannot be the same log.
Result<Checkpoint> Entanglement::judge_head(const Node& node, const std::string& log,
                                            const std::optional<Checkpoint>& before, const std::string& note) {
  auto shown = wire::parse_checkpoint(note);
  if (!shown) return fail(Code::peer_protocol_error, shown.error().detail);
  const auto parsed = wire::parse_note(note);
  if (!parsed || shown->origin != log) return fail(Code::peer_protocol_error, "not a checkpoint of " + log);
  auto keys = around_.keys.keys_of(node.id, log);
  if (keys.empty()) return fail(Code::peer_protocol_error, "its bundle names no key of " + log);
  keys.push_back(around_.witness.vkey());
  const auto kept = trimmed(*parsed, keys);
  if (!wire::signed_by(kept, keys.front()))
    return fail(Code::peer_protocol_error, "a checkpoint of " + log + " without the signature of its present key");
  shown->note = wire::note_of(kept.text, kept.signatures);
  if (shown->head.size > wire::largest_tree) return fail(Code::peer_protocol_error, "no tree is that large");
  if (!before) return shown;
  if (contradict(before->head, shown->head)) {
    fork(node, *before, *shown, "have the same size");
    return fail(Code::peer_protocol_error, "a fork of " + log);
  }
  if (shown->head.size < before->head.size) {
    around_.alarms.raise({AlarmKind::vanished_log, node.id, log},
                         log + " ends at " + std::to_string(shown->head.size) + " now, it has signed " +
                             std::to_string(before->head.size),
                         before->note + "\n" + shown->note);
    return fail(Code::peer_protocol_error, "a log that has become shorter");
  }
  return shown;
}

/// On the pool.
Result<void> Entanglement::judge_continuation(const Node& node, const Checkpoint& before, const Checkpoint& shown,
                                              const std::string& body) {
  const auto answer = wire::parse_proof_answer(body, 0);
  if (!answer) return fail(answer.error());
  if (!audit::proves_consistency(before.head, shown.head, answer->consistency)) {
    fork(node, before, shown, "it does not show to continue each other");
    return fail(Code::peer_protocol_error, "a fork of " + shown.origin);
  }
  return found_good(node, shown);
}

/// On the pool.
Result<void> Entanglement::found_good(const Node& node, const Checkpoint& shown) {
  const auto kept = records_.checkpoint(shown.origin, shown.head.size);
  if (!kept) return fail(kept.error());
  if (*kept && contradict((*kept)->checkpoint.head, shown.head)) {
    fork(node, (*kept)->checkpoint, shown, "have the same size");
    return fail(Code::peer_protocol_error, "a fork of " + shown.origin);
  }
  {
    const std::lock_guard lock(mutex_);
    auto& seen = logs_[shown.origin];
    seen.head = shown;
    seen.absent = 0;
  }
  const AlarmPlace place{AlarmKind::vanished_log, node.id, shown.origin};
  if (!around_.alarms.raised(place)) return {};
  const auto settled = around_.alarms.settle(place, "the log is there again");
  if (!settled) return fail(settled.error());
  return {};
}

/// On the pool.
Result<void> Entanglement::absent(const Node& node, const Checkpoint& before) {
  {
    const std::lock_guard lock(mutex_);
    if (++logs_[before.origin].absent < absent_at_most) return {};
  }
  around_.alarms.raise({AlarmKind::vanished_log, node.id, before.origin},
                       before.origin + " is not there any more, it has signed " + std::to_string(before.head.size),
                       before.note);
  return {};
}

}  // namespace fedgate::federation
