// SPDX-License-Identifier: Apache-2.0
//
// Reading what our leaves name, and having it proven. How the logs of others are looked at: log_watch.cpp.
#include "federation/entanglement.h"

#include <algorithm>
#include <charconv>

#include "audit/batch_proof.h"
#include "audit/leaf.h"
#include "base/hash.h"
#include "federation/witness.h"

namespace fedgate::federation {

namespace {

constexpr const char* proof_path = "/api/v2/federation/audit/proof?";
constexpr std::chrono::seconds patience{10};
constexpr std::size_t questions_a_round = 3;  // a witness answers 120 a minute
constexpr std::size_t window_bytes = 8 * 1024 * 1024;
constexpr int windows_a_round = 32;

/// The leaf of another log that a leaf of ours names. Quotes inside texts are escaped, so the key can only be the
/// member itself; a name with an escape is read the long way.
std::optional<LeafReference> named_in(const std::string& leaf) {
  constexpr std::string_view key = R"("counterparty":{)";
  const auto at = leaf.find(key);
  if (at == std::string::npos) return std::nullopt;
  std::string_view rest = std::string_view(leaf).substr(at + key.size());
  if (rest.starts_with(R"("checkpoint":{)")) rest.remove_prefix(std::min(rest.find('}') + 2, rest.size()));
  constexpr std::string_view hash_key = R"("hash":")", index_key = R"(","index":)", log_key = R"(,"log":")";
  if (!rest.starts_with(hash_key)) return std::nullopt;
  rest.remove_prefix(hash_key.size());
  LeafReference named;
  const auto hash = sha256_from_hex(rest.substr(0, 64));
  if (!hash || !rest.substr(64).starts_with(index_key)) return std::nullopt;
  named.hash = *hash;
  rest.remove_prefix(64 + index_key.size());
  const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), named.index);
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  if (problem != std::errc() || !rest.starts_with(log_key)) return std::nullopt;
  rest.remove_prefix(log_key.size());
  named.log = rest.substr(0, rest.find('"'));
  if (named.log.find('\\') == std::string::npos) return named;
  auto event = audit::event_of(leaf);
  return event ? std::move(event->counterparty) : std::nullopt;
}

// A generation's first leaf names the log before it, which is our own: there is nobody to ask.
std::vector<store::ReferenceBatch> batches_in(const std::string& log, const NodeId& own,
                                              const std::vector<std::string>& leaves, std::uint64_t first,
                                              WallTime now) {
  std::map<std::string, std::vector<store::CallReference>> by_log;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const auto named = named_in(leaves[i]);
    if (named && !is_log_of(named->log, own)) by_log[named->log].push_back({first + i, named->index, named->hash});
  }
  std::vector<store::ReferenceBatch> batches;
  for (auto& [other, members] : by_log) {
    auto node = NodeId::parse(std::string_view(other).substr(0, other.find('/')));
    if (!node) continue;
    for (std::size_t at = 0; at < members.size(); at += wire::most_indexes) {
      store::ReferenceBatch batch{.log = log, .node = *node, .other_log = other, .members = {}, .proof = {}, .why = {}};
      const auto count = std::min(wire::most_indexes, members.size() - at);
      const auto begin = members.begin() + static_cast<std::ptrdiff_t>(at);
      batch.members.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
      batch.at = now;
      batches.push_back(std::move(batch));
    }
  }
  return batches;
}

}  // namespace

Entanglement::Entanglement(AuditSurroundings around, AuditPace pace)
    : around_(std::move(around)), pace_(pace), records_(around_.store) {}

Result<void> Entanglement::read_on() {
  const auto& log = around_.journal.log_name();
  for (int i = 0; i < windows_a_round; ++i) {
    if (!position_) {
      const auto recorded = records_.position(log);
      if (!recorded) return fail(recorded.error());
      position_ = *recorded;
      noted_ = *recorded;
    }
    if (const auto first = around_.journal.state().first; *position_ < first) {
      around_.log.error("records were pruned before it was read what they name",
                        {{"log", log}, {"from", *position_}, {"below", first}});
      position_ = first;
    }
    const auto leaves = around_.journal.read(*position_, store::AuditLogRecords::longest_span, window_bytes);
    if (!leaves) return fail(leaves.error());
    if (leaves->empty()) return {};
    const auto upto = *position_ + leaves->size();
    const auto batches = batches_in(log, around_.own_id, *leaves, *position_, around_.clock.wall());
    // What names nothing is read once more after a restart, rather than written down each time.
    if (!batches.empty() || upto - noted_ > store::AuditLogRecords::longest_span) {
      const auto noted = records_.note_references(log, noted_, upto, batches);
      if (!noted || !*noted) position_.reset();
      if (!noted) return fail(noted.error());
      if (!*noted) continue;
      noted_ = upto;
    }
    position_ = upto;
  }
  return {};
}

