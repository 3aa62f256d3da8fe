// SPDX-License-Identifier: Apache-2.0
#include "federation/witnessing.h"

#include <algorithm>

#include "federation/witness.h"

namespace fedgate::federation {

namespace {

constexpr const char* add_checkpoint_path = "/api/v2/federation/audit/add-checkpoint";
constexpr const char* checkpoint_path = "/api/v2/federation/audit/checkpoint?log=";
constexpr std::chrono::seconds patience{10};
constexpr int most_steps = 5;  // its size may have moved, and it may have to be shown what it has forgotten
constexpr std::size_t longest_answer = 8192;

}  // namespace

Route audit_route(const Node& node) {
  Route route;
  route.node = node.id;
  route.endpoint = node.endpoints.front();
  return route;
}

Witnessing::Witnessing(AuditSurroundings around, AuditPace pace)
    : around_(std::move(around)), pace_(pace), records_(around_.store) {}

Result<void> Witnessing::look() {
  const auto kept = records_.newest_cosigned(around_.journal.log_name());
  if (!kept) return fail(kept.error());
  if (!*kept) return {};
  const auto& checkpoint = (*kept)->checkpoint;
  const auto latest = around_.publisher.latest();
  // The database remembers more than the log has: it bears our signature, so the publisher must know of it.
  if (!latest || latest->head.size < checkpoint.head.size)
    if (auto good = around_.publisher.confront(checkpoint); !good) return good;
  cosigned_ = std::max<std::uint64_t>(cosigned_, checkpoint.head.size);
  around_.journal.cosigned(cosigned_);
  return {};
}

Task<> Witnessing::meet(PeerClient& peers, Node node) {
  const auto key = around_.keys.witness_key(node.id);
  const auto latest = around_.publisher.latest();
  if (!key || !latest || latest->head.size == 0 || node.endpoints.empty()) co_return;
  Shown what{0, *latest};
  bool loaded = false;
  {
    const std::lock_guard lock(mutex_);
    auto& contact = contacts_[node.id];
    if (contact.next > around_.clock.steady()) co_return;
    what.old_size = contact.size;
    loaded = contact.loaded;
  }
  if (!loaded) {
    const auto size = co_await around_.pool.run([this, &node] { return load(node.id); });
    if (!size) co_return;
    what.old_size = *size;
    const std::lock_guard lock(mutex_);
    contacts_[node.id].loaded = true;
    contacts_[node.id].size = *size;
  }
  if (what.old_size >= latest->head.size) co_return;
  auto step = Step::again;
  for (int i = 0; i < most_steps && (step == Step::again || step == Step::done); ++i) {
    step = co_await show(peers, node, *key, what);
    if (step != Step::done) continue;
    if (what.checkpoint.head.size == latest->head.size) break;
    what = Shown{what.checkpoint.head.size, *latest};
  }
  co_await finish(node, step, *latest, {});
}

Result<std::uint64_t> Witnessing::load(const NodeId& node) {
  const auto kept = records_.newest_cosigned(around_.journal.log_name(), node);
  if (!kept) return fail(kept.error());
  return *kept ? (*kept)->checkpoint.head.size : 0;
}

Result<std::string> Witnessing::body_of(const Shown& what) {
  wire::AddCheckpoint request{what.old_size, {}, what.checkpoint};
  if (what.old_size > 0) {
    auto path = around_.journal.tree().consistency(what.old_size, what.checkpoint.head.size);
    if (!path) return fail(path.error());
    request.proof = std::move(*path);
  }
  return wire::add_checkpoint_body(request);
}

Task<Witnessing::Step> Witnessing::show(PeerClient& peers, const Node& node, const wire::VerifierKey& key,
                                        Shown& what) {
  auto body = co_await around_.pool.run([this, &what] { return body_of(what); });
  const auto refused = [&](std::string why) {
    const std::lock_guard lock(mutex_);
    contacts_[node.id].problem = std::move(why);
    return Step::refused;
  };
  if (!body) co_return refused(body.error().detail);
  net::Request request;
  request.method = "POST";
  request.target = add_checkpoint_path;
  request.headers.add("Content-Type", wire::content_type::plain);
  request.body = std::move(*body);
  auto answer = co_await peers.ask(audit_route(node), std::move(request), around_.clock.steady() + patience);
  if (!answer) {
    (void)refused("it cannot be reached: " + answer.error().detail);
    co_return Step::away;
  }
  if (answer->status == 200) {
    auto kept = co_await around_.pool.run([this, &node, &key, &what, lines = std::move(answer->body)] {
      return keep(node, key, what.checkpoint, lines);
    });
    if (!kept) co_return refused(kept.error().detail);
    co_return Step::done;
  }
  const auto type = answer->headers.find("Content-Type");
  const auto size = answer->status == 409 && type && *type == wire::content_type::tree_size
                        ? wire::parse_tree_size(answer->body)
                        : Result<std::uint64_t>(fail(Code::peer_refused, ""));
  if (!size) co_return refused("it answers " + std::to_string(answer->status));
  if (*size == what.old_size || *size > what.checkpoint.head.size) {
    co_await confront(peers, node);
    co_return refused("it says that it has cosigned another tree of ours, of size " + std::to_string(*size));
  }
  what.old_size = *size;
  // It has forgotten what it has signed: its own signature tells its operators.
  auto forgotten = co_await around_.pool.run([this, &node] { return cosigned_before(node.id); });
  if (forgotten && *forgotten && (*forgotten)->head.size > *size &&
      (*forgotten)->head.size <= what.checkpoint.head.size) {
    around_.log.warning("a witness has forgotten what it has cosigned",
                        {{"node", node.id.view()}, {"remembers", *size}, {"cosigned", (*forgotten)->head.size}});
    what.checkpoint = std::move(**forgotten);
  }
  co_return Step::again;
}

Result<std::optional<Checkpoint>> Witnessing::cosigned_before(const NodeId& node) {
  auto kept = records_.newest_cosigned(around_.journal.log_name(), node);
  if (!kept) return fail(kept.error());
  return *kept ? std::optional(std::move((*kept)->checkpoint)) : std::nullopt;
}

/// On the pool.
Result<void> Witnessing::keep(const Node& node, const wire::VerifierKey& key, const Checkpoint& checkpoint,
                              const std::string& lines) {
  const auto refuse = [&] {
    return fail(Code::peer_protocol_error, "what " + node.id.str() + " answers is no cosignature of its witness key");
  };
  if (lines.size() > longest_answer) return refuse();
  const auto note = wire::parse_note(checkpoint.note + lines);
  if (!note) return refuse();
  std::string line;
  for (const auto& signature : note->signatures)
    if (wire::signed_by({note->text, {signature}}, key)) line = wire::signature_line(signature);
  if (line.empty()) return refuse();
  Checkpoint cosigned = checkpoint;
  if (cosigned.note.find(line) == std::string::npos) cosigned.note += line;
  const auto now = around_.clock.wall();
  if (auto kept = records_.keep({around_.own_id, cosigned, {node.id}, now}); !kept) return kept;
  {
    const std::lock_guard lock(mutex_);
    auto& contact = contacts_[node.id];
    contact.size = checkpoint.head.size;
    contact.at = now;
    cosigned_ = std::max<std::uint64_t>(cosigned_, checkpoint.head.size);
  }
  around_.journal.cosigned(cosigned_);
  around_.metrics.audit_cosignatures(node.id.str(), "got").Increment();
  return {};
}

/// It may have a checkpoint with our signature that our log does not continue; without one it has only said something.
Task<> Witnessing::confront(PeerClient& peers, const Node& node) {
  net::Request request;
  request.method = "GET";
  request.target = checkpoint_path + around_.journal.log_name();
  auto answer = co_await peers.ask(audit_route(node), std::move(request), around_.clock.steady() + patience);
  if (!answer || answer->status != 200) co_return;
  auto shown = wire::parse_checkpoint(answer->body);
  if (!shown || shown->origin != around_.journal.log_name()) co_return;
  const auto done =
      co_await around_.pool.run([this, shown = std::move(*shown)] { return around_.publisher.confront(shown); });
  if (!done)
    around_.log.error("a peer shows a checkpoint of ours that our log does not continue",
                      {{"node", node.id.view()}, {"detail", done.error().detail}});
}

Task<> Witnessing::finish(const Node& node, Step how, const Checkpoint& latest, std::string problem) {
  bool stale = false;
  bool fresh = false;
  const auto now = around_.clock.steady();
  {
    const std::lock_guard lock(mutex_);
    auto& contact = contacts_[node.id];
    const bool was_away = std::exchange(contact.away, how == Step::away);
    if (contact.away && !was_away) ++away_;
    if (!contact.away && was_away) --away_;
    if (how == Step::done) {
      contact.setbacks = 0;
      contact.problem.clear();
      contact.next = {};
      contact.owing.reset();
      fresh = true;
    } else {
      if (!problem.empty()) contact.problem = std::move(problem);
      contact.setbacks = std::min(contact.setbacks + 1, 16U);
      // Who answers may learn our key any moment.
      const auto longest =
          how == Step::away ? pace_.longest_pause : std::min(pace_.longest_pause, pace_.prove_within / 2);
      contact.next = now + std::min<std::chrono::milliseconds>(longest, pace_.interval * (1U << contact.setbacks));
      if (how == Step::away)
        contact.owing.reset();
      else if (!contact.owing)
        contact.owing = now;
      stale = contact.owing && now - *contact.owing >= pace_.stale_after;
      problem = contact.problem;
    }
  }
  const AlarmPlace place{AlarmKind::stale_cosigning, node.id, latest.origin};
  if (stale == around_.alarms.raised(place) || (!stale && !fresh)) co_return;
  (void)co_await around_.pool.run([&]() -> Result<void> {
    if (stale)
      around_.alarms.raise(place, node.id.str() + " answers and does not cosign our checkpoints: " + problem,
                           latest.note);
    else if (auto settled = around_.alarms.settle(place, "cosigned"); !settled)
      return fail(settled.error());
    return {};
  });
}

void Witnessing::contact(const NodeId& node) {
  if (away_.load(std::memory_order_relaxed) == 0) return;
  const std::lock_guard lock(mutex_);
  const auto found = contacts_.find(node);
  if (found != contacts_.end() && found->second.away) found->second.next = {};
}

WitnessState Witnessing::state(const NodeId& node) const {
  const std::lock_guard lock(mutex_);
  const auto found = contacts_.find(node);
  if (found == contacts_.end()) return {};
  return {found->second.size, found->second.at, found->second.problem};
}

}  // namespace fedgate::federation
