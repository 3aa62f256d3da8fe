// SPDX-License-Identifier: Apache-2.0
//
// What invites, candidates and the registry mean together, and who must act next.
#include <algorithm>
#include <set>

#include "base/time_text.h"
#include "federation/trust_desk.h"
#include "trust/pairing.h"

namespace fedgate::federation {

namespace {

std::string next_of_pending(const Relationship& of) {
  const auto name = of.node.str();
  const auto& newest = of.candidates.front();
  if (newest.asked == Asked::outgoing && !newest.level_there)
    return "you: the dialogue was not finished; repeat `fedgate trust " +
           std::string(newest.how == TrustPurpose::invite ? "accept" : "request") + "`";
  return "you: compare the fingerprint with the operator of " + name +
         ", whole, by another way; then `fedgate trust "
         "approve " +
         name + " --fingerprint ...`" + (of.level == TrustLevel::revoked ? " with --reinstate" : "");
}

std::string next_step(const Relationship& of, WallTime now) {
  const auto name = of.node.str();
  if (of.level == TrustLevel::trusted && of.candidates.empty()) return next_of_trusted(*of.row, of.verification);
  if (!of.candidates.empty()) return next_of_pending(of);
  const auto open = std::ranges::find_if(of.invites, [&](const Invite& one) { return one.expires_at > now; });
  if (open != of.invites.end())
    return "operator of " + name + ": `fedgate trust accept` with the token of the invite, until " +
           utc_text(open->expires_at);
  if (of.level == TrustLevel::revoked)
    return "nobody, while it shall stay out; `fedgate trust approve " + name + " --reinstate` lifts the revocation";
  return "you: `fedgate trust invite " + name + "` or `fedgate trust request URL`";
}

}  // namespace

std::vector<Relationship> TrustDesk::relationships(const Records& records) const {
  const auto table = parts_.registry.table().load();
  const auto& own = parts_.own.load()->id;
  const auto now = parts_.clock.wall();
  std::set<NodeId> names;
  for (const auto& node : table->all()) names.insert(node.id);
  for (const auto& invite : records.invites) names.insert(invite.node);
  for (const auto& candidate : records.candidates) names.insert(candidate.node);
  std::vector<Relationship> all;
  for (const auto& name : names) {
    Relationship one;
    one.node = name;
    if (const auto* row = table->find(name)) {
      one.row = *row;
      one.level = row->trust_level;
      one.enabled = row->enabled;
    }
    for (const auto& candidate : records.candidates) {
      if (candidate.node != name) continue;
      one.candidates.push_back(candidate);
      one.fingerprints.push_back(
          trust::fingerprint(own, candidate.own_bundle, candidate.node, candidate.bundle.sha256));
    }
    for (const auto& invite : records.invites)
      if (invite.node == name) one.invites.push_back(invite);
    if (!one.candidates.empty() && one.level == TrustLevel::untrusted) one.level = TrustLevel::pending;
    one.verification = parts_.verifications.of(name);
    one.next = next_step(one, now);
    all.push_back(std::move(one));
  }
  return all;
}

void TrustDesk::remember(const Records& records) {
  WallTime until{};
  for (const auto& invite : records.invites) until = std::max(until, invite.expires_at);
  invites_until_ = until.time_since_epoch().count();
  std::vector<std::string> attention;
  std::size_t pending = 0;
  for (const auto& one : relationships(records)) {
    if (one.candidates.empty()) continue;
    ++pending;
    if (attention.size() < 5) attention.push_back("trust with " + one.node.str() + " waits for " + one.next);
  }
  parts_.metrics.trust_pending().Set(static_cast<double>(pending));
  const std::lock_guard lock(mutex_);
  attention_ = std::move(attention);
}

std::vector<std::string> TrustDesk::attention() const {
  auto list = parts_.verifications.attention();
  const std::lock_guard lock(mutex_);
  list.insert(list.begin(), attention_.begin(), attention_.end());
  return list;
}

bool TrustDesk::open() const {
  switch (parts_.own.load()->enrolment) {
    case Enrolment::closed:
      return false;
    case Enrolment::open:
      return true;
    case Enrolment::invites:
      break;
  }
  return WallTime(WallTime::duration(invites_until_.load())) > parts_.clock.wall();
}

}  // namespace fedgate::federation