Task<> Entanglement::meet(PeerClient& peers, Node node) {
  const auto now = around_.clock.steady();
  bool look = false, missing = false;
  {
    const std::lock_guard lock(mutex_);
    auto& contact = contacts_[node.id];
    if (contact.next > now) co_return;
    look = contact.look_at <= now;
    missing = contact.missing_at <= now;
    if (look) contact.look_at = now + pace_.look_at_logs;
    if (missing) contact.missing_at = now + pace_.ask_again_after;
  }
  if (node.endpoints.empty()) {
    // It calls and cannot be called: nobody to ask.
    (void)co_await around_.pool.run([this, &node] { return give_up_all(node); });
    co_return;
  }
  auto how = Ask::answered;
  if (look) how = co_await look_at_logs(peers, node);
  if (how != Ask::away) how = co_await prove(peers, node, store::ReferenceState::waiting);
  if (how == Ask::answered && missing) how = co_await prove(peers, node, store::ReferenceState::missing);
  remember(node.id, how);
}

void Entanglement::remember(const NodeId& node, Ask how) {
  const std::lock_guard lock(mutex_);
  auto& contact = contacts_[node];
  const bool was_away = std::exchange(contact.away, how == Ask::away);
  if (contact.away && !was_away) ++away_;
  if (!contact.away && was_away) --away_;
  contact.setbacks = how == Ask::answered ? 0 : std::min(contact.setbacks + 1, 16U);
  const auto longest = how == Ask::away ? pace_.longest_pause : pace_.prove_within / 4;
  contact.next = how == Ask::answered
                     ? SteadyTime{}
                     : around_.clock.steady() +
                           std::min<std::chrono::milliseconds>(longest, pace_.interval * (1U << contact.setbacks));
}

void Entanglement::contact(const NodeId& node) {
  if (away_.load(std::memory_order_relaxed) == 0) return;
  const std::lock_guard lock(mutex_);
  const auto found = contacts_.find(node);
  if (found != contacts_.end() && found->second.away) found->second.next = {};
}

Task<Entanglement::Ask> Entanglement::prove(PeerClient& peers, const Node& node, store::ReferenceState state) {
  auto all = co_await around_.pool.run([this, &node, state] { return questions(node, state); });
  if (!all) co_return Ask::refused;
  auto how = Ask::answered;
  for (auto& question : *all) {
    const auto one = co_await prove(peers, node, std::move(question));
    if (one == Ask::away) co_return one;
    if (one == Ask::refused) how = one;
  }
  co_return how;
}

Result<std::vector<Entanglement::Question>> Entanglement::questions(const Node& node, store::ReferenceState state) {
  auto batches = records_.references(around_.journal.log_name(), node.id, state, questions_a_round);
  if (!batches) return fail(batches.error());
  std::vector<Question> all;
  for (auto& batch : *batches) {
    auto checkpoint = newest_seen(batch.other_log);
    if (!checkpoint) return fail(checkpoint.error());
    Question question{.batch = std::move(batch), .asked = {}, .indexes = {}, .checkpoint = std::move(*checkpoint)};
    const auto covered = question.checkpoint ? question.checkpoint->head.size : 0;
    for (const auto& one : question.batch.members) {
      if (one.other_index >= covered) continue;
      question.asked.push_back(one);
      question.indexes.push_back(one.other_index);
    }
    std::ranges::sort(question.indexes);
    const auto twice = std::ranges::unique(question.indexes);
    question.indexes.erase(twice.begin(), twice.end());
    all.push_back(std::move(question));
  }
  return all;
}

Task<Entanglement::Ask> Entanglement::prove(PeerClient& peers, const Node& node, Question question) {
  auto how = Ask::answered;
  std::string why = "its log has no checkpoint that covers the leaf";
  if (around_.keys.keys_of(node.id, question.batch.other_log).empty()) {
    why = "its bundle names no key of that log";
  } else if (question.asked.empty()) {
    bool due = false;
    {
      const std::lock_guard lock(mutex_);
      due = logs_[question.batch.other_log].looked_at + pace_.look_for_checkpoint <= around_.clock.steady();
    }
    if (due) how = co_await look_at(peers, node, question.batch.other_log);
  } else {
    net::Request request;
    request.method = "GET";
    request.target = proof_path + wire::proof_query({.log = question.batch.other_log,
                                                     .size = question.checkpoint->head.size,
                                                     .indexes = question.indexes});
    auto answer = co_await peers.ask(audit_route(node), std::move(request), around_.clock.steady() + patience);
    Result<void> judged;
    if (!answer) {
      how = Ask::away;
    } else if (answer->status != 200) {
      how = Ask::refused;
      why = "asked for a proof it answers " + std::to_string(answer->status);
    } else {
      judged = co_await around_.pool.run(
          [this, &question, body = std::move(answer->body)] { return judge(question, body); });
      if (judged) co_return Ask::answered;
      how = Ask::refused;
      why = judged.error().detail;
    }
  }
  if (how == Ask::away) why = "it has not answered";
  const auto after = how == Ask::away ? pace_.give_up_after : pace_.prove_within;
  auto given_up = co_await around_.pool.run([this, &question, &why, after] { return give_up(question, why, after); });
  if (!given_up) around_.log.warning("a missing receipt is not stored", {{"detail", given_up.error().detail}});
  co_return how;
}

