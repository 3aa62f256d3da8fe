// SPDX-License-Identifier: Apache-2.0
#include "wire/trust_dialogue.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/time_text.h"
#include "wire/bundle_text.h"

namespace fedgate::wire {

namespace {

using Json = nlohmann::json;

constexpr std::size_t longest_certificate = 8192, longest_signature = 1024, longest_text = 512, longest_id = 64;

std::string base64url(const Bytes32& bytes) {
  return to_base64url({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// The members of one message by name: each asked for once, with its form; the first complaint is kept.
class Members {
 public:
  Members(json::Parser& parser, std::string_view body) {
    if (body.size() > longest_trust_message) {
      problem_ =
          Error(Code::payload_too_large, "a message of more than " + std::to_string(longest_trust_message) + " bytes");
      return;
    }
    parser.set_limits({.bytes = longest_trust_message, .depth = 8});
    auto fields = parser.object(body);
    if (fields)
      fields_ = *fields;
    else
      problem_ = fields.error();
  }

  const json::Field* find(std::string_view key) const {
    const auto at = std::ranges::find(fields_, key, &json::Field::key);
    return at == fields_.end() || at->kind == json::Kind::null ? nullptr : &*at;
  }
  std::string_view text(std::string_view key, std::size_t longest) {
    const auto* field = find(key);
    if (field == nullptr || field->kind != json::Kind::string || field->text.empty() || field->text.size() > longest) {
      complain(key, "a text of 1 to " + std::to_string(longest) + " bytes");
      return {};
    }
    return field->text;
  }
  std::string_view optional_text(std::string_view key, std::size_t longest) {
    return find(key) == nullptr ? std::string_view() : text(key, longest);
  }
  /// May be missing or empty: a certificate's subject, words for people.
  std::string_view words(std::string_view key, std::size_t longest) {
    const auto* field = find(key);
    const bool none = field == nullptr || (field->kind == json::Kind::string && field->text.empty());
    return none ? std::string_view() : text(key, longest);
  }
  std::string_view object(std::string_view key) {
    const auto* field = find(key);
    if (field != nullptr && field->kind == json::Kind::object) return field->raw;
    complain(key, "an object");
    return {};
  }
  Bytes32 bytes(std::string_view key) {
    Bytes32 out{};
    const auto decoded = from_base64url(text(key, 43));
    if (decoded && decoded->size() == out.size())
      std::memcpy(out.data(), decoded->data(), out.size());
    else
      complain(key, "32 bytes in base64url");
    return out;
  }
  std::string signature(std::string_view key) {
    auto decoded = from_base64(text(key, longest_signature));
    if (decoded && !decoded->empty()) return std::move(*decoded);
    complain(key, "a signature in base64");
    return {};
  }
  WallTime time(std::string_view key) {
    const auto moment = parse_utc_text(text(key, longest_id));
    if (!moment) complain(key, moment.error().detail);
    return moment.value_or(WallTime{});
  }
  NodeId node(std::string_view key) { return taken(key, NodeId::parse(text(key, 253))); }
  Sha256 hash(std::string_view key) { return taken(key, sha256_from_hex(text(key, 64))); }
  template <class T>
  T taken(std::string_view key, Result<T> value) {
    if (value) return std::move(*value);
    complain(key, value.error().detail);
    return {};
  }
  void complain(std::string_view key, std::string_view want) {
    if (!problem_)
      problem_ = Error(Code::bad_request, "member \"" + std::string(key) + "\" must be " + std::string(want));
  }
  [[nodiscard]] const std::optional<Error>& problem() const { return problem_; }

 private:
  std::span<const json::Field> fields_;
  std::optional<Error> problem_;
};

/// Not through the parser that holds the other members.
StatedBundle bundle_of(Members& members) {
  const auto raw = members.object("bundle");
  if (raw.empty()) return {};
  return members.taken("bundle", parse_bundle(raw));
}

CertificateInfo certificate_of(std::string_view raw, Members& outer) {
  CertificateInfo info;
  if (raw.empty()) return info;
  json::Parser parser;
  Members members(parser, raw);
  info.subject = members.words("subject", longest_text);
  info.sha256 = members.hash("sha256");
  info.public_key = members.hash("public_key_sha256");
  info.not_after = members.time("not_after");
  if (members.problem()) outer.complain("certificate_info", members.problem()->detail);
  return info;
}

}  // namespace

std::string challenge_request_body(const ChallengeRequest& request) {
  Json json = {{"node_id", request.node.str()},
               {"purpose", to_string(request.purpose)},
               {"client_nonce", base64url(request.client_nonce)}};
  if (!request.invite_id.empty()) json["invite_id"] = request.invite_id;
  return dumped(json);
}

Result<ChallengeRequest> parse_challenge_request(json::Parser& parser, std::string_view body) {
  Members members(parser, body);
  ChallengeRequest request;
  request.node = members.node("node_id");
  request.purpose = members.taken("purpose", trust_purpose_from(members.text("purpose", longest_id)));
  request.client_nonce = members.bytes("client_nonce");
  request.invite_id = members.optional_text("invite_id", longest_id);
  if (!members.problem() && request.invite_id.empty() == (request.purpose == TrustPurpose::invite))
    members.complain("invite_id", "there where the purpose is invite, and only there");
  if (members.problem()) return fail(members.problem()->in("trust/challenge"));
  return request;
}

std::string challenge_answer_body(const ChallengeAnswer& answer) {
  std::string out = R"({"bundle":)" + answer.bundle.text;  // verbatim: it is known by its hash
  out += R"(,"challenge":")" + base64url(answer.challenge);
  return out += R"(","expires_at":")" + utc_text(answer.expires_at) + "\"}";
}

Result<ChallengeAnswer> parse_challenge_answer(json::Parser& parser, std::string_view body) {
  Members members(parser, body);
  ChallengeAnswer answer;
  answer.challenge = members.bytes("challenge");
  answer.bundle = bundle_of(members);
  answer.expires_at = members.time("expires_at");
  if (members.problem()) return fail(Code::peer_protocol_error, "its challenge: " + members.problem()->detail);
  return answer;
}

std::string trust_request_body(const TrustRequest& request) {
  Json json = {{"node_id", request.node.str()},
               {"client_cert", request.client_cert},
               {"challenge", base64url(request.challenge)},
               {"proof", to_base64(request.proof)}};
  if (!request.invite_proof.empty()) json["invite_proof"] = to_base64(request.invite_proof);
  auto out = dumped(json);
  out.back() = ',';
  return out += R"("bundle":)" + request.bundle.text + "}";
}

Result<TrustRequest> parse_trust_request(json::Parser& parser, std::string_view body) {
  Members members(parser, body);
  TrustRequest request;
  request.node = members.node("node_id");
  request.client_cert = members.text("client_cert", longest_certificate);
  request.challenge = members.bytes("challenge");
  request.bundle = bundle_of(members);
  request.proof = members.signature("proof");
  if (members.find("invite_proof") != nullptr) request.invite_proof = members.signature("invite_proof");
  if (members.problem()) return fail(members.problem()->in("trust"));
  return request;
}

std::string trust_answer_body(const TrustAnswer& answer) {
  return dumped({{"success", answer.success},
                 {"node_id", answer.node.str()},
                 {"trust_level", to_string(answer.level)},
                 {"certificate_info",
                  {{"subject", answer.certificate.subject},
                   {"sha256", to_hex(answer.certificate.sha256)},
                   {"public_key_sha256", to_hex(answer.certificate.public_key)},
                   {"not_after", utc_text(answer.certificate.not_after)}}},
                 {"challenge_response", to_base64(answer.challenge_response)},
                 {"expires_at", utc_text(answer.expires_at)},
                 {"message", answer.message}});
}

Result<TrustAnswer> parse_trust_answer(json::Parser& parser, std::string_view body) {
  Members members(parser, body);
  TrustAnswer answer;
  const auto* success = members.find("success");
  if (success == nullptr || success->kind != json::Kind::boolean) members.complain("success", "true or false");
  answer.success = success != nullptr && success->raw == "true";
  answer.node = members.node("node_id");
  answer.level = members.taken("trust_level", trust_level_from(members.text("trust_level", longest_id)));
  answer.certificate = certificate_of(members.object("certificate_info"), members);
  answer.challenge_response = members.signature("challenge_response");
  answer.expires_at = members.time("expires_at");
  answer.message = members.words("message", longest_text);
  if (members.problem()) return fail(Code::peer_protocol_error, "its answer: " + members.problem()->detail);
  return answer;
}

}  // namespace fedgate::wire
