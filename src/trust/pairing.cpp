// SPDX-License-Identifier: Apache-2.0
#include "trust/pairing.h"

#include "base/hash.h"

namespace fedgate::trust {

namespace {

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";  // RFC 4648 section 6
constexpr std::size_t length = 32, group = 4, bits_a_digit = 5;

std::string_view view_of(const Sha256& hash) { return {reinterpret_cast<const char*>(hash.data()), hash.size()}; }

/// Upper case, without what was put in for reading.
std::string bare(std::string_view typed) {
  std::string out;
  for (const char c : typed) {
    if (c == '-' || c == ' ' || c == '\t' || c == '\n' || c == '\r') continue;
    out += c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  }
  return out;
}

}  // namespace

std::string fingerprint(const NodeId& one, const Sha256& one_bundle, const NodeId& other, const Sha256& other_bundle) {
  const bool first = one < other;
  const auto hash = sha256(std::string("fedgate pair v1")
                               .append(view_of(first ? one_bundle : other_bundle))
                               .append(view_of(first ? other_bundle : one_bundle)));
  std::string out;
  for (std::size_t digit = 0; digit < length; ++digit) {
    if (digit > 0 && digit % group == 0) out += '-';
    const std::size_t bit = digit * bits_a_digit;
    const unsigned window = (unsigned{hash.at(bit / 8)} << 8U) | unsigned{hash.at(bit / 8 + 1)};
    out += digits.at((window >> (16 - bits_a_digit - bit % 8)) & 0x1FU);
  }
  return out;
}

Result<bool> same_fingerprint(std::string_view typed, std::string_view fingerprint) {
  const auto given = bare(typed.substr(0, 256));
  if (given.size() != length || given.find_first_not_of(digits) != std::string::npos)
    return fail(Code::bad_request,
                "a fingerprint has 32 characters, A to Z and 2 to 7, in eight groups of four; give all of it");
  return equal_constant_time(given, bare(fingerprint));
}

}  // namespace fedgate::trust