/// On the pool.
Result<void> Entanglement::judge(const Question& question, const std::string& body) {
  const auto answer = wire::parse_proof_answer(body, question.indexes.size());
  if (!answer) return fail(answer.error());
  const auto& checkpoint = *question.checkpoint;
  if (!audit::proves_batch(answer->batch, question.indexes, checkpoint.head))
    return fail(Code::peer_protocol_error, "what it shows does not lead to the root that it has signed");
  if (auto kept = records_.keep({question.batch.node, checkpoint, {}, around_.clock.wall()}); !kept) return kept;
  store::ReferenceBatch proven = question.batch;
  proven.members.clear();
  proven.at = around_.clock.wall();
  proven.checkpoint_size = checkpoint.head.size;
  proven.proof = wire::kept_proof_text({question.indexes, answer->batch});
  proven.state = store::ReferenceState::proven;
  proven.why.clear();
  auto missing = proven;
  missing.state = store::ReferenceState::missing;
  missing.why = "its log holds another leaf there than it stated";
  auto rest = question.batch;
  rest.members.clear();
  for (const auto& one : question.batch.members) {
    const auto place = std::ranges::lower_bound(question.indexes, one.other_index);
    const bool asked = place != question.indexes.end() && *place == one.other_index;
    const auto at = static_cast<std::size_t>(place - question.indexes.begin());
    (!asked ? rest : answer->batch.leaves[at] == one.hash ? proven : missing).members.push_back(one);
  }
  if (!missing.members.empty() && question.batch.state != store::ReferenceState::missing)
    around_.log.error("receipts are missing", {{"node", proven.node.view()},
                                               {"log", proven.other_log},
                                               {"leaves", missing.members.size()},
                                               {"why", missing.why}});
  std::vector<store::ReferenceBatch> parts;
  for (auto* part : {&proven, &missing, &rest})
    if (!part->members.empty()) parts.push_back(std::move(*part));
  const auto settled = records_.settle_references(question.batch, parts);
  if (!settled) return fail(settled.error());
  return {};
}

/// On the pool. What has waited too long is missing.
Result<void> Entanglement::give_up(const Question& question, const std::string& why, std::chrono::milliseconds after) {
  const auto now = around_.clock.wall();
  if (question.batch.state == store::ReferenceState::missing || now - question.batch.at < after) return {};
  auto missing = question.batch;
  missing.state = store::ReferenceState::missing;
  missing.why = why;
  missing.at = now;
  const auto settled = records_.settle_references(question.batch, std::span(&missing, 1));
  if (!settled) return fail(settled.error());
  if (*settled)
    around_.log.error(
        "receipts are missing",
        {{"node", missing.node.view()}, {"log", missing.other_log}, {"leaves", missing.members.size()}, {"why", why}});
  return {};
}

/// On the pool.
Result<void> Entanglement::give_up_all(const Node& node) {
  const auto all = questions(node, store::ReferenceState::waiting);
  if (!all) return fail(all.error());
  for (const auto& question : *all)
    if (auto done = give_up(question, "it has no endpoint where it could be asked", pace_.give_up_after); !done)
      return done;
  return {};
}

Result<void> Entanglement::look() {
  auto open = records_.open_references(around_.journal.log_name());
  if (!open) return fail(open.error());
  const std::lock_guard lock(mutex_);
  for (const auto& [node, counts] : open_) open->try_emplace(node);
  for (const auto& [node, counts] : *open) {
    around_.metrics.audit_receipts(node.str(), "waiting").Set(static_cast<double>(counts.waiting));
    around_.metrics.audit_receipts(node.str(), "missing").Set(static_cast<double>(counts.missing));
  }
  open_ = std::move(*open);
  return {};
}

std::map<NodeId, store::OpenReferences> Entanglement::open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

}  // namespace fedgate::federation
