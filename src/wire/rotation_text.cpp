// SPDX-License-Identifier: Apache-2.0
#include "wire/rotation_text.h"

#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/time_text.h"
#include "wire/bundle_text.h"

namespace fedgate::wire {

namespace {

using Json = nlohmann::json;

constexpr std::size_t longest_chain = 32 * std::size_t{1024}, longest_certificate = 8192, longest_signature = 1024;
constexpr std::uint64_t last_exact_integer = (1ULL << 53) - 1;

std::unexpected<Error> wrong(std::string_view member, std::string_view want) {
  return fail(Code::bad_request, "member \"" + std::string(member) + "\" must be " + std::string(want));
}

Result<Json> object_of(std::string_view body, std::size_t longest) {
  if (body.size() > longest)
    return fail(Code::payload_too_large, "a message of more than " + std::to_string(longest) + " bytes");
  auto json = json::parse(body, {.bytes = longest, .depth = 8});
  if (json && !json->is_object()) return fail(Code::bad_request, "an object is wanted");
  return json;
}

Result<std::string> text_in(const Json& json, const char* member, std::size_t longest) {
  const auto found = json.find(member);
  if (found != json.end() && found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    if (!text.empty() && text.size() <= longest) return text;
  }
  return wrong(member, "a text of 1 to " + std::to_string(longest) + " bytes");
}

Result<std::string> signature_in(const Json& json) {
  const auto text = text_in(json, "signature", longest_signature);
  if (!text) return fail(text.error());
  auto decoded = from_base64(*text);
  if (!decoded || decoded->empty()) return wrong("signature", "a signature in base64");
  return decoded;
}

Result<std::uint64_t> seq_in(const Json& json, const char* member) {
  const auto found = json.find(member);
  if (found != json.end() && found->is_number_unsigned()) {
    const auto seq = found->get<std::uint64_t>();
    if (seq >= 1 && seq <= last_exact_integer) return seq;
  }
  return wrong(member, "a whole number from 1");
}

Result<Sha256> hash_in(const Json& json, const char* member) {
  const auto text = text_in(json, member, 64);
  if (!text) return fail(text.error());
  return sha256_from_hex(*text);
}

Result<std::vector<std::string>> certificates_in(const Json& json) {
  std::vector<std::string> list;
  const auto found = json.find("cross_certificates");
  if (found == json.end()) return list;
  const auto refuse = [] {
    return wrong("cross_certificates", "a list of at most " + std::to_string(most_cross_certificates) +
                                           " certificates of at most " + std::to_string(longest_certificate) +
                                           " bytes");
  };
  if (!found->is_array() || found->size() > most_cross_certificates) return refuse();
  for (const auto& one : *found) {
    if (!one.is_string() || one.get_ref<const std::string&>().size() > longest_certificate) return refuse();
    list.push_back(one.get<std::string>());
  }
  return list;
}

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string served_bundle_body(const ServedBundle& served) {
  std::string out = R"({"bundle":)" + served.bundle.text;  // verbatim: it is known by its hash
  out += R"(,"certificate_chain":)" + dumped(served.chain);
  out += R"(,"cross_certificates":)" + dumped(served.cross_certificates);
  return out += R"(,"signature":")" + to_base64(served.signature) + "\"}";
}

Result<ServedBundle> parse_served_bundle(std::string_view body) {
  const auto json = object_of(body, longest_served_bundle);
  if (!json) return fail(json.error());
  const auto found = json->find("bundle");
  if (found == json->end() || !found->is_object()) return wrong("bundle", "an object");
  auto bundle = parse_bundle(dumped(*found));
  if (!bundle) return fail(bundle.error());
  auto chain = text_in(*json, "certificate_chain", longest_chain);
  if (!chain) return fail(chain.error());
  auto crosses = certificates_in(*json);
  if (!crosses) return fail(crosses.error());
  auto signature = signature_in(*json);
  if (!signature) return fail(signature.error());
  return ServedBundle{std::move(*bundle), std::move(*chain), std::move(*crosses), std::move(*signature)};
}

std::string acknowledgement_body(const Acknowledgement& one) {
  return dumped({{"node_id", one.node.str()},
                 {"seq", one.seq},
                 {"bundle_sha256", to_hex(one.bundle)},
                 {"time", utc_text(one.time)},
                 {"certificate", one.leaf},
                 {"signature", to_base64(one.signature)}});
}

Result<Acknowledgement> parse_acknowledgement(std::string_view body) {
  const auto json = object_of(body, longest_acknowledgement);
  if (!json) return fail(json.error());
  const auto node_text = text_in(*json, "node_id", 253);
  if (!node_text) return fail(node_text.error());
  auto node = NodeId::parse(*node_text);
  if (!node) return fail(node.error());
  const auto seq = seq_in(*json, "seq");
  if (!seq) return fail(seq.error());
  const auto hash = hash_in(*json, "bundle_sha256");
  if (!hash) return fail(hash.error());
  const auto time_text = text_in(*json, "time", 64);
  if (!time_text) return fail(time_text.error());
  const auto time = parse_utc_text(*time_text);
  if (!time) return fail(time.error());
  auto leaf = text_in(*json, "certificate", longest_certificate);
  if (!leaf) return fail(leaf.error());
  auto signature = signature_in(*json);
  if (!signature) return fail(signature.error());
  return Acknowledgement{std::move(*node), *seq, *hash, *time, std::move(*leaf), std::move(*signature)};
}

Result<std::optional<BundleMark>> parse_health(std::string_view body) {
  const auto json = object_of(body, 16 * std::size_t{1024});
  if (!json) return fail(Code::peer_protocol_error, "health: " + json.error().detail);
  if (!json->contains("bundle_seq")) return std::optional<BundleMark>();
  const auto seq = seq_in(*json, "bundle_seq");
  const auto hash = hash_in(*json, "bundle_sha256");
  if (!seq) return fail(Code::peer_protocol_error, "health: " + seq.error().detail);
  if (!hash) return fail(Code::peer_protocol_error, "health: " + hash.error().detail);
  return std::optional(BundleMark{*seq, *hash});
}

}  // namespace fedgate::wire
