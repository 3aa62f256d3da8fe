// SPDX-License-Identifier: Apache-2.0
//
// Certificate revocation lists (RFC 5280 section 5): which are configured, whether each is one that may be believed,
// and what they say of a chain. Complete lists by the certificate's own issuer only: indirect lists, deltas and lists
// for some reasons are refused. Where one list applies to a chain, every certificate below the anchor must be covered
// by a current one; a list that is out of date refuses what it covers. Parsed once, shared by every verifier that is
// made while the files stay the same. Immutable but for remembered signature checks; any thread.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "fedgate/result.h"
#include "trust/refusal.h"

namespace fedgate::trust {

/// One file: `tls.crl` (any node's chains), or a node's own `crl` (then its chains must be covered).
struct CrlSource {
  std::string name;  ///< for messages: the path
  std::string text;  ///< PEM, one or several, or DER
  NodeId node;       ///< empty: any
  bool operator==(const CrlSource&) const = default;
};

/// Facts for `pki show` and `status`.
struct CrlFacts {
  std::string source, issuer;
  WallTime this_update{}, next_update{};
  std::size_t revoked = 0;
  std::vector<Refusal> problems;  ///< why it cannot be believed; empty: it can, where its signature is right
};

class RevocationLists {
 public:
  static constexpr std::size_t most_bytes = 32UL << 20;  ///< of one file

  /// What cannot be read or believed is reported in `problems` (name: why) and refuses every chain that it would cover.
  static std::shared_ptr<const RevocationLists> make(std::span<const CrlSource> sources,
                                                     std::vector<Error>* problems = nullptr);
  ~RevocationLists();

  /// `chain`: leaf to anchor, its signatures verified. Brings `valid_until` forward to the next update.
  void check(Findings& findings, std::span<X509* const> chain, const NodeId& node, WallTime at,
             WallTime& valid_until) const;
  [[nodiscard]] std::vector<CrlFacts> facts() const;

 private:
  struct State;
  explicit RevocationLists(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fedgate::trust
