// SPDX-License-Identifier: Apache-2.0
#include "api/admin_views.h"

#include <charconv>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "net/http_message.h"
#include "trust/dev_pki.h"

namespace fedgate::api {

using Json = nlohmann::json;

std::string rfc3339(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t t = seconds.time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&t, &parts);
  std::array<char, 40> text{};
  const auto micros = static_cast<int>((time - seconds).count());
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, micros);
  return text.data();
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  const auto bad = [&] {
    return fail(Code::bad_request,
                "\"" + std::string(text.substr(0, 40)) + "\" is not a time such as 2026-01-31T12:00:00Z or 2026-01-31");
  };
  const auto digits = [&](std::size_t at, std::size_t count, int& into) {
    if (at + count > text.size() || text[at] < '0' || text[at] > '9') return false;
    const auto [end, problem] = std::from_chars(text.data() + at, text.data() + at + count, into);
    return problem == std::errc{} && end == text.data() + at + count;
  };
  std::tm parts{};
  if (!digits(0, 4, parts.tm_year) || !digits(5, 2, parts.tm_mon) || !digits(8, 2, parts.tm_mday) || text[4] != '-' ||
      text[7] != '-') {
    return bad();
  }
  std::int64_t micros = 0;
  if (text.size() > 10) {
    if (text.size() < 20 || (text[10] != 'T' && text[10] != ' ') || text[13] != ':' || text[16] != ':' ||
        text.back() != 'Z' || !digits(11, 2, parts.tm_hour) || !digits(14, 2, parts.tm_min) ||
        !digits(17, 2, parts.tm_sec)) {
      return bad();
    }
    if (text.size() > 20) {
      const auto fraction = text.substr(20, text.size() - 21);
      if (text[19] != '.' || fraction.empty() || fraction.size() > 6) return bad();
      int value = 0;
      if (!digits(20, fraction.size(), value)) return bad();
      micros = value;
      for (auto i = fraction.size(); i < 6; ++i) micros *= 10;
    }
  }
  if (parts.tm_mon < 1 || parts.tm_mon > 12 || parts.tm_mday < 1 || parts.tm_mday > 31 || parts.tm_hour > 23 ||
      parts.tm_min > 59 || parts.tm_sec > 60) {
    return bad();
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return WallTime(std::chrono::seconds(timegm(&parts)) + std::chrono::microseconds(micros));
}

namespace {
template <class Ids>
Json names(const Ids& ids) {
  Json out = Json::array();
  for (const auto& id : ids) out.push_back(id.str());
  return out;
}

Json time_or_null(const std::optional<WallTime>& time) { return time ? Json(rfc3339(*time)) : Json(nullptr); }

template <class Id>
Result<std::vector<Id>> ids_from(const Json& body, const char* key) {
  std::vector<Id> out;
  if (!body.contains(key)) return out;
  if (!body[key].is_array())
    return fail(Code::bad_request, std::string("member \"") + key + "\" must be an array of strings");
  for (const auto& item : body[key]) {
    if (!item.is_string())
      return fail(Code::bad_request, std::string("member \"") + key + "\" must be an array of strings");
    auto id = Id::parse(item.get<std::string>());
    if (!id) return fail(id.error().in(key));
    out.push_back(std::move(*id));
  }
  return out;
}

Result<std::vector<std::string>> texts_from(const Json& body, const char* key) {
  std::vector<std::string> out;
  if (!body.contains(key)) return out;
  if (!body[key].is_array())
    return fail(Code::bad_request, std::string("member \"") + key + "\" must be an array of strings");
  for (const auto& item : body[key]) {
    if (!item.is_string())
      return fail(Code::bad_request, std::string("member \"") + key + "\" must be an array of strings");
    out.push_back(item.get<std::string>());
  }
  return out;
}

Result<std::string> text_from(const Json& body, const char* key) {
  if (!body.contains(key) || body[key].is_null()) return std::string();
  if (!body[key].is_string()) return fail(Code::bad_request, std::string("member \"") + key + "\" must be a string");
  return body[key].get<std::string>();
}
}  // namespace

