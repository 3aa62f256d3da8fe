// SPDX-License-Identifier: Apache-2.0
//
// ASCII as protocols mean it: without a locale. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace fedgate::net {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
constexpr bool is_control(unsigned char c) { return c < 0x20 || c == 0x7F; }

constexpr int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/// Equal without regard to the case of ASCII letters.
constexpr bool same_text(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

/// RFC 9110 section 5.6.2.
constexpr bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!is_letter(c) && !is_digit(c) && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return !text.empty();
}

/// A field value without control characters other than a tab.
constexpr bool is_field_value(std::string_view text) {
  for (const char c : text) {
    if (is_control(static_cast<unsigned char>(c)) && c != '\t') return false;
  }
  return true;
}

}  // namespace fedgate::net
