// SPDX-License-Identifier: Apache-2.0
#include "federation/witness.h"

#include <algorithm>

#include "audit/batch_proof.h"
#include "audit/merkle_proof.h"
#include "base/hash.h"

namespace fedgate::federation {

namespace {

std::string size_body(std::uint64_t size) { return std::to_string(size) + "\n"; }

Witness::Answer conflict(std::uint64_t size) { return {409, wire::content_type::tree_size, size_body(size)}; }

Witness::Answer refusal(std::uint16_t status, std::string_view why) {
  return {status, wire::content_type::plain, std::string(why) + "\n"};
}

}  // namespace

wire::Note trimmed(const wire::Note& note, const std::vector<wire::VerifierKey>& keys) {
  wire::Note kept{note.text, {}};
  for (const auto& signature : note.signatures) {
    const wire::Note alone{note.text, {signature}};
    if (std::ranges::any_of(keys, [&](const auto& key) { return wire::signed_by(alone, key).has_value(); }))
      kept.signatures.push_back(signature);
  }
  return kept;
}

bool is_log_of(std::string_view log, const NodeId& node) {
  return log.starts_with(node.view()) && log.substr(node.view().size()).starts_with("/fedgate/log/");
}

bool contradict(const TreeHead& one, const TreeHead& other) { return one.size == other.size && one.root != other.root; }

std::string both_heads(const TreeHead& one, const TreeHead& other) {
  return "size " + std::to_string(one.size) + " root " + to_hex(one.root).substr(0, 16) + "... and size " +
         std::to_string(other.size) + " root " + to_hex(other.root).substr(0, 16) + "...";
}

Witness::Witness(AuditSurroundings around)
    : around_(std::move(around)),
      records_(around_.store),
      checkpoints_(around_.clock, checkpoints_a_minute),
      questions_(around_.clock, questions_a_minute) {}

Task<Result<Witness::Answer>> Witness::add_checkpoint(NodeId peer, std::string body) {
  const auto turn = checkpoints_.take(peer);
  if (!turn) co_return fail(turn.error());
  // Once it is judged it is written down, whether or not the peer waits for the answer.
  co_await shielded();
  co_return co_await around_.pool.run([this, peer, body = std::move(body)] { return judge(peer, body); });
}

/// On the pool.
Result<Witness::Answer> Witness::judge(const NodeId& peer, const std::string& body) {
  const auto submitted = wire::parse_add_checkpoint(body);
  if (!submitted) return refusal(400, "not an add-checkpoint request");
  const auto& origin = submitted->checkpoint.origin;
  if (!is_log_of(origin, peer)) return refusal(404, "unknown log");
  const auto keys = around_.keys.keys_of(peer, origin);
  if (keys.empty()) return refusal(404, "unknown log");
  const auto note = wire::parse_note(submitted->checkpoint.note);
  if (!note) return refusal(400, "not a signed note");
  auto kept = trimmed(*note, keys);
  // After a rotation the earlier key alone cosigns nothing new.
  if (!wire::signed_by(kept, keys.front())) return refusal(403, "not signed by the present key of this log");
  if (submitted->old_size > submitted->checkpoint.head.size) return refusal(400, "the old size is the larger");
  if (submitted->old_size == 0 && !submitted->proof.empty()) return refusal(400, "a proof from nothing is empty");
  const auto own = trimmed(*note, {around_.witness.vkey()});
  if (!own.signatures.empty()) {
    const auto state = records_.witnessed(origin);
    if (!state) return fail(state.error());
    note_own_cosignature(peer, *submitted, own, *state ? (*state)->checkpoint.head.size : 0);
  }
  return cosign(peer, *submitted, kept);
}

/// We gave it, and do not remember: our database was set back, or somebody else has our key.
void Witness::note_own_cosignature(const NodeId& peer, const wire::AddCheckpoint& submitted, const wire::Note& note,
                                   std::uint64_t remembered) {
  const auto& head = submitted.checkpoint.head;
  if (head.size <= remembered) return;
  around_.alarms.raise({AlarmKind::lost_state, around_.own_id, submitted.checkpoint.origin},
                       peer.str() + " shows our own cosignature of size " + std::to_string(head.size) +
                           ", we remember " + std::to_string(remembered) +
                           ": was the database restored from an older copy?",
                       wire::note_of(note.text, note.signatures));
}

/// On the pool. The signature of the log is good.
Result<Witness::Answer> Witness::cosign(const NodeId& peer, const wire::AddCheckpoint& submitted,
                                        const wire::Note& note) {
  const auto& [origin, head, whole] = submitted.checkpoint;
  const auto state = records_.witnessed(origin);
  if (!state) return fail(state.error());
  const TreeHead before = *state ? (*state)->checkpoint.head : TreeHead{0, audit::empty_root()};
  const auto evidence = wire::note_of(note.text, note.signatures);
  const auto fork = [&](const TreeHead& known, const std::string& known_note, std::string_view how) {
    around_.alarms.raise({AlarmKind::fork, peer, origin},
                         origin + " has signed two heads that " + std::string(how) + ": " + both_heads(known, head),
                         known_note + "\n" + evidence);
  };
  if (head.size <= before.size && *state) {
    const auto same = head.size == before.size ? Result<std::optional<store::KeptCheckpoint>>(std::nullopt)
                                               : records_.checkpoint(origin, head.size);
    if (!same) return fail(same.error());
    if (contradict(before, head)) fork(before, (*state)->checkpoint.note, "have the same size");
    if (*same && contradict((*same)->checkpoint.head, head))
      fork((*same)->checkpoint.head, (*same)->checkpoint.note, "have the same size");
  }
  if (submitted.old_size != before.size || contradict(before, head)) return conflict(before.size);
  if (!audit::proves_consistency(before, head, submitted.proof)) {
    if (*state && head.size > before.size)
      fork(before, (*state)->checkpoint.note, "the proof does not show to continue each other");
    return refusal(422, "the proof does not show that this tree continues the one of the old size");
  }
  const auto now = around_.clock.wall();
  const auto line = around_.witness.sign(note.text, now);
  store::WitnessedLog next{peer, {origin, head, evidence + line}, now};
  if (*state && head == before) return Answer{200, wire::content_type::plain, line};
  const auto swapped = records_.advance(before.size, next, around_.own_id);
  if (!swapped && swapped.error().code == Code::conflict) {
    const auto known = records_.checkpoint(origin, head.size);
    if (known && *known) fork((*known)->checkpoint.head, (*known)->checkpoint.note, "have the same size");
    return conflict(before.size);
  }
  if (!swapped) return fail(swapped.error());
  if (!*swapped) {
    const auto now_there = records_.witnessed(origin);
    if (!now_there) return fail(now_there.error());
    return conflict(*now_there ? (*now_there)->checkpoint.head.size : 0);
  }
  around_.metrics.audit_cosignatures(peer.str(), "given").Increment();
  return Answer{200, wire::content_type::plain, line};
}

Task<Result<std::string>> Witness::checkpoint(NodeId peer, std::string log) {
  const auto turn = questions_.take(peer);
  if (!turn) co_return fail(turn.error());
  co_return co_await around_.pool.run([this, peer, log = std::move(log)] { return shown(peer, log); });
}

/// On the pool.
Result<std::string> Witness::shown(const NodeId& peer, const std::string& log) {
  const auto unknown = [] { return fail(Code::not_found, "no such log here"); };
  if (is_log_of(log, peer)) {
    const auto state = records_.witnessed(log);
    if (!state) return fail(state.error());
    if (!*state) return unknown();
    return (*state)->checkpoint.note;
  }
  if (log.empty() || log == around_.journal.log_name()) {
    const auto latest = around_.publisher.latest();
    if (!latest) return unknown();
    const auto kept = records_.checkpoint(latest->origin, latest->head.size);
    return kept && *kept && (*kept)->checkpoint.head == latest->head ? (*kept)->checkpoint.note : latest->note;
  }
  // Another replica's, or of a generation that has ended.
  if (!is_log_of(log, around_.own_id)) return unknown();
  const auto kept = records_.newest_checkpoint(log);
  if (!kept) return fail(kept.error());
  if (!*kept) return unknown();
  return (*kept)->checkpoint.note;
}

Task<Result<std::string>> Witness::proof(NodeId peer, std::string query) {
  const auto turn = questions_.take(peer);
  if (!turn) co_return fail(turn.error());
  const auto request = wire::parse_proof_query(query);
  if (!request) co_return fail(request.error());
  co_return co_await around_.pool.run([this, request = *request] { return prove(request); });
}

/// On the pool.
Result<std::string> Witness::prove(const wire::ProofRequest& request) {
  if (request.log != around_.journal.log_name()) return fail(Code::not_found, "no such log here");
  const auto latest = around_.publisher.latest();
  if (!latest || request.size > latest->head.size)
    return fail(Code::bad_request, "no checkpoint of ours is that large");
  auto& tree = around_.journal.tree();
  wire::ProofAnswer answer;
  if (!request.indexes.empty()) {
    auto batch = audit::prove_batch(tree, request.indexes, request.size);
    if (!batch) return fail(batch.error());
    answer.batch = std::move(*batch);
  }
  if (request.from != 0) {
    auto path = tree.consistency(request.from, request.size);
    if (!path) return fail(path.error());
    answer.consistency = std::move(*path);
  }
  return wire::proof_answer_body(answer);
}

}  // namespace fedgate::federation
