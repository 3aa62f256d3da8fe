// SPDX-License-Identifier: Apache-2.0
//
// The one parser of foreign JSON. It refuses what nlohmann/json lets pass: a NUL byte or anything else after
// the text, a byte order mark, duplicate keys (compared after unescaping), invalid UTF-8, lone surrogates,
// numbers outside IEEE double and integers outside [-2^63, 2^64), too many bytes, too much depth
// (RFC 8259, RFC 7493). Built on simdjson's DOM; raw texts are views into the input.
// A Parser keeps its buffers: one per thread, not shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/result.h"

namespace fedgate::json {

struct Limits {
  std::size_t bytes = 1024 * 1024;
  unsigned depth = 32;  ///< nested arrays and objects; the outermost counts as 1
};

enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

/// One member of the outermost object.
struct Field {
  std::string_view key;  ///< unescaped
  Kind kind = Kind::null;
  std::string_view raw;   ///< the value's text as it stands in the input, without surrounding space
  std::string_view text;  ///< kind string: the unescaped value; else empty
};

class Parser {
 public:
  explicit Parser(Limits limits = {});
  ~Parser();
  Parser(Parser&&) noexcept;
  Parser& operator=(Parser&&) noexcept;

  void set_limits(Limits limits);

  /// Validates all of `text`, which must be an object, and lists its members in order. `raw` points into
  /// `text`; key, text and the span hold until the next call on this parser.
  /// Code::invalid_json (detail: what is wrong and at which byte where known) or Code::payload_too_large.
  Result<std::span<const Field>> object(std::string_view text);
  /// The items of an array of strings among the members that object() has just listed, unescaped; they hold as long as
  /// those do. Nothing where it is another kind of value or holds another kind of item.
  [[nodiscard]] std::optional<std::vector<std::string_view>> strings(const Field& member) const;
  /// Validates only; any kind of value.
  Result<void> validate(std::string_view text);
  /// RFC 8785 (JCS): keys sorted by UTF-16 code units, ECMAScript numbers, no space. Validates first.
  Result<std::string> canonical(std::string_view text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Strictly validated, as a DOM: for operators' requests and other cold paths.
Result<nlohmann::json> parse(std::string_view text, Limits limits = {});

/// Appends `text` as a JSON string, quotes included, escaped as RFC 8785 section 3.2.2.2 demands. `text` is
/// made valid UTF-8 on the way (U+FFFD for what is not).
void append_string(std::string& out, std::string_view text);
/// Appends an IEEE double as ECMAScript's Number::toString does (RFC 8785 section 3.2.2.3). Finite only.
void append_number(std::string& out, double value);

}  // namespace fedgate::json
