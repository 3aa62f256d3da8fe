// SPDX-License-Identifier: Apache-2.0
#include "trust/expiry.h"

#include <algorithm>

#include "trust/certificate_facts.h"
#include "trust/openssl.h"

namespace fedgate::trust {

std::string_view to_string(Expiring::Kind kind) {
  switch (kind) {
    case Expiring::Kind::own_certificate:
      return "own_certificate";
    case Expiring::Kind::peer_certificate:
      return "peer_certificate";
    case Expiring::Kind::anchor:
      return "anchor";
    case Expiring::Kind::revocation_list:
      return "revocation_list";
  }
  return "";
}

double days_left(WallTime ends, WallTime now) {
  return std::chrono::duration<double, std::chrono::days::period>(ends - now).count();
}

std::vector<Expiring> expiring_of_own(const NodeId& id, const std::string& certificate_pem) {
  std::vector<Expiring> things;
  const auto all = all_certificate_facts(certificate_pem);
  if (!all) return things;
  for (const auto& facts : *all)
    things.push_back({Expiring::Kind::own_certificate, id.str(),
                      std::string(facts.is_ca ? "issuer " : "certificate ") + facts.named, facts.not_after});
  return things;
}

namespace {

void add_issuers(std::vector<Expiring>& things, const Node& node, const std::vector<std::string>& pems,
                 const std::string& what) {
  for (const auto& pem : pems) {
    const auto all = all_certificate_facts(pem);
    if (!all) continue;  // the verifier says so
    for (const auto& facts : *all)
      things.push_back({Expiring::Kind::anchor, node.id.str(), what + facts.named, facts.not_after});
  }
}

}  // namespace

std::vector<Expiring> expiring_anchors(std::span<const Node> nodes) {
  std::vector<Expiring> things;
  for (const auto& node : nodes) {
    if (!node.usable()) continue;
    add_issuers(things, node, node.trust_anchors, "trust anchor ");
    add_issuers(things, node, node.intermediates, "intermediate ");
  }
  return things;
}

std::vector<Expiring> expiring_lists(const RevocationLists& lists) {
  std::vector<Expiring> things;
  for (const auto& facts : lists.facts())
    things.push_back({Expiring::Kind::revocation_list, facts.source, "revocation list of " + shown(facts.issuer),
                      facts.next_update});
  return things;
}

std::vector<ExpiryWarnings::Due> ExpiryWarnings::due(std::span<const Expiring> things,
                                                     std::span<const std::chrono::seconds> marks, WallTime now) {
  std::vector<Due> found;
  std::map<std::string, std::chrono::seconds> said;
  for (const auto& thing : things) {
    // A CA's old certificate and its new one have one name: the end tells them apart.
    const auto key = std::string(to_string(thing.kind)) + '\n' + thing.subject + '\n' + thing.what + '\n' +
                     std::to_string(thing.ends.time_since_epoch().count());
    if (said.contains(key)) continue;
    const auto known = said_.find(key);
    auto before = known != said_.end() ? known->second : std::chrono::seconds::max();
    const auto left = std::chrono::floor<std::chrono::seconds>(thing.ends - now);
    // The end itself is the last mark.
    auto passed = std::chrono::seconds::max();
    for (const auto mark : marks)
      if (left <= mark) passed = std::min(passed, mark);
    if (left <= std::chrono::seconds(0)) passed = std::chrono::seconds(0);
    if (passed < before) {
      found.push_back({thing, left});
      before = passed;
    }
    said.emplace(key, before);
  }
  said_ = std::move(said);
  return found;
}

}  // namespace fedgate::trust
