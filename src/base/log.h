// SPDX-License-Identifier: Apache-2.0
//
// Log lines: one event, some fields, JSON or text, on stderr (systemd's journal takes it from there) or a
// file. Written by a thread of its own from a bounded queue (spdlog's async logger, oldest dropped and
// counted), so that a slow disk or terminal stops nobody. Values are escaped: no line can be forged by what a
// peer sends. Never give it a secret, a token, a payload. Any thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "fedgate/id.h"
#include "fedgate/result.h"

namespace fedgate::log {

enum class Level : std::uint8_t { trace, debug, info, warning, error };
enum class Format : std::uint8_t { json, text };
Result<Level> level_from(std::string_view text);
std::string_view to_string(Level level);

struct Options {
  Level level = Level::info;
  Format format = Format::json;
  std::string file;  ///< empty: stderr
};

struct Field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double, bool> value;
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <std::integral I>
  Field(std::string_view k, I v) : key(k), value(static_cast<std::int64_t>(v)) {}
};

class Logger;
/// Says nothing: for tests and offline verbs.
const Logger& silent();

class Logger {
 public:
  /// Throws std::system_error where the file cannot be opened (start-up).
  explicit Logger(const Options& options);
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  [[nodiscard]] bool enabled(Level level) const;
  /// `event` is a fixed English phrase, so that lines can be searched for; what varies goes into fields.
  /// Every line of a call carries {"correlation_id", …}.
  void write(Level level, std::string_view event, std::initializer_list<Field> fields = {}) const;
  void debug(std::string_view event, std::initializer_list<Field> fields = {}) const {
    write(Level::debug, event, fields);
  }
  void info(std::string_view event, std::initializer_list<Field> fields = {}) const {
    write(Level::info, event, fields);
  }
  void warning(std::string_view event, std::initializer_list<Field> fields = {}) const {
    write(Level::warning, event, fields);
  }
  void error(std::string_view event, std::initializer_list<Field> fields = {}) const {
    write(Level::error, event, fields);
  }
  void set_level(Level level);
  /// Waits, at most two seconds, until what was written before is out.
  void flush() const;
  /// Lines that the bounded queue has pushed out so far.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  friend const Logger& silent();
  Logger();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fedgate::log