Json node_view(const Node& node) {
  Json anchors = Json::array();
  for (const std::string& pem : node.trust_anchors) {
    if (auto facts = trust::certificate_facts(pem)) {
      anchors.push_back(
          {{"subject", facts->subject}, {"sha256", to_hex(facts->sha256)}, {"not_after", rfc3339(facts->not_after)}});
    }
  }
  return {{"node_id", node.id.str()},
          {"name", node.name},
          {"alias", node.alias},
          {"endpoints", node.endpoints},
          {"trust_level", to_string(node.trust_level)},
          {"enabled", node.enabled},
          {"source", to_string(node.source)},
          {"defined_at", node.defined_at},
          {"principal_domains", names(node.principal_domains)},
          {"resources", names(node.resources)},
          {"reads", node.reads},
          {"pins", node.pins},
          {"rate_limit_per_hour", node.rate_limit_per_hour ? Json(*node.rate_limit_per_hour) : Json(nullptr)},
          {"metadata", node.metadata},
          {"trusted_since", time_or_null(node.trusted_since)},
          {"last_seen", time_or_null(node.last_seen)},
          {"created_at", rfc3339(node.created_at)},
          {"updated_at", rfc3339(node.updated_at)},
          {"anchors", std::move(anchors)}};
}

Json expiry_view(std::span<const trust::Expiring> things, std::chrono::seconds warn_before, WallTime now) {
  auto list = Json::array();
  for (const auto& thing : things)
    list.push_back({{"kind", to_string(thing.kind)},
                    {"what", thing.what},
                    {"ends_at", rfc3339(thing.ends)},
                    {"days_left", static_cast<std::int64_t>(std::floor(trust::days_left(thing.ends, now)))},
                    {"attention", thing.ends - now <= warn_before}});
  return list;
}

Json check_view(const federation::CheckReport& report) {
  auto steps = Json::array();
  for (const auto& step : report.steps) {
    const bool ok = step.state == federation::CheckState::good || step.state == federation::CheckState::warning;
    steps.push_back({{"step", step.name},
                     {"endpoint", step.endpoint},
                     {"ok", ok},
                     {"result", to_string(step.state)},
                     {"detail", step.detail},
                     {"milliseconds", static_cast<double>(step.took.count()) / 1000.0}});
  }
  return {{"node_id", report.node.str()},
          {"ok", report.good()},
          {"at", rfc3339(report.at)},
          {"steps", std::move(steps)},
          {"message", report.message}};
}

Result<Node> node_from(const Json& body) {
  if (!body.is_object()) return fail(Code::bad_request, "the body must be an object");
  static constexpr std::string_view known[] = {
      "node_id",           "name",      "alias", "endpoints",           "trust_anchors", "pins",
      "principal_domains", "resources", "reads", "rate_limit_per_hour", "trusted"};
  for (const auto& [key, value] : body.items()) {
    if (std::find(std::begin(known), std::end(known), key) == std::end(known)) {
      return fail(Code::bad_request, "unknown member \"" + key.substr(0, 64) + "\"");
    }
  }
  Node node;
  auto id_text = text_from(body, "node_id");
  if (!id_text) return fail(id_text.error());
  auto id = NodeId::parse(*id_text);
  if (!id) return fail(id.error().in("node_id"));
  node.id = std::move(*id);
  auto name = text_from(body, "name");
  auto alias = text_from(body, "alias");
  auto endpoints = texts_from(body, "endpoints");
  auto anchors = texts_from(body, "trust_anchors");
  auto pins = texts_from(body, "pins");
  auto reads = texts_from(body, "reads");
  auto domains = ids_from<Domain>(body, "principal_domains");
  auto resources = ids_from<ResourceId>(body, "resources");
  for (const Error* error :
       {name ? nullptr : &name.error(), alias ? nullptr : &alias.error(), endpoints ? nullptr : &endpoints.error(),
        anchors ? nullptr : &anchors.error(), pins ? nullptr : &pins.error(), reads ? nullptr : &reads.error(),
        domains ? nullptr : &domains.error(), resources ? nullptr : &resources.error()}) {
    if (error != nullptr) return fail(*error);
  }
  node.name = std::move(*name);
  node.alias = std::move(*alias);
  node.endpoints = std::move(*endpoints);
  node.trust_anchors = std::move(*anchors);
  node.pins = std::move(*pins);
  node.reads = std::move(*reads);
  node.resources = std::move(*resources);
  node.principal_domains = std::move(*domains);
  if (node.principal_domains.empty()) {
    if (auto own = Domain::parse(node.id.view())) node.principal_domains.push_back(std::move(*own));
  }
  if (body.contains("rate_limit_per_hour") && !body["rate_limit_per_hour"].is_null()) {
    if (!body["rate_limit_per_hour"].is_number_unsigned() || body["rate_limit_per_hour"] == 0) {
      return fail(Code::bad_request, "member \"rate_limit_per_hour\" must be a number from 1");
    }
    node.rate_limit_per_hour = body["rate_limit_per_hour"].get<std::uint64_t>();
  }
  const bool trusted = body.contains("trusted") && body["trusted"].is_boolean() && body["trusted"].get<bool>();
  node.trust_level = trusted ? TrustLevel::trusted : TrustLevel::untrusted;
  return node;
}

}  // namespace fedgate::api
