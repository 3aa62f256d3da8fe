// SPDX-License-Identifier: Apache-2.0
#include "wire/bundle_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.h"

namespace fedgate::wire {

namespace {

using Json = nlohmann::json;

constexpr std::size_t most_endpoints = 8, most_domains = 64, most_anchors = 8, most_pins = 8;
constexpr std::size_t longest_endpoint = 300, longest_anchor = 8192, longest_key = 512;
constexpr std::uint64_t last_exact_integer = (1ULL << 53) - 1;

std::unexpected<Error> wrong(std::string_view member, std::string_view want) {
  return fail(Code::bad_request, "bundle: member \"" + std::string(member) + "\" must be " + std::string(want));
}

struct Bounds {
  std::size_t most, longest;
};

/// Each text once: a list that says the same thing twice hides something or is broken.
Result<std::vector<std::string>> texts(const Json& value, std::string_view member, Bounds bounds) {
  const auto refuse = [&] {
    return wrong(member, "a list of at most " + std::to_string(bounds.most) + " different texts of 1 to " +
                             std::to_string(bounds.longest) + " bytes");
  };
  if (!value.is_array() || value.size() > bounds.most) return refuse();
  std::vector<std::string> list;
  for (const auto& item : value) {
    if (!item.is_string()) return refuse();
    auto text = item.get<std::string>();
    if (text.empty() || text.size() > bounds.longest || text.contains('\0') ||
        std::ranges::find(list, text) != list.end())
      return refuse();
    list.push_back(std::move(text));
  }
  return list;
}

Result<void> take_list(const Json& value, std::string_view member, Bounds bounds, std::vector<std::string>& into) {
  auto list = texts(value, member, bounds);
  if (!list) return fail(list.error());
  into = std::move(*list);
  return {};
}

bool is_pin(const std::string& text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<void> take_domains(const Json& value, std::vector<Domain>& into) {
  auto list = texts(value, "principal_domains", {most_domains, 253});
  if (!list) return fail(list.error());
  for (const auto& text : *list) {
    auto domain = Domain::parse(text);
    if (!domain) return fail(domain.error().in("bundle: principal_domains"));
    into.push_back(std::move(*domain));
  }
  return {};
}

Result<void> take_previous(const Json& value, std::optional<Sha256>& into) {
  if (value.is_null()) return {};
  const auto text = value.is_string() ? value.get<std::string>() : std::string();
  if (!is_pin(text)) return wrong("previous_sha256", "64 lower-case hexadecimal digits, or null for seq 1");
  into = *sha256_from_hex(text);
  return {};
}

Result<void> take(const std::string& member, const Json& value, Bundle& into) {
  if (member == "v") {
    if (value != 1) return wrong(member, "1; a newer fedgate may have made it");
  } else if (member == "node_id") {
    auto id = NodeId::parse(value.is_string() ? value.get<std::string>() : std::string());
    if (!id) return fail(id.error().in("bundle: node_id"));
    into.node = std::move(*id);
  } else if (member == "seq") {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < 1 ||
        value.get<std::uint64_t>() > last_exact_integer)
      return wrong(member, "a whole number from 1");
    into.seq = value.get<std::uint64_t>();
  } else if (member == "previous_sha256") {
    return take_previous(value, into.previous);
  } else if (member == "endpoints") {
    return take_list(value, member, {most_endpoints, longest_endpoint}, into.endpoints);
  } else if (member == "principal_domains") {
    return take_domains(value, into.principal_domains);
  } else if (member == "anchors") {
    return take_list(value, member, {most_anchors, longest_anchor}, into.anchors);
  } else if (member == "pins") {
    if (auto taken = take_list(value, member, {most_pins, 64}, into.pins); !taken) return taken;
    if (!std::ranges::all_of(into.pins, is_pin)) return wrong(member, "SHA-256 values in lower-case hexadecimal");
  } else if (member == "log_vkeys") {
    return take_list(value, member, {most_bundle_keys, longest_key}, into.log_vkeys);
  } else if (member == "witness_vkey") {
    if (!value.is_string() || value.get_ref<const std::string&>().size() > longest_key)
      return wrong(member, "a text of at most " + std::to_string(longest_key) + " bytes");
    into.witness_vkey = value.get<std::string>();
  } else {
    return fail(Code::bad_request,
                "bundle: unknown member \"" + member.substr(0, 64) + "\"; version 1 has exactly its ten");
  }
  return {};
}

constexpr std::size_t member_count = 10;

}  // namespace

Result<StatedBundle> parse_bundle(std::string_view text) {
  constexpr json::Limits limits{.bytes = longest_bundle * 2, .depth = 3};
  json::Parser parser(limits);
  auto canonical = parser.canonical(text);
  if (!canonical) return fail(canonical.error().in("bundle"));
  if (canonical->size() > longest_bundle)
    return fail(Code::payload_too_large, "bundle: longer than " + std::to_string(longest_bundle) + " bytes");
  const auto json = json::parse(*canonical, limits);
  if (!json) return fail(json.error().in("bundle"));
  if (!json->is_object()) return fail(Code::bad_request, "bundle: an object is wanted");
  StatedBundle stated;
  for (const auto& [member, value] : json->items())
    if (auto taken = take(member, value, stated.value); !taken) return fail(taken.error());
  if (json->size() != member_count) return fail(Code::bad_request, "bundle: a member is missing");
  if (stated.value.previous.has_value() != (stated.value.seq > 1))
    return wrong("previous_sha256", "null for seq 1 and a hash for every other");
  stated.sha256 = sha256(*canonical);
  stated.text = std::move(*canonical);
  return stated;
}

Result<StatedBundle> state_bundle(const Bundle& bundle) {
  auto domains = Json::array();
  for (const auto& domain : bundle.principal_domains) domains.push_back(domain.str());
  const Json json = {{"v", bundle.version},
                     {"node_id", bundle.node.str()},
                     {"seq", bundle.seq},
                     {"previous_sha256", bundle.previous ? Json(to_hex(*bundle.previous)) : Json(nullptr)},
                     {"endpoints", bundle.endpoints},
                     {"principal_domains", std::move(domains)},
                     {"anchors", bundle.anchors},
                     {"pins", bundle.pins},
                     {"log_vkeys", bundle.log_vkeys},
                     {"witness_vkey", bundle.witness_vkey}};
  return parse_bundle(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace fedgate::wire
