// SPDX-License-Identifier: Apache-2.0
#include "federation/verifications.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "fedgate/levels.h"
#include "nodes/changes.h"
#include "trust/certificate_facts.h"

namespace fedgate::federation {

namespace {

constexpr std::chrono::milliseconds look_interval{250};
constexpr std::chrono::milliseconds moments{100};
constexpr std::size_t most_lines = 5;  // in `status`
constexpr unsigned worth_a_line = 2;   // attempts that failed: gateways that start together miss each other once
constexpr json::Limits answer_limits{.bytes = 16 * 1024, .depth = 8};

/// Another beginning, not the rotation of what was there.
bool begins(const nodes::NodeDifference& one) {
  if (one.before == nullptr || !one.before->usable()) return true;
  const Node& before = *one.before;
  const Node& after = *one.after;
  const auto first = [](const Node& node) { return node.endpoints.empty() ? "" : node.endpoints.front(); };
  const bool same_anchor = std::ranges::any_of(after.trust_anchors, [&](const std::string& anchor) {
    return std::ranges::find(before.trust_anchors, anchor) != before.trust_anchors.end();
  });
  return !same_anchor || first(before) != first(after) || before.spiffe_id != after.spiffe_id;
}

/// A text that a peer chose.
std::string member(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>().substr(0, 100) : std::string();
}

std::string own_certificate(const OwnTrust& own) {
  const auto facts = trust::certificate_facts(own.client_certificate);
  return facts ? to_hex(facts->sha256) : std::string();
}

/// It was decided on the other side that we are not to be believed.
bool denies_us(Code code) { return code == Code::peer_refused || code == Code::node_not_trusted; }

}  // namespace

Verifications::Verifications(Parts parts) : parts_(std::move(parts)), verified_(std::make_shared<const Verified>()) {}

// ---- what is known ------------------------------------------------------------------------------------------------

void Verifications::publish() {
  auto all = std::make_shared<Verified>();
  for (const auto& [node, entry] : entries_)
    if (entry.since) all->insert(node);
  verified_.publish(std::move(all));
}

std::chrono::milliseconds Verifications::about(std::chrono::milliseconds pause) const {
  // Not everybody at the same moment: three to five quarters of it.
  std::uint8_t chance = 0;
  parts_.entropy.fill({&chance, 1});
  return pause * (384 + chance) / 512;
}

void Verifications::begin(const NodeId& node) {
  entries_.insert_or_assign(
      node, Entry{.beginning = ++beginnings_, .next = parts_.clock.steady() + about(parts_.pace.first)});
}

void Verifications::nodes_changed(const nodes::NodeTable& before, const nodes::NodeTable& after) {
  const auto differences = nodes::differences(before, after);
  const std::lock_guard lock(mutex_);
  for (const auto& one : differences) {
    if (one.after == nullptr || !one.after->usable())
      entries_.erase((one.after != nullptr ? one.after : one.before)->id);
    else if (begins(one))
      begin(one.after->id);
  }
  publish();
}

void Verifications::soon(const NodeId& node) {
  const std::lock_guard lock(mutex_);
  if (const auto entry = entries_.find(node); entry != entries_.end())
    entry->second.next = parts_.clock.steady() + moments;
}

std::optional<Verification> Verifications::of(const NodeId& node) const {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(node);
  return entry == entries_.end() ? std::nullopt : entry->second.last;
}

std::vector<std::string> Verifications::attention() const {
  std::vector<std::string> list;
  std::size_t more = 0;
  const auto table = parts_.nodes.load();
  const std::lock_guard lock(mutex_);
  for (const auto& [node, entry] : entries_) {
    const Node* row = table->find(node);
    if (row == nullptr || !entry.last || entry.setbacks < worth_a_line) continue;
    if (list.size() == most_lines)
      ++more;
    else
      list.push_back("trust with " + node.str() + " waits for " + next_of_trusted(*row, entry.last));
  }
  if (more > 0) list.push_back(std::to_string(more) + " more nodes are not verified: `fedgate trust list`");
  return list;
}

Verification Verifications::remember(const NodeId& node, std::uint64_t beginning, Verification seen) {
  parts_.metrics
      .trust_verification(seen.good ? "verified" : "not_verified",
                          seen.good ? "" : Error(seen.code, "").info().wire_name)
      .Increment();
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(node);
  // What was tried is not what stands there now.
  if (found == entries_.end() || found->second.beginning != beginning) return seen;
  Entry& entry = found->second;
  const bool before = entry.since.has_value();
  if (seen.good && !entry.since) entry.since = seen.at;
  if (!seen.good && denies_us(seen.code)) entry.since.reset();
  seen.since = entry.since;
  const bool news = !entry.last || entry.last->good != seen.good || entry.last->detail != seen.detail;
  if (news && seen.good)
    parts_.log.info("a node is verified: both sides trust each other", {{"node", node.view()}});
  else if (news)
    parts_.log.warning("a node is not verified", {{"node", node.view()}, {"detail", seen.detail}});
  entry.setbacks = seen.good ? 0 : std::min(entry.setbacks + 1, 16U);
  const auto pause =
      seen.good ? parts_.pace.good : std::min(parts_.pace.longest, parts_.pace.again * (1U << (entry.setbacks - 1)));
  entry.next = parts_.clock.steady() + about(pause);
  entry.last = seen;
  if (before != entry.since.has_value()) publish();
  return seen;
}

// ---- trying it ----------------------------------------------------------------------------------------------------

Verification Verifications::judge(const Result<net::Response>& answer, const OwnTrust& before) const {
  Verification seen{.at = parts_.clock.wall()};
  const auto refuse = [&](Code code, std::string why) {
    seen.code = code;
    seen.detail = std::move(why);
    return seen;
  };
  if (!answer && answer.error().code == Code::peer_refused)
    // One alert stands for every reason.
    return refuse(Code::peer_refused,
                  "it refuses our certificate: it does not trust us, not yet or not any more; its own log says why");
  if (!answer) return refuse(answer.error().code, answer.error().detail);
  const auto body = json::parse(answer->body, answer_limits);
  if (answer->status != 200 || !body || !body->is_object())
    return refuse(Code::peer_protocol_error, "it answers " + std::to_string(answer->status) + " to /verify");
  const auto own = parts_.own.load();
  if (const auto you = member(*body, "you"); you != own->id.str())
    return refuse(Code::identity_mismatch, "it sees us as \"" + you + "\", not as " + own->id.str());
  if (const auto level = member(*body, "trust_level"); level != "trusted")
    return refuse(Code::node_not_trusted, "it sees us, but as \"" + level + "\"");
  const auto info = body->find("certificate_info");
  const auto shown = info != body->end() && info->is_object() ? member(*info, "sha256") : std::string();
  // Ours may have been replaced meanwhile.
  if (shown != own_certificate(before) && shown != own_certificate(*own))
    return refuse(Code::identity_mismatch, "it sees the certificate SHA-256 " + shown +
                                               ", which is not ours: something between the two gateways ends TLS");
  seen.good = true;
  seen.detail = "it sees us as " + own->id.str() + ", trusted";
  return seen;
}

Task<Result<Verification>> Verifications::verify(PeerClient& peers, NodeId node, Connection over, SteadyTime deadline) {
  const auto table = parts_.nodes.load();
  const Node* row = table->find(node);
  if (row == nullptr) co_return fail(Code::node_not_found, "no node " + node.str());
  if (!may(*row, Act::connect))
    co_return fail(Code::node_not_trusted,
                   node.str() + " is disabled or not trusted here; `fedgate trust show " + node.str() + "` says more");
  if (row->endpoints.empty())
    co_return fail(Code::conflict,
                   node.str() + " has no endpoint: it only calls us, and its calls show whether it trusts us");
  std::uint64_t beginning = 0;
  {
    const std::lock_guard lock(mutex_);
    if (const auto entry = entries_.find(node); entry != entries_.end()) beginning = entry->second.beginning;
  }
  const auto own = parts_.own.load();
  Route route;
  route.node = node;
  route.endpoint = row->endpoints.front();
  net::Request request;
  request.method = "POST";
  request.target = "/api/v2/federation/verify";
  request.headers.add("Content-Type", "application/json");
  request.body = nlohmann::json{{"node_id", own->id.str()}}.dump();
  Result<net::Response> answer = fail(Code::internal, "not asked");
  if (over == Connection::pooled) {
    answer = co_await peers.ask(route, std::move(request), deadline);
  } else {
    auto introduced = co_await peers.ask_anew(route, std::move(request), deadline);
    if (introduced)
      answer = std::move(introduced->response);
    else
      answer = fail(introduced.error());
  }
  co_return remember(node, beginning, judge(answer, *own));
}

std::optional<NodeId> Verifications::due(std::size_t lane, SteadyTime now) {
  const auto table = parts_.nodes.load();
  const std::lock_guard lock(mutex_);
  std::size_t at = 0;
  for (auto& [node, entry] : entries_) {
    if (at++ % lanes != lane || entry.next > now) continue;
    const Node* row = table->find(node);
    entry.next = now + parts_.pace.longest;
    if (row != nullptr && row->usable() && !row->endpoints.empty()) return node;
  }
  return std::nullopt;
}

Task<> Verifications::run(DeadlineWheel& wheel, PeerClient& peers, std::size_t lane) {
  bool going_on = true;
  while (going_on) {
    try {
      co_await sleep_until(wheel, wheel.now() + look_interval);
      for (auto node = due(lane, wheel.now()); node; node = due(lane, wheel.now())) {
        auto seen = co_await verify(peers, *node, Connection::its_own, wheel.now() + patience);
        if (!seen) parts_.log.debug("not verified", {{"node", node->view()}, {"detail", seen.error().detail}});
      }
    } catch (const boost::system::system_error&) {
      going_on = false;
    }
  }
}

// ---- who must act -------------------------------------------------------------------------------------------------

std::string next_of_trusted(const Node& node, const std::optional<Verification>& seen) {
  const auto name = node.id.str();
  if (!node.enabled) return "you: it is trusted but disabled; `fedgate nodes enable " + name + "`";
  if (!seen && node.endpoints.empty())
    return "nobody: it has no endpoint here, it only calls us, and its calls show whether it trusts us";
  if (!seen)
    return "nobody yet: an ordinary connection to it is about to be tried (`fedgate trust verify " + name + "`)";
  if (seen->good) return "nobody: both sides trust each other";
  const auto tail = " (" + seen->detail + "). It is tried again by itself; `fedgate nodes check " + name +
                    "` tells what to ask of them";
  switch (seen->code) {
    case Code::peer_refused:
    case Code::node_not_trusted:
      return "operator of " + name + ": we could not verify it" + tail;
    case Code::identity_mismatch:
      return "you and the operator of " + name + ": the two gateways do not show each other what each expects" + tail;
    case Code::peer_protocol_error:
      return "operator of " + name + ": what answers there does not speak as a gateway" + tail;
    default:
      return "you: see whether " + (node.endpoints.empty() ? "its endpoint" : node.endpoints.front()) +
             " is right and can be reached; else the operator of " + name + tail;
  }
}

}  // namespace fedgate::federation
