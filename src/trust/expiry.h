// SPDX-License-Identifier: Apache-2.0
//
// Expiry is no surprise: what will end, in how many days, and when it is time to say so again. Pure functions, and a
// small memory of what was said, owned by whoever says it, on one thread.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "trust/revocation_lists.h"

namespace fedgate::trust {

struct Expiring {
  enum class Kind : std::uint8_t { own_certificate, peer_certificate, anchor, revocation_list };
  Kind kind = Kind::own_certificate;
  std::string subject;  ///< the metric's label: our node id, a peer's node id, a file
  std::string what;     ///< for people: `certificate "CN=…"`
  WallTime ends{};
  bool operator==(const Expiring&) const = default;
};
std::string_view to_string(Expiring::Kind kind);

/// Negative where it has ended.
double days_left(WallTime ends, WallTime now);

/// Each certificate of the file that this gateway shows its peers: the leaf and its issuers.
std::vector<Expiring> expiring_of_own(const NodeId& id, const std::string& certificate_pem);
/// The anchors and configured intermediates of each node that is trusted and enabled.
std::vector<Expiring> expiring_anchors(std::span<const Node> nodes);
std::vector<Expiring> expiring_lists(const RevocationLists& lists);

/// Says of each thing once for each mark that it passes, and once when it has ended. What is renewed starts anew.
class ExpiryWarnings {
 public:
  struct Due {
    Expiring thing;
    std::chrono::seconds left{};  ///< negative: it has ended
  };
  /// What is to be said now. `marks`: how long before the end, in any order. What is not in `things` is forgotten.
  std::vector<Due> due(std::span<const Expiring> things, std::span<const std::chrono::seconds> marks, WallTime now);

 private:
  std::map<std::string, std::chrono::seconds> said_;  // the nearest mark, by kind, subject, what and end
};

}  // namespace fedgate::trust
