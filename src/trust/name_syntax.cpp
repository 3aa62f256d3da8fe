// SPDX-License-Identifier: Apache-2.0
#include "trust/name_syntax.h"

#include <algorithm>

namespace fedgate::trust {

namespace {

bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool alphanumeric(char c) { return lower(c) || (c >= 'A' && c <= 'Z') || digit(c); }
bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && alphanumeric(label.front()) && alphanumeric(label.back()) &&
         std::ranges::all_of(label, [](char c) { return alphanumeric(c) || c == '-'; });
}

std::string_view next_part(std::string_view& rest, char separator) {
  const auto end = rest.find(separator);
  const auto part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return part;
}

}  // namespace

bool is_dns_name(std::string_view text) {
  constexpr std::size_t longest = 253;
  if (text.empty() || text.size() > longest || text.back() == '.') return false;
  std::string_view last;
  for (auto rest = text; !rest.empty();) {
    last = next_part(rest, '.');
    if (!is_label(last)) return false;
  }
  return !std::ranges::all_of(last, digit);
}

bool is_mailbox(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return false;
  const auto local = text.substr(0, at);
  constexpr std::string_view more = "!#$%&'*+-/=?^_`{|}~.";  // RFC 5321's dot-atom; quoted ones are refused
  return std::ranges::all_of(local, [&](char c) { return alphanumeric(c) || more.contains(c); }) &&
         local.front() != '.' && local.back() != '.' && !local.contains("..") && is_dns_name(text.substr(at + 1));
}

bool is_uri(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size() || !printable(text)) return false;
  const auto scheme = text.substr(0, colon);
  return !digit(scheme.front()) && alphanumeric(scheme.front()) &&
         std::ranges::all_of(scheme, [](char c) { return alphanumeric(c) || c == '+' || c == '-' || c == '.'; });
}

std::optional<std::string_view> host_of_uri(std::string_view text) {
  const auto slashes = text.find("://");
  if (!is_uri(text) || slashes == std::string_view::npos || text.find(':') != slashes) return std::nullopt;
  auto host = text.substr(slashes + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const auto at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  if (const auto colon = host.find(':'); colon != std::string_view::npos) {
    if (!std::ranges::all_of(host.substr(colon + 1), digit)) return std::nullopt;
    host = host.substr(0, colon);
  }
  if (!is_dns_name(host)) return std::nullopt;
  return host;
}

std::string folded(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string out(name);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return out;
}

Result<void> check_spiffe_id(std::string_view text) {
  constexpr std::string_view scheme = "spiffe://";
  constexpr std::size_t longest = 2048;
  constexpr std::size_t longest_domain = 255;
  const auto refuse = [](std::string_view why) {
    return fail(Code::bad_request, "not a SPIFFE ID (spiffe://trust-domain/path): " + std::string(why));
  };
  if (!text.starts_with(scheme)) return refuse("it does not begin with spiffe://");
  if (text.size() > longest) return refuse("it is longer than 2048 bytes");
  auto rest = text.substr(scheme.size());
  const auto slash = rest.find('/');
  const auto domain = rest.substr(0, slash);
  if (domain.empty() || domain.size() > longest_domain ||
      !std::ranges::all_of(domain, [](char c) { return lower(c) || digit(c) || c == '-' || c == '.' || c == '_'; }))
    return refuse("its trust domain must be 1 to 255 of a-z, 0-9, dot, hyphen and underscore");
  if (slash == std::string_view::npos) return refuse("it names a trust domain only, and a gateway needs a path");
  rest.remove_prefix(slash + 1);
  if (rest.empty() || rest.back() == '/') return refuse("it ends in a slash");
  while (!rest.empty()) {
    const auto segment = next_part(rest, '/');
    if (segment.empty() || segment == "." || segment == ".." ||
        !std::ranges::all_of(segment, [](char c) { return alphanumeric(c) || c == '-' || c == '.' || c == '_'; }))
      return refuse("each segment of its path is made of letters, digits, dot, hyphen and underscore");
  }
  return {};
}

}  // namespace fedgate::trust
