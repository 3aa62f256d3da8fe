// SPDX-License-Identifier: Apache-2.0
//
// The talking: asking others for their newest bundle, and answering those who ask for ours.
#include "federation/bundle_exchange.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "trust/enrolment.h"
#include "wire/bundle_text.h"

namespace fedgate::federation {

namespace {

constexpr const char* health_path = "/api/v2/health";
constexpr const char* bundle_path = "/api/v2/federation/trust/bundle";
constexpr const char* acknowledgement_path = "/api/v2/federation/trust/ack";
constexpr std::chrono::seconds patience{5};
constexpr std::chrono::minutes longest_pause{1};
constexpr std::chrono::minutes window{1};
constexpr unsigned questions_a_window = 60;

Route route_to(const Node& node) {
  Route route;
  route.node = node.id;
  route.endpoint = node.endpoints.front();
  return route;
}

net::Request request_of(const char* method, std::string target, std::string body = {}) {
  net::Request request;
  request.method = method;
  request.target = std::move(target);
  if (!body.empty()) request.headers.add("Content-Type", "application/json");
  request.body = std::move(body);
  return request;
}

/// Whether what a judgement rests on is as it was.
bool same_ground(const Node& one, const Node& other) {
  return one.trust_level == other.trust_level && one.enabled == other.enabled && one.source == other.source &&
         one.endpoints == other.endpoints && one.trust_anchors == other.trust_anchors && one.pins == other.pins &&
         one.principal_domains == other.principal_domains;
}

std::string told(const trust::BundleJudgement& judgement, const Bundle& bundle) {
  std::string text = "bundle " + std::to_string(bundle.seq);
  for (const auto& hash : judgement.added) text += "; new anchor " + to_hex(hash).substr(0, 16) + "...";
  for (const auto& hash : judgement.dropped) text += "; without anchor " + to_hex(hash).substr(0, 16) + "...";
  return text;
}

}  // namespace

Task<> BundleExchange::run(DeadlineWheel& wheel, PeerClient& peers, std::size_t lane) {
  bool going_on = true;
  while (going_on) {
    try {
      // Not everybody at the same moment: three to five quarters of the interval.
      std::uint8_t chance = 0;
      parts_.entropy.fill({&chance, 1});
      co_await sleep_until(wheel, wheel.now() + parts_.pace.interval * (384 + chance) / 512);
      co_await round(wheel, peers, lane);
    } catch (const boost::system::system_error&) {
      going_on = false;
    }
  }
}

Task<> BundleExchange::round(DeadlineWheel& wheel, PeerClient& peers, std::size_t lane) {
  if (lane == 0) {
    auto looked = co_await parts_.pool.run([this] { return look(); });
    if (!looked) parts_.log.warning("bundles cannot be read", {{"detail", looked.error().detail}});
    const auto seen = seen_.load();
    const bool stated = !seen->own || states_log_keys(seen->own->value, *parts_.own.load());
    if (!stated) {
      auto done = co_await parts_.pool.run([this] { return state_log_keys(); });
      if (!done) parts_.log.warning("our log's keys are not in our bundle", {{"detail", done.error().detail}});
    }
  }
  const auto table = parts_.registry.table().load();
  for (std::size_t i = lane; i < table->all().size(); i += lanes) {
    const Node& node = table->all()[i];
    if (!node.usable() || node.endpoints.empty()) continue;
    {
      const std::lock_guard lock(mutex_);
      if (contacts_[node.id].next > wheel.now()) continue;
    }
    co_await meet(peers, node);
  }
}

Task<> BundleExchange::meet(PeerClient& peers, Node node) {
  auto answer = co_await peers.ask(route_to(node), request_of("GET", health_path), parts_.clock.steady() + patience);
  // That it cannot be reached is not this module's to report.
  if (!answer || answer->status != 200) co_return remember(node.id, 0, {}, true);
  const auto mark = wire::parse_health(answer->body);
  if (!mark) {
    parts_.log.debug("health not understood", {{"node", node.id.view()}, {"detail", mark.error().detail}});
    co_return remember(node.id, 0, {}, true);
  }
  if (!*mark) co_return remember(node.id, 0, {}, false);
  const auto seen = seen_.load();
  const auto known = seen->heads.find(node.id);
  if (known == seen->heads.end() || known->second.seq < (*mark)->seq ||
      (known->second.seq == (*mark)->seq && known->second.sha256 != (*mark)->sha256))
    co_return co_await take(peers, std::move(node));
  if (known->second.seq > (*mark)->seq)
    co_return remember(node.id, (*mark)->seq,
                       "operator of " + node.id.str() + ": its bundle is " + std::to_string((*mark)->seq) +
                           ", older than " + std::to_string(known->second.seq) +
                           ", which counts here; was its database restored?",
                       true);
  const auto ours = seen->ours.find(node.id);
  const bool told_it =
      ours != seen->ours.end() && ours->second.seq == known->second.seq && ours->second.bundle == known->second.sha256;
  if (!told_it && parts_.clock.wall() >= known->second.recorded_at + parts_.pace.settling) {
    auto done = co_await acknowledge(peers, node, known->second);
    if (!done)
      parts_.log.info("a bundle is not acknowledged yet", {{"node", node.id.view()}, {"detail", done.error().detail}});
    co_return remember(node.id, (*mark)->seq, {}, !done);
  }
  remember(node.id, (*mark)->seq, {}, false);
}

/// Its newest bundle is not the one that counts here.
Task<> BundleExchange::take(PeerClient& peers, Node node) {
  auto fetched = co_await fetch(peers, node);
  if (!fetched) {
    parts_.log.warning("no bundle", {{"node", node.id.view()}, {"detail", fetched.error().detail}});
    co_return remember(node.id, 0, {}, true);
  }
  const auto seq = fetched->served.bundle.value.seq;
  auto judgement = co_await parts_.pool.run([&] { return judge(node, *fetched); });
  if (!judgement) {
    parts_.log.warning("a bundle is refused", {{"node", node.id.view()}, {"detail", judgement.error().detail}});
    if (judgement.error().code == Code::identity_mismatch) co_await record_violation(node.id, judgement.error());
    co_return remember(node.id, seq,
                       "operator of " + node.id.str() + ": its bundle is refused, " + judgement.error().detail, true);
  }
  Result<void> done;
  std::string waits;
  switch (judgement->verdict) {
    case trust::BundleVerdict::known:
      break;
    case trust::BundleVerdict::accepted:
      done = co_await parts_.pool.run([&] { return install(node, *judgement, fetched->served.bundle); });
      break;
    case trust::BundleVerdict::operator_decides:
      done = co_await parts_.pool.run([&] { return leave_to_operator(node, *fetched); });
      waits = "you: its bundle " + std::to_string(seq) + " waits for you, because " + judgement->why +
              "; compare the fingerprint with the operator of " + node.id.str() +
              ", whole, by another way; then `fedgate trust approve " + node.id.str() + " --fingerprint ...`";
      break;
    case trust::BundleVerdict::configuration_decides:
      waits = "you: its bundle " + std::to_string(seq) + " waits for the configuration, because " + judgement->why +
              "; correct the node in " + node.defined_at + " and reload";
      break;
  }
  if (!done)
    parts_.log.warning("a bundle cannot be stored", {{"node", node.id.view()}, {"detail", done.error().detail}});
  const bool setback = !done || !waits.empty();
  remember(node.id, seq, std::move(waits), setback);
}

Task<Result<BundleExchange::Fetched>> BundleExchange::fetch(PeerClient& peers, const Node& node) {
  Fetched fetched;
  parts_.entropy.fill(fetched.nonce);
  const std::string nonce(reinterpret_cast<const char*>(fetched.nonce.data()), fetched.nonce.size());
  auto answer =
      co_await peers.ask_anew(route_to(node), request_of("GET", bundle_path + ("?nonce=" + to_base64url(nonce))),
                              parts_.clock.steady() + patience);
  if (!answer) co_return fail(answer.error());
  if (answer->response.status != 200)
    co_return fail(Code::peer_refused, "it answers " + std::to_string(answer->response.status));
  auto served = wire::parse_served_bundle(answer->response.body);
  if (!served) co_return fail(Code::peer_protocol_error, served.error().detail);
  fetched.served = std::move(*served);
  fetched.peer = std::move(answer->peer);
  co_return fetched;
}

/// On the pool.
Result<trust::BundleJudgement> BundleExchange::judge(const Node& node, const Fetched& fetched) {
  trust::BundleCase from;
  from.row = node;
  from.own = claims_of(*parts_.own.load());
  from.nodes = parts_.registry.table().load()->all();
  from.nonce = fetched.nonce;
  from.leaf = fetched.peer.certificate;
  from.at = parts_.clock.wall();
  const auto record = records_.newest_bundle(node.id);
  if (!record) return fail(record.error());
  if (*record) {
    auto known = wire::parse_bundle((*record)->text);
    if (!known) return fail(Code::store_unavailable, "its recorded bundle cannot be read: " + known.error().detail);
    from.known = std::move(*known);
  }
  return trust::judge_bundle(fetched.served, from);
}

/// On the pool, as one piece: a gateway that ends meanwhile waits for it, so that the trail has its end.
Result<void> BundleExchange::install(const Node& node, const trust::BundleJudgement& judgement,
                                     const StatedBundle& bundle) {
  if (judgement.after == node) return store(node, judgement, bundle);
  const auto what = told(judgement, bundle.value);
  const auto intent = parts_.acts.begin_blocking({.type = EventType::federation_node_trusted,
                                                  .who = "node:" + node.id.str(),
                                                  .action = "trust_rotate",
                                                  .subject = node.id.str(),
                                                  .reason = what});
  if (!intent) return fail(intent.error());
  auto done = store(node, judgement, bundle);
  const auto ended = parts_.acts.end_blocking(*intent, done);
  if (done) parts_.log.info("a node's bundle counts now", {{"node", node.id.view()}, {"what", what}});
  if (!ended) parts_.log.error("how that ended is not in the trail", {{"detail", ended.error().detail}});
  return done;
}

/// On the pool. What counts comes before the record that it does: what is interrupted is done again.
Result<void> BundleExchange::store(const Node& node, const trust::BundleJudgement& judgement,
                                   const StatedBundle& bundle) {
  if (judgement.after != node) {
    const auto table = parts_.registry.table().load();
    const Node* now = table->find(node.id);
    if (now == nullptr || !same_ground(*now, node))
      return fail(Code::conflict, node.id.str() + " was changed meanwhile; it is asked again");
    auto changed = parts_.registry.change(
        node.id.view(), {.credentials = nodes::Credentials{.endpoints = judgement.after.endpoints,
                                                           .trust_anchors = judgement.after.trust_anchors,
                                                           .pins = judgement.after.pins,
                                                           .principal_domains = judgement.after.principal_domains}});
    if (!changed) return fail(changed.error());
  }
  const auto before = records_.newest_bundle(node.id);
  if (!before) return fail(before.error());
  const bool next = *before && (*before)->seq + 1 == bundle.value.seq;
  auto put = records_.put_bundle({node.id, bundle.value.seq, bundle.sha256, bundle.text, parts_.clock.wall()},
                                 next ? store::History::continues : store::History::begins);
  if (!put) return put;
  // It may have waited for an operator before it was vouched for.
  const auto candidates = records_.candidates(parts_.clock.wall());
  if (!candidates) return fail(candidates.error());
  const bool waited = std::ranges::any_of(
      *candidates, [&](const Candidate& one) { return one.node == node.id && one.bundle.sha256 == bundle.sha256; });
  if (waited)
    if (auto removed = records_.remove_candidates(node.id); !removed) return fail(removed.error());
  return look();
}

/// On the pool.
Result<void> BundleExchange::leave_to_operator(const Node& node, const Fetched& fetched) {
  const auto& bundle = fetched.served.bundle;
  {
    const std::lock_guard lock(mutex_);
    if (contacts_[node.id].candidate == bundle.sha256) return {};
  }
  const auto own = own_bundle(records_, *parts_.own.load(), parts_.clock.wall());
  if (!own) return fail(own.error());
  const auto leaf = trust::own_leaf({{}, fetched.served.chain, {}});
  if (!leaf) return fail(leaf.error());
  Candidate candidate;
  candidate.node = node.id;
  candidate.bundle = bundle;
  candidate.leaf = leaf->pem;
  candidate.leaf_sha256 = leaf->sha256;
  candidate.leaf_key = fetched.peer.public_key;
  candidate.own_bundle = own->sha256;
  candidate.how = TrustPurpose::request;
  candidate.asked = Asked::outgoing;
  candidate.remote = node.endpoints.front();
  candidate.proof = sha256(fetched.served.signature);
  candidate.level_there = TrustLevel::trusted;
  candidate.received_at = parts_.clock.wall();
  if (auto admitted = records_.admit(candidate); !admitted) return admitted;
  const std::lock_guard lock(mutex_);
  contacts_[node.id].candidate = bundle.sha256;
  return {};
}

Task<Result<void>> BundleExchange::acknowledge(PeerClient& peers, const Node& node, const store::BundleHead& head) {
  const auto own = parts_.own.load();
  Acknowledgement one;
  one.node = own->id;
  one.seq = head.seq;
  one.bundle = head.sha256;
  one.time = std::chrono::floor<std::chrono::seconds>(parts_.clock.wall());
  const auto leaf = trust::own_leaf({{}, own->client_certificate, {}});
  if (!leaf) co_return fail(leaf.error());
  one.leaf = leaf->pem;
  auto signature = trust::sign_acknowledgement(own->client_key, one);
  if (!signature) co_return fail(signature.error());
  one.signature = std::move(*signature);
  auto answer =
      co_await peers.ask_anew(route_to(node), request_of("POST", acknowledgement_path, wire::acknowledgement_body(one)),
                              parts_.clock.steady() + patience);
  if (!answer) co_return fail(answer.error());
  if (answer->response.status != 200)
    co_return fail(Code::peer_refused, "it answers " + std::to_string(answer->response.status));
  co_return co_await parts_.pool.run([&]() -> Result<void> {
    if (auto put = rotations_.put_acknowledgement(node.id, store::Given::ours, one); !put) return put;
    return look();
  });
}

Task<Result<std::string>> BundleExchange::serve(NodeId reader, std::string nonce) {
  const auto bytes = from_base64url(nonce);
  Bytes32 asked{};
  if (!bytes || bytes->size() != asked.size()) co_return fail(Code::bad_request, "nonce: 32 bytes in base64url");
  std::memcpy(asked.data(), bytes->data(), asked.size());
  if (!may_ask(reader)) co_return fail(Code::rate_limited, reader.str() + " asks for our bundle again and again");
  const auto seen = seen_.load();
  if (!seen->own) co_return fail(Code::not_found, "we have no bundle yet");
  const auto own = parts_.own.load();
  co_return co_await parts_.pool.run([seen, own, reader, asked]() -> Result<std::string> {
    auto chain = trust::certificates_only(own->server_certificate);
    if (!chain) return fail(chain.error().in("our own certificate"));
    ServedBundle served{*seen->own, std::move(*chain), seen->cross_certificates, {}};
    auto signature = trust::sign_bundle(own->server_key, served, reader, asked);
    if (!signature) return fail(signature.error());
    served.signature = std::move(*signature);
    return wire::served_bundle_body(served);
  });
}

Task<Result<void>> BundleExchange::acknowledged(PeerIdentity peer, std::string body) {
  co_await shielded();
  if (!may_ask(peer.node)) co_return fail(Code::rate_limited, peer.node.str() + " acknowledges again and again");
  const auto one = wire::parse_acknowledgement(body);
  if (!one) co_return fail(one.error());
  if (auto checked = trust::check_acknowledgement(*one, peer.node, peer.certificate); !checked) {
    co_await record_violation(peer.node, checked.error().in("its acknowledgement"));
    co_return checked;
  }
  auto fresh = co_await parts_.pool.run([&]() -> Result<bool> {
    auto own = published();
    const wire::BundleMark stated{one->seq, one->bundle};
    // Another replica may have announced it a moment ago.
    if (own != stated) {
      if (auto looked = look(); !looked) return fail(looked.error());
      own = published();
    }
    if (own != stated)
      return fail(Code::conflict, peer.node.str() + " acknowledges bundle " + std::to_string(one->seq) + " (" +
                                      to_hex(one->bundle).substr(0, 16) + "...), which is not our newest");
    const auto seen = seen_.load();
    const auto before = seen->theirs.find(peer.node);
    if (before != seen->theirs.end() && before->second.bundle == one->bundle) return false;
    if (auto put = rotations_.put_acknowledgement(peer.node, store::Given::theirs, *one); !put)
      return fail(put.error());
    if (auto looked = look(); !looked) return fail(looked.error());
    return true;
  });
  if (!fresh) co_return fail(fresh.error());
  if (*fresh)
    (void)co_await parts_.acts.note({.who = "node:" + peer.node.str(),
                                     .action = "bundle_acknowledge",
                                     .subject = parts_.own.load()->id.str(),
                                     .reason = "bundle " + std::to_string(one->seq) + ", " + to_hex(one->bundle)});
  co_return Result<void>{};
}

/// At most one a minute of one node.
Task<> BundleExchange::record_violation(NodeId node, Error why) {
  {
    const std::lock_guard lock(mutex_);
    auto& contact = contacts_[node];
    const auto now = parts_.clock.steady();
    if (contact.recorded_at && now < *contact.recorded_at + window) co_return;
    contact.recorded_at = now;
  }
  AuditEvent event;
  event.type = EventType::security_violation;
  event.time = parts_.clock.wall();
  event.origin = node.str();
  event.target = parts_.own.load()->id.str();
  event.action = "bundle";
  event.error_code = why.info().wire_name;
  event.reason = why.detail;
  auto durable = co_await parts_.journal.append(event);
  if (!durable) parts_.log.error("a refused bundle is not recorded", {{"detail", durable.error().detail}});
}

bool BundleExchange::may_ask(const NodeId& node) {
  const std::lock_guard lock(mutex_);
  auto& contact = contacts_[node];
  const auto now = parts_.clock.steady();
  if (now >= contact.window + window) {
    contact.window = now;
    contact.asked = 0;
  }
  return ++contact.asked <= questions_a_window;
}

void BundleExchange::remember(const NodeId& node, std::uint64_t offered, std::string waits, bool setback) {
  const std::lock_guard lock(mutex_);
  auto& contact = contacts_[node];
  if (offered != 0) contact.offered = offered;
  if (offered != 0 || !setback) contact.waits = std::move(waits);
  contact.setbacks = setback ? std::min(contact.setbacks + 1, 16U) : 0;
  const auto pause =
      std::min<std::chrono::milliseconds>(longest_pause, parts_.pace.interval * (1U << contact.setbacks));
  contact.next = setback ? parts_.clock.steady() + pause : SteadyTime{};
}

}  // namespace fedgate::federation
