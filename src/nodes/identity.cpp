// SPDX-License-Identifier: Apache-2.0
#include "nodes/identity.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace fedgate::nodes {
namespace {

constexpr std::size_t alias_max = 64;
constexpr std::string_view https = "https://";

bool alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), port);
  return bad == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

/// `https://host[:port][/]`, host a name or an address; neither user nor path.
bool is_endpoint(std::string_view text) {
  if (!text.starts_with(https)) return false;
  text.remove_prefix(https.size());
  if (text.ends_with('/')) text.remove_suffix(1);
  std::size_t end = 0;
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    const auto address = text.substr(1, end - 1);
    if (!std::ranges::all_of(address, [](char c) { return alphanumeric(c) || c == ':' || c == '.' || c == '%'; }))
      return false;
    ++end;
  } else {
    end = std::min(text.find(':'), text.size());
    const auto host = text.substr(0, end);
    if (host.empty() ||
        !std::ranges::all_of(host, [](char c) { return alphanumeric(c) || c == '-' || c == '.' || c == '_'; }))
      return false;
  }
  const auto rest = text.substr(end);
  return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
}

bool is_alias(std::string_view text) {
  return text.size() <= alias_max &&
         std::ranges::all_of(text, [](char c) { return alphanumeric(c) || c == '_' || c == '-'; });
}

bool is_pin(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// `RESOURCE/CAPABILITY`
bool is_read(std::string_view text) {
  const auto slash = text.rfind('/');
  return slash != std::string_view::npos && ResourceId::parse(text.substr(0, slash)) &&
         CapabilityId::parse(text.substr(slash + 1));
}

std::string shortened(std::string_view text) { return std::string(text.substr(0, 100)); }

}  // namespace

std::string described(const Node& node) {
  return "node " + node.id.str() + (node.defined_at.empty() ? "" : " (" + node.defined_at + ")");
}

Result<void> check_form(const Node& node) {
  const auto refuse = [&](const std::string& why) { return fail(Code::bad_request, described(node) + ": " + why); };
  if (node.id.empty()) return refuse("it has no id");
  for (const auto& endpoint : node.endpoints)
    if (!is_endpoint(endpoint))
      return refuse("endpoint \"" + shortened(endpoint) + "\": write https://host:port, nothing else");
  if (!is_alias(node.alias))
    return refuse("alias \"" + shortened(node.alias) + "\": at most 64 letters, digits, '_' and '-'");
  for (const auto& pin : node.pins)
    if (!is_pin(pin)) return refuse("pin \"" + shortened(pin) + "\": a SHA-256 in 64 lower-case hex digits");
  for (const auto& read : node.reads)
    if (!is_read(read)) return refuse("reads \"" + shortened(read) + "\": write RESOURCE/CAPABILITY");
  if (node.trust_level == TrustLevel::trusted && node.trust_anchors.empty())
    return refuse("it cannot be trusted without a trust anchor: give the certificate of its CA");
  return {};
}

Names::Names(const NodeId& own_id, std::span<const Domain> own_domains) {
  names_.emplace(own_id.str(), "this gateway");
  domains_.emplace(own_id.str(), "this gateway");
  for (const auto& domain : own_domains) domains_.emplace(domain.str(), "this gateway (node.principal_domains)");
}

Result<void> Names::claim(const Node& node) {
  const auto refuse = [&](std::string_view what, const std::string& name, const std::string& whose) {
    return fail(Code::conflict, described(node) + ": the " + std::string(what) + " " + name + " belongs to " + whose +
                                    "; give each node names of its own, or disable or remove the other");
  };
  if (const auto other = names_.find(node.id.str()); other != names_.end())
    return refuse("id", other->first, other->second);
  if (const auto other = names_.find(node.alias); other != names_.end())
    return refuse("alias", other->first, other->second);
  for (const auto& domain : node.principal_domains)
    if (const auto other = domains_.find(domain.str()); other != domains_.end())
      return refuse("principal domain", other->first, other->second);
  names_.emplace(node.id.str(), described(node));
  if (!node.alias.empty()) names_.emplace(node.alias, described(node));
  for (const auto& domain : node.principal_domains) domains_.emplace(domain.str(), described(node));
  return {};
}

}  // namespace fedgate::nodes
