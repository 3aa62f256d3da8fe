// SPDX-License-Identifier: Apache-2.0
#include "trust/client_tokens.h"

#include <algorithm>
#include <array>

#include "base/entropy.h"
#include "base/hash.h"

namespace fedgate::trust {

namespace {

constexpr std::string_view token_prefix = "fgt_";
constexpr std::string_view digest_prefix = "sha256:";
constexpr std::size_t longest_token = 512;

std::string key_of(const Sha256& digest) { return {digest.begin(), digest.end()}; }

/// RFC 6750's b64token.
bool is_token(std::string_view text) {
  const auto body = text.substr(0, text.find_last_not_of('=') + 1);
  return !body.empty() && text.size() <= longest_token && std::ranges::all_of(body, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("-._~+/").contains(c);
  });
}

/// The token in an Authorization header, empty where there is none. The scheme is case-insensitive (RFC 9110 11.1).
std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view scheme = "bearer";
  if (authorization.size() <= scheme.size() || authorization[scheme.size()] != ' ') return {};
  const auto same = [](char given, char lower) {
    return (given >= 'A' && given <= 'Z' ? static_cast<char>(given + ('a' - 'A')) : given) == lower;
  };
  if (!std::ranges::equal(authorization.substr(0, scheme.size()), scheme, same)) return {};
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' ', scheme.size()), authorization.size()));
  return is_token(authorization) ? authorization : std::string_view();
}

}  // namespace

std::string make_token() {
  std::array<std::uint8_t, 32> bytes{};
  system_entropy().fill(bytes);
  return std::string(token_prefix) + to_base64url({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string token_file_text(std::string_view token) {
  return std::string(digest_prefix) + to_hex(sha256(token)) + "\n";
}

Result<std::string> parse_token_file(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(space), text.size()));
  text = text.substr(0, text.find_last_not_of(space) + 1);
  if (text.starts_with(token_prefix))
    return fail(
        Code::invalid_configuration,
        "the file holds a token itself; it must hold only its digest, `sha256:` and 64 hexadecimal digits. Treat "
        "the token as revealed and make another with `fedgate token issue`");
  const auto digest = text.starts_with(digest_prefix) ? text.substr(digest_prefix.size()) : std::string_view();
  const bool hex = std::ranges::all_of(digest, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (digest.size() == 2 * sizeof(Sha256) && hex) return std::string(digest);
  return fail(Code::invalid_configuration,
              "a token file holds one line: `sha256:` and the 64 lower-case hexadecimal digits of the token's SHA-256; "
              "`fedgate token issue` makes one");
}

ClientTokens::ClientTokens(std::vector<ClientEntry> entries) {
  for (auto& entry : entries) {
    const auto digest = sha256_from_hex(entry.token_sha256);
    if (!digest) continue;  // the configuration's check has refused it; here it opens nothing
    // A part of a digest of 256 random bits: enough to find the file by, nothing to log in with.
    auto credential = "token:" + entry.token_sha256.substr(0, 12);
    Caller caller{std::move(entry.principal), std::move(entry.groups), std::move(entry.may_act_for),
                  std::move(credential)};
    entries_.try_emplace(key_of(*digest), Entry{std::move(caller), entry.expires});
  }
}

// The look-up need not take constant time: what is compared is a digest, and whoever times the comparison learns
// about digests of tokens of their own making, from which no token can be worked back.
Result<Caller> ClientTokens::authenticate(std::optional<std::string_view> authorization, WallTime now) const {
  if (!authorization) return fail(Code::unauthenticated, "no Authorization header; send `Authorization: Bearer TOKEN`");
  const auto token = bearer_token(*authorization);
  if (token.empty())
    return fail(Code::unauthenticated, "the Authorization header is malformed; send `Authorization: Bearer TOKEN`");
  const auto found = entries_.find(key_of(sha256(token)));
  if (found == entries_.end()) return fail(Code::unauthenticated, "the bearer token is not known here");
  if (found->second.expires && now >= *found->second.expires)
    return fail(Code::unauthenticated, "the bearer token has expired; ask for a new one");
  return found->second.caller;
}

}  // namespace fedgate::trust
