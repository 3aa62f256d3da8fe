// SPDX-License-Identifier: Apache-2.0
//
// Bearer tokens of this organisation's applications (RFC 6750), known only by their SHA-256: tokens are 256
// random bits, so a plain digest is as good as a slow one. Immutable, any thread; a reload builds another.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/principal.h"
#include "fedgate/result.h"

namespace fedgate::trust {

struct ClientEntry {
  PrincipalId principal;
  std::string token_sha256;  ///< lower-case hex, as the token file holds it after `sha256:`
  std::vector<std::string> groups;
  std::vector<PrincipalId> may_act_for;
  std::optional<WallTime> expires;
  std::string defined_at;  ///< `file:line`
};

/// `fgt_` and 43 characters of base64url: 256 random bits. Shown once.
std::string make_token();
/// The text of a token file for `token`: `sha256:<hex>`.
std::string token_file_text(std::string_view token);
/// The digest in a token file's text; the error says what a token file looks like and that `fedgate token issue`
/// makes one.
Result<std::string> parse_token_file(std::string_view text);

class ClientTokens {
 public:
  explicit ClientTokens(std::vector<ClientEntry> entries);
  /// `authorization`: the header's value. Code::unauthenticated; the detail tells the operator whether it was
  /// absent, malformed, unknown or expired, and is the same sentence for the client.
  [[nodiscard]] Result<Caller> authenticate(std::optional<std::string_view> authorization, WallTime now) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Caller caller;
    std::optional<WallTime> expires;
  };
  std::unordered_map<std::string, Entry> entries_;  // by binary digest
};

}  // namespace fedgate::trust
