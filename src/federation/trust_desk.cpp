// SPDX-License-Identifier: Apache-2.0
#include "federation/trust_desk.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/hash.h"
#include "trust/enrolment.h"
#include "trust/invite.h"
#include "trust/pairing.h"
#include "wire/bundle_text.h"

namespace fedgate::federation {

namespace {

nodes::Credentials credentials_of(const Bundle& bundle) {
  return {.endpoints = bundle.endpoints,
          .trust_anchors = bundle.anchors,
          .pins = bundle.pins,
          .principal_domains = bundle.principal_domains};
}

/// Whether the configuration that defines this node says already what the bundle asks for: then its record is all that
/// is missing.
bool is_configured(const Node& row, const Bundle& bundle) {
  if (row.source != NodeSource::configuration || row.trust_level != TrustLevel::trusted) return false;
  std::set<Sha256> configured;
  for (const auto& pem : row.trust_anchors)
    if (const auto hash = trust::pem_sha256(pem)) configured.insert(*hash);
  return std::ranges::all_of(bundle.anchors, [&](const std::string& pem) {
    const auto hash = trust::pem_sha256(pem);
    return hash && configured.contains(*hash);
  });
}

/// Blocking. The registry checks that no name in the bundle is another's; its anchors may have become so since the
/// candidate was admitted.
Result<Node> install_blocking(nodes::Registry& registry, const OwnTrust& own, const Candidate& candidate,
                              bool reinstate) {
  auto bundle = wire::parse_bundle(candidate.bundle.text);
  if (!bundle) return fail(bundle.error());
  auto credentials = credentials_of(bundle->value);
  const auto table = registry.table().load();
  const Node* row = table->find(candidate.node);
  if (row != nullptr && is_configured(*row, bundle->value)) return *row;
  if (auto checked = trust::takes_nothing_of_others(bundle->value, claims_of(own), table->all()); !checked)
    return fail(Code::conflict, candidate.node.str() + ": " + checked.error().detail);
  if (row != nullptr)
    return registry.change(
        candidate.node.view(),
        {.trust_level = TrustLevel::trusted, .credentials = std::move(credentials), .reinstate = reinstate});
  Node node;
  node.id = candidate.node;
  node.name = candidate.node.str();
  node.endpoints = std::move(credentials.endpoints);
  node.trust_anchors = std::move(credentials.trust_anchors);
  node.pins = std::move(credentials.pins);
  node.principal_domains = std::move(credentials.principal_domains);
  node.trust_level = TrustLevel::trusted;
  return registry.add(std::move(node));
}

}  // namespace

TrustDesk::TrustDesk(Parts parts) : parts_(std::move(parts)), records_(parts_.store) {}

Result<TrustDesk::Records> TrustDesk::records() {
  auto invites = records_.invites();
  if (!invites) return fail(invites.error());
  auto candidates = records_.candidates(parts_.clock.wall());
  if (!candidates) return fail(candidates.error());
  return Records{std::move(*invites), std::move(*candidates)};
}

Result<void> TrustDesk::look() {
  const auto found = records();
  if (!found) return fail(found.error());
  remember(*found);
  return {};
}

Task<> TrustDesk::keep_looking(DeadlineWheel& wheel) {
  constexpr auto pause = std::chrono::seconds(5);
  constexpr auto summary_interval = std::chrono::minutes(1);
  auto summary = wheel.now() + summary_interval;
  bool going_on = true;
  while (going_on) {
    try {
      co_await sleep_until(wheel, wheel.now() + pause);
      if (wheel.now() >= summary) {
        summary = wheel.now() + summary_interval;
        co_await summarise_turned_away();
      }
      auto looked = co_await parts_.pool.run([this] { return look(); });
      if (!looked) parts_.log.warning("invites and candidates cannot be read", {{"detail", looked.error().detail}});
    } catch (const boost::system::system_error&) {
      going_on = false;
    }
  }
}

Task<> TrustDesk::summarise_turned_away() {
  const auto number = parts_.turned_away();
  if (number == 0) co_return;
  AuditEvent event;
  event.type = EventType::security_violation;
  event.time = parts_.clock.wall();
  event.target = parts_.own.load()->id.str();
  event.action = "enrol";
  event.reason = std::to_string(number) + " connections of strangers were turned away: enrolment closed or full";
  auto durable = co_await parts_.journal.append(event);
  if (!durable) parts_.log.error("strangers turned away are not recorded", {{"detail", durable.error().detail}});
}

Task<Result<std::vector<Relationship>>> TrustDesk::list() {
  co_return co_await parts_.pool.run([this]() -> Result<std::vector<Relationship>> {
    const auto found = records();
    if (!found) return fail(found.error());
    remember(*found);
    return relationships(*found);
  });
}

Task<Result<Relationship>> TrustDesk::show(NodeId node) {
  auto all = co_await list();
  if (!all) co_return fail(all.error());
  const auto found = std::ranges::find(*all, node, &Relationship::node);
  if (found != all->end()) co_return std::move(*found);
  co_return fail(Code::node_not_found, "nothing is known of " + node.str() + "; `fedgate trust list` shows all");
}

Task<Result<TrustDesk::MadeInvite>> TrustDesk::invite(std::string who, NodeId node, std::optional<Sha256> anchor,
                                                      std::chrono::seconds lifetime) {
  const auto own = parts_.own.load();
  const auto now = parts_.clock.wall();
  if (node == own->id) co_return fail(Code::bad_request, node.str() + " is this gateway itself");
  if (own->enrolment == Enrolment::closed)
    co_return fail(Code::conflict, "nobody could use the invite: trust.enrolment is closed");
  audit::Act act{.who = std::move(who), .action = "trust_invite", .subject = node.str()};
  auto intent = co_await parts_.acts.begin(act);
  if (!intent) co_return fail(intent.error());
  auto made = co_await parts_.pool.run([&]() -> Result<MadeInvite> {
    auto bundle = own_bundle(records_, *own, now);
    if (!bundle) return fail(bundle.error());
    trust::InviteToken token;
    token.endpoint = own->endpoints.empty() ? "" : own->endpoints.front();
    token.node = own->id;
    token.bundle = bundle->sha256;
    token.invited = node;
    token.expires_at = now + lifetime;
    Invite keep;
    keep.anchor = anchor;
    keep.created_at = now;
    keep.created_by = act.who;
    auto invite = trust::make_invite(std::move(token), std::move(keep), parts_.entropy);
    if (!invite) return fail(invite.error());
    if (auto put = records_.put_invite(invite->invite); !put) return fail(put.error());
    if (auto looked = look(); !looked) return fail(looked.error());
    return MadeInvite{std::move(invite->token), std::move(invite->invite)};
  });
  Result<void> done;
  if (!made) done = fail(made.error());
  auto ended = co_await parts_.acts.end(std::move(*intent), std::move(done));
  if (made && !ended) co_return fail(ended.error().in("the invite is made, but how it ended could not be recorded"));
  co_return made;
}

Task<Result<void>> TrustDesk::store(Candidate candidate) {
  co_return co_await parts_.pool.run([this, candidate = std::move(candidate)]() -> Result<void> {
    if (auto admitted = records_.admit(candidate); !admitted) return admitted;
    return look();
  });
}

Task<Result<void>> TrustDesk::install(std::string who, std::string reason, Candidate candidate, bool reinstate) {
  auto intent = co_await parts_.acts.begin({.type = EventType::federation_node_trusted,
                                            .who = std::move(who),
                                            .action = "trust_approve",
                                            .subject = candidate.node.str(),
                                            .reason = std::move(reason)});
  if (!intent) co_return fail(intent.error());
  auto installed = co_await parts_.pool.run([&]() -> Result<void> {
    auto node = install_blocking(parts_.registry, *parts_.own.load(), candidate, reinstate);
    if (!node) return fail(node.error());
    const auto bundle = wire::parse_bundle(candidate.bundle.text);
    if (!bundle) return fail(bundle.error());
    auto put = records_.put_bundle(
        {candidate.node, bundle->value.seq, bundle->sha256, bundle->text, parts_.clock.wall()}, store::History::begins);
    if (!put) return put;
    if (auto removed = records_.remove_candidates(candidate.node); !removed) return fail(removed.error());
    return look();
  });
  auto ended = co_await parts_.acts.end(std::move(*intent), installed);
  if (!installed) co_return installed;
  if (!ended) co_return fail(ended.error().in("it is trusted now, but how that ended could not be recorded"));
  parts_.log.info("a node is trusted", {{"node", candidate.node.view()}});
  parts_.metrics.trust_establishment("trusted").Increment();
  parts_.verifications.soon(candidate.node);
  co_return installed;
}

Task<Result<Relationship>> TrustDesk::approve(std::string who, NodeId node, std::string fingerprint, bool reinstate) {
  auto known = co_await show(node);
  if (!known) co_return known;
  if (known->row && known->row->trust_level == TrustLevel::revoked && !reinstate)
    co_return fail(Code::conflict, node.str() + " is revoked; only --reinstate lifts that");
  if (fingerprint.empty()) {
    if (!reinstate || !known->row || known->row->trust_level != TrustLevel::revoked)
      co_return fail(Code::bad_request, "give the whole fingerprint that you have compared with the operator of " +
                                            node.str() + " (`fedgate trust show " + node.str() + "`)");
    auto intent = co_await parts_.acts.begin({.type = EventType::federation_node_trusted,
                                              .who = std::move(who),
                                              .action = "trust_reinstate",
                                              .subject = node.str()});
    if (!intent) co_return fail(intent.error());
    auto changed = co_await parts_.pool.run([this, node]() -> Result<void> {
      auto done = parts_.registry.change(node.view(), {.trust_level = TrustLevel::trusted, .reinstate = true});
      if (!done) return fail(done.error());
      return {};
    });
    auto ended = co_await parts_.acts.end(std::move(*intent), changed);
    if (!changed) co_return fail(changed.error());
    if (!ended) co_return fail(ended.error());
    parts_.verifications.soon(node);
    co_return co_await show(node);
  }
  for (std::size_t i = 0; i < known->candidates.size(); ++i) {
    const auto same = trust::same_fingerprint(fingerprint, known->fingerprints[i]);
    if (!same) co_return fail(same.error());
    if (!*same) continue;
    auto done =
        co_await install(std::move(who), "fingerprint " + known->fingerprints[i], known->candidates[i], reinstate);
    if (!done) co_return fail(done.error());
    co_return co_await show(node);
  }
  co_return fail(Code::conflict, "no candidate of " + node.str() +
                                     " has this fingerprint: do not approve. Either the other side reads it of another "
                                     "attempt, or somebody stands between the two gateways");
}

Task<Result<Relationship>> TrustDesk::cancel(std::string who, NodeId node) {
  auto before = co_await show(node);
  if (!before) co_return before;
  auto gone = co_await parts_.pool.run([this, node]() -> Result<std::size_t> {
    const auto invites = records_.remove_invites(node);
    if (!invites) return fail(invites.error());
    const auto candidates = records_.remove_candidates(node);
    if (!candidates) return fail(candidates.error());
    if (auto looked = look(); !looked) return fail(looked.error());
    return *invites + *candidates;
  });
  if (!gone) co_return fail(gone.error());
  (void)co_await parts_.acts.note({.who = std::move(who),
                                   .action = "trust_cancel",
                                   .subject = node.str(),
                                   .reason = std::to_string(*gone) + " invites and candidates"});
  auto after = co_await show(node);
  if (after) co_return after;
  // Nothing is left of it: that is what was wanted.
  before->candidates.clear();
  before->fingerprints.clear();
  before->invites.clear();
  before->level = TrustLevel::untrusted;
  before->next = "nobody: nothing is left of it";
  co_return before;
}

Task<Result<TrustLevel>> TrustDesk::admit(Candidate candidate, bool decided, bool known) {
  if (known) {
    // The dialogue began with what counted then.
    const auto table = parts_.registry.table().load();
    const Node* row = table->find(candidate.node);
    if (row != nullptr && row->trust_level == TrustLevel::trusted) co_return TrustLevel::trusted;
    co_return fail(Code::forbidden, candidate.node.str() + " was cut off while it enrolled");
  }
  auto stored = co_await store(candidate);
  if (!stored) co_return fail(stored.error());
  if (!decided) {
    parts_.metrics.trust_establishment("pending").Increment();
    parts_.log.warning("somebody asks to be trusted", {{"node", candidate.node.view()}, {"from", candidate.remote}});
    co_return TrustLevel::pending;
  }
  std::string maker = "an operator";
  auto invite = co_await parts_.pool.run([this, id = candidate.invite_id] { return records_.invite(id); });
  if (invite && *invite) maker = (*invite)->created_by;
  auto installed =
      co_await install(std::move(maker), "invite " + candidate.invite_id + " that names its CA", candidate, false);
  if (!installed) co_return fail(installed.error());
  co_return TrustLevel::trusted;
}

Task<> TrustDesk::record_refusal(std::string node, std::string remote, Error why) {
  parts_.metrics.trust_establishment("refused").Increment();
  parts_.log.warning("enrolment refused", {{"node", node}, {"from", remote}, {"detail", why.detail}});
  AuditEvent event;
  event.type = EventType::security_violation;
  event.time = parts_.clock.wall();
  event.origin = std::move(node);  // as claimed
  event.target = parts_.own.load()->id.str();
  event.action = "enrol";
  event.error_code = why.info().wire_name;
  event.reason = why.detail + " (from " + remote + ")";
  auto durable = co_await parts_.journal.append(event);
  if (!durable) parts_.log.error("a refused enrolment is not recorded", {{"detail", durable.error().detail}});
}

Task<Result<Relationship>> TrustDesk::verify(PeerClient& peers, NodeId node) {
  auto seen = co_await parts_.verifications.verify(peers, node, Verifications::Connection::its_own,
                                                   parts_.clock.steady() + Verifications::patience);
  if (!seen) co_return fail(seen.error());
  co_return co_await show(node);
}

}  // namespace fedgate::federation
