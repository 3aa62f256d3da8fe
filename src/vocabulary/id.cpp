// SPDX-License-Identifier: Apache-2.0
#include "fedgate/id.h"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace fedgate {

namespace {

constexpr std::size_t label_max = 63;
constexpr std::size_t domain_max = 253;
constexpr std::size_t local_max = 64;
constexpr std::size_t resource_max = 256;
constexpr std::size_t capability_max = 128;
constexpr std::string_view digits = "0123456789abcdef";

bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool alphanumeric(char c) { return lower(c) || digit(c) || (c >= 'A' && c <= 'Z'); }

bool all_of(std::string_view text, std::string_view besides) {
  return std::ranges::all_of(text, [&](char c) { return alphanumeric(c) || besides.contains(c); });
}

// The offending value as a message may show it: short, and printable whatever was sent.
std::string shown(std::string_view text) {
  constexpr std::size_t shown_max = 64;
  std::string out = "'";
  for (const char c : text.substr(0, shown_max)) {
    out += c >= ' ' && c <= '~' ? c : '?';
  }
  if (text.size() > shown_max) out += "...";
  return out += "'";
}

std::string_view label_problem(std::string_view label) {
  if (label.empty()) return "has an empty label";
  if (label.size() > label_max) return "has a label of more than 63 characters";
  if (!std::ranges::all_of(label, [](char c) { return lower(c) || digit(c) || c == '-'; })) {
    return "may hold a-z, 0-9, '-' and '.' only (lower case; international names as xn-- labels)";
  }
  if (label.front() == '-' || label.back() == '-') return "has a label that begins or ends with '-'";
  return {};
}

std::string_view domain_problem(std::string_view text) {
  if (text.empty()) return "is empty";
  if (text.size() > domain_max) return "is longer than 253 characters";
  std::size_t labels = 0;
  std::string_view label;
  for (std::size_t begin = 0; begin <= text.size(); ++labels) {
    const std::size_t end = std::min(text.find('.', begin), text.size());
    label = text.substr(begin, end - begin);
    if (const auto problem = label_problem(label); !problem.empty()) return problem;
    begin = end + 1;
  }
  if (labels < 2) return "needs at least two labels, as in orgb.example";
  if (std::ranges::all_of(label, digit)) return "ends in a number, as an address does; a DNS name is wanted";
  return {};
}

std::string sentence(std::string_view what, std::string_view text, std::string_view problem) {
  if (problem.empty()) return {};
  return std::string(what).append(" ").append(shown(text)).append(" ").append(problem);
}

std::string word_problem(std::string_view what, std::string_view text, std::size_t max, std::string_view besides) {
  if (text.empty()) return std::string(what) + " is empty";
  if (text.size() > max) return sentence(what, text, "is longer than " + std::to_string(max) + " characters");
  if (!all_of(text, besides)) {
    return sentence(what, text, std::string("may hold letters, digits and ").append(besides).append(" only"));
  }
  return {};
}

int nibble(char c) {
  const auto at = digits.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

std::string NodeTag::problem(std::string_view text) { return sentence("node id", text, domain_problem(text)); }

std::string DomainTag::problem(std::string_view text) { return sentence("domain", text, domain_problem(text)); }

std::string PrincipalTag::problem(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos) return sentence("principal", text, "has no '@', as in alice@orga.example");
  const std::string_view local = text.substr(0, at);
  if (local.empty()) return sentence("principal", text, "has nothing before the '@'");
  if (local.size() > local_max) return sentence("principal", text, "has more than 64 characters before the '@'");
  if (!all_of(local, "._+-")) {
    return sentence("principal", text, "may hold letters, digits and ._+- only before the '@'");
  }
  if (const auto problem = domain_problem(text.substr(at + 1)); !problem.empty()) {
    return sentence("principal", text, std::string("has a domain that ").append(problem));
  }
  return {};
}

std::string ResourceTag::problem(std::string_view text) {
  return word_problem("resource id", text, resource_max, "._~:/@-");
}

std::string CapabilityTag::problem(std::string_view text) {
  return word_problem("capability id", text, capability_max, "._~:/-");
}

std::string_view domain_of(const PrincipalId& principal) {
  const auto at = principal.view().find('@');
  return at == std::string_view::npos ? std::string_view{} : principal.view().substr(at + 1);
}

CorrelationId CorrelationId::make(WallTime time, std::array<std::uint8_t, 10> entropy) {
  const auto since = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const auto millis = static_cast<std::uint64_t>(std::max<long>(since, 0));
  Bytes bytes{};
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(millis >> (40 - 8 * i));
  bytes[6] = static_cast<std::uint8_t>(0x70 | (entropy[0] & 0x0F));
  bytes[7] = entropy[1];
  bytes[8] = static_cast<std::uint8_t>(0x80 | (entropy[2] & 0x3F));
  std::copy(entropy.begin() + 3, entropy.end(), bytes.begin() + 9);
  return CorrelationId(bytes);
}

Result<CorrelationId> CorrelationId::parse(std::string_view text) {
  constexpr std::size_t length = 36;
  const auto refused = [&](std::string_view why) {
    return fail(Code::bad_request, sentence("correlation id", text, why));
  };
  if (text.size() != length) return refused("is not 36 characters long");
  Bytes bytes{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      if (text[at++] != '-') return refused("is not a UUID");
    }
    const int high = nibble(text[at]);
    const int low = nibble(text[at + 1]);
    if (high < 0 || low < 0) return refused("is not a UUID in lower case");
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    at += 2;
  }
  if (bytes[6] >> 4 != 7 || bytes[8] >> 6 != 2) return refused("is not a version 7 UUID (RFC 9562)");
  return CorrelationId(bytes);
}

std::string CorrelationId::str() const {
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += digits[bytes_[i] >> 4];
    out += digits[bytes_[i] & 0x0F];
  }
  return out;
}

WallTime CorrelationId::time() const {
  std::uint64_t millis = 0;
  for (std::size_t i = 0; i < 6; ++i) millis = millis << 8 | bytes_[i];
  return WallTime(std::chrono::milliseconds(millis));
}

}  // namespace fedgate
