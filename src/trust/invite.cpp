// SPDX-License-Identifier: Apache-2.0
#include "trust/invite.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "base/time_text.h"

namespace fedgate::trust {

namespace {

using Json = nlohmann::json;

constexpr std::string_view prefix = "fgi1.";
constexpr std::size_t longest_token = 2048, longest_endpoint = 300, id_length = 22, member_count = 8;

std::string_view view_of(const Bytes32& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::unexpected<Error> refuse(std::string_view why) {
  return fail(Code::bad_request, "the invite token cannot be read: " + std::string(why) +
                                     ". Give the whole text that `fedgate trust invite` printed, fgi1. included");
}

bool is_id(std::string_view text) {
  return text.size() == id_length && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

bool is_endpoint(std::string_view text) {
  return text.starts_with("https://") && text.size() <= longest_endpoint &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F && c != '"' && c != '\\'; });
}

Result<InviteToken> from_json(const Json& json) {
  if (!json.is_object() || json.size() != member_count || json.value("v", Json()) != 1)
    return refuse("it is not of version 1");
  const auto text = [&](const char* member) {
    const auto found = json.find(member);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  InviteToken token;
  token.id = text("id");
  token.endpoint = text("endpoint");
  auto node = NodeId::parse(text("node_id"));
  auto invited = NodeId::parse(text("for"));
  const auto bundle = sha256_from_hex(text("bundle_sha256"));
  const auto expires = parse_utc_text(text("expires_at"));
  const auto seed = from_base64url(text("seed"));
  if (!is_id(token.id) || !is_endpoint(token.endpoint) || !node || !invited || !bundle || !expires || !seed ||
      seed->size() != token.seed.size())
    return refuse("one of its members is not as it must be");
  token.node = std::move(*node);
  token.invited = std::move(*invited);
  token.bundle = *bundle;
  token.expires_at = *expires;
  std::memcpy(token.seed.data(), seed->data(), token.seed.size());
  return token;
}

}  // namespace

Result<MadeInvite> make_invite(InviteToken token, Invite keep, const Entropy& entropy) {
  std::array<std::uint8_t, 16> id{};
  entropy.fill(id);
  entropy.fill(token.seed);
  token.id = to_base64url({reinterpret_cast<const char*>(id.data()), id.size()});
  token.expires_at = std::chrono::floor<std::chrono::seconds>(token.expires_at);
  if (!is_endpoint(token.endpoint))
    return fail(Code::bad_request,
                "an invite needs the https:// endpoint where this gateway is reached (node.endpoint)");
  const auto key = invite_key(token.seed);
  if (!key) return fail(key.error());
  std::size_t size = keep.public_key.size();
  if (EVP_PKEY_get_raw_public_key(key->get(), keep.public_key.data(), &size) != 1 || size != keep.public_key.size())
    return fail(Code::internal, "making an invite's key: " + openssl_reason());
  keep.id = token.id;
  keep.node = token.invited;
  keep.expires_at = token.expires_at;
  return MadeInvite{token_text(token), std::move(keep)};
}

std::string token_text(const InviteToken& token) {
  const Json json = {{"v", 1},
                     {"id", token.id},
                     {"endpoint", token.endpoint},
                     {"node_id", token.node.str()},
                     {"bundle_sha256", to_hex(token.bundle)},
                     {"for", token.invited.str()},
                     {"expires_at", utc_text(token.expires_at)},
                     {"seed", to_base64url(view_of(token.seed))}};
  return std::string(prefix) + to_base64url(json.dump());
}

Result<InviteToken> parse_token(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const auto first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return refuse("it is empty");
  text = text.substr(first, text.find_last_not_of(space) - first + 1);
  if (text.size() > longest_token) return refuse("it is too long");
  if (!text.starts_with(prefix)) return refuse("it does not begin with fgi1.");
  const auto decoded = from_base64url(text.substr(prefix.size()));
  if (!decoded) return refuse("it is damaged");
  // A parser's complaint may quote what it read: it is not passed on.
  const auto json = json::parse(*decoded, {.bytes = longest_token, .depth = 1});
  if (!json) return refuse("it is damaged");
  return from_json(*json);
}

Result<KeyPtr> invite_key(const Bytes32& seed) {
  const ErrorQueueScope scope;
  KeyPtr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  if (!key) return fail(Code::internal, "making an invite's key: " + openssl_reason());
  return key;
}

Result<KeyPtr> invite_public_key(const Bytes32& public_key) {
  const ErrorQueueScope scope;
  KeyPtr key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key.data(), public_key.size()));
  if (!key) return fail(Code::internal, "reading an invite's key: " + openssl_reason());
  return key;
}

}  // namespace fedgate::trust
