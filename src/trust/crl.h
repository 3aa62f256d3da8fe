// SPDX-License-Identifier: Apache-2.0
//
// One CRL: its form is judged once, when it is read; what it says of a certificate is asked many times. Owned by
// RevocationLists, used by its .cpp only. Any thread.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "trust/openssl.h"
#include "trust/refusal.h"

namespace fedgate::trust {

class Crl {
 public:
  enum class Scope : std::uint8_t { all, leaves, authorities };

  Crl(CrlPtr crl, std::string source, NodeId node);

  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] const NodeId& node() const { return node_; }
  [[nodiscard]] std::string issuer() const;
  [[nodiscard]] WallTime this_update() const { return this_update_; }
  [[nodiscard]] WallTime next_update() const { return next_update_; }
  [[nodiscard]] std::size_t entries() const { return revoked_.size(); }
  /// Of its form; found when it was read.
  [[nodiscard]] const std::vector<Refusal>& problems() const { return problems_; }

  /// By name.
  [[nodiscard]] bool issued_by(const X509* issuer) const;
  /// By key identifier, where it has one.
  [[nodiscard]] bool signed_by(const X509* issuer) const;
  /// Why it says nothing about this certificate at this time.
  [[nodiscard]] std::optional<Refusal> unusable(const X509* certificate, X509* issuer, WallTime at) const;
  [[nodiscard]] bool lists(const X509* certificate) const;

 private:
  void check_form();
  void check_times();
  void check_extensions();
  void check_identifiers();
  void read_scope();
  void read_entries();
  void refuse(Reason reason, std::string_view why);
  [[nodiscard]] bool covers(const X509* certificate) const;
  [[nodiscard]] bool verifies(X509* issuer) const;

  CrlPtr crl_;
  std::string source_;
  NodeId node_;
  std::string authority_;  // the key identifier
  WallTime this_update_{}, next_update_{};
  Scope scope_ = Scope::all;
  bool partitioned_ = false;
  std::vector<std::string> places_;   // of the issuing distribution point; a certificate must name one of them
  std::vector<std::string> revoked_;  // serial numbers, sorted
  std::vector<Refusal> problems_;
  mutable std::mutex verified_mutex_;
  mutable std::vector<std::pair<Sha256, bool>> verified_;  // by the issuer's public key
};

}  // namespace fedgate::trust
