// SPDX-License-Identifier: Apache-2.0
//
// Writing JSON: strings and numbers as RFC 8785 wants them.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "base/json.h"
#include "base/utf8.h"

namespace fedgate::json {

namespace {

// What a character below 0x20, a quote or a backslash is written as; 0: as itself, 'u': \u00xx.
constexpr auto escapes = [] {
  std::array<char, 256> table{};
  for (std::size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['\b'] = 'b';
  table['\t'] = 't';
  table['\n'] = 'n';
  table['\f'] = 'f';
  table['\r'] = 'r';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

}  // namespace

void append_string(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;  // begin of the run that is copied as it is
  std::size_t i = 0;
  const auto copy_run = [&] { out.append(text.substr(plain, i - plain)); };
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) {
      if (const std::size_t length = utf8_length(text, i); length > 0) {
        i += length;
        continue;
      }
      copy_run();
      out += "\xEF\xBF\xBD";
      plain = ++i;
    } else if (const char escape = escapes[c]; escape == 0) {
      ++i;
    } else {
      copy_run();
      out += '\\';
      out += escape;
      if (escape == 'u') out.append("00").append({digits[c >> 4], digits[c & 0x0F]});
      plain = ++i;
    }
  }
  copy_run();
  out += '"';
}

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";  // what ECMAScript's JSON.stringify writes; RFC 8785 has no text for it
    return;
  }
  if (value == 0) {
    out += '0';  // minus zero too
    return;
  }
  std::array<char, 32> buffer{};
  constexpr double exact = 9007199254740992.0;  // 2^53: whole numbers up to here are written out in full
  if (value >= -exact && value <= exact && value == std::trunc(value)) {
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), static_cast<std::int64_t>(value)).ptr;
    out.append(buffer.data(), end);
    return;
  }
  const auto written =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(value), std::chars_format::scientific);
  const std::string_view shortest(buffer.data(), static_cast<std::size_t>(written.ptr - buffer.data()));
  const std::size_t e = shortest.find('e');
  std::string digits(shortest.substr(0, 1));
  if (e > 2) digits.append(shortest.substr(2, e - 2));
  int exponent = 0;
  const char* from = shortest.data() + e + 1;
  if (*from == '+') ++from;
  std::from_chars(from, written.ptr, exponent);

  // ECMA-262 6.1.6.1.20: the value is 0.digits × 10^n.
  const int k = static_cast<int>(digits.size());
  const int n = exponent + 1;
  if (value < 0) out += '-';
  if (k <= n && n <= 21) {
    out.append(digits).append(static_cast<std::size_t>(n - k), '0');
  } else if (0 < n && n <= 21) {
    out.append(digits, 0, static_cast<std::size_t>(n)).append(".").append(digits, static_cast<std::size_t>(n));
  } else if (-6 < n && n <= 0) {
    out.append("0.").append(static_cast<std::size_t>(-n), '0').append(digits);
  } else {
    out += digits.front();
    if (k > 1) out.append(".").append(digits, 1);
    out.append(exponent < 0 ? "e-" : "e+").append(std::to_string(std::abs(exponent)));
  }
}

}  // namespace fedgate::json
