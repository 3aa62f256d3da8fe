// SPDX-License-Identifier: Apache-2.0
//
// Rows on their way to PostgreSQL as texts, NULL included, for parameters and for COPY alike. Texts of the caller are
// pointed to, not copied; numbers and times are written into buffers that a Values reuses from row to row.
#pragma once

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "fedgate/clock.h"

namespace fedgate::store {

/// A text somewhere else, or NULL.
struct Value {
  const std::string* text = nullptr;
};

class Values {
 public:
  void clear() {
    list_.clear();
    used_ = 0;
  }
  [[nodiscard]] const std::vector<Value>& list() const { return list_; }

  void add(const std::string& text) { list_.push_back({&text}); }
  void add(bool value) { made() = value ? "t" : "f"; }
  void add(std::uint32_t value) { write(value); }
  void add(std::int64_t value) { write(value); }
  void add(std::uint64_t value) { write(value); }
  void add(double value) { write(value); }  // the shortest text that reads back the same
  void add(WallTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    fmt::format_to(std::back_inserter(made()), "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}+00",
                   static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                   static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                   clock.seconds().count(), clock.subseconds().count());
  }
  template <class T>
  void add(const std::optional<T>& value) {
    if (value)
      add(*value);
    else
      list_.push_back({});
  }
  /// Microseconds, as milliseconds.
  void add_millis(std::int64_t microseconds) { add(static_cast<double>(microseconds) / 1000.0); }

 private:
  std::string& made() {
    auto& text = made_.at(used_++);  // as many as a row has columns
    text.clear();
    list_.push_back({&text});
    return text;
  }
  template <class Number>
  void write(Number value) {
    std::array<char, 32> digits;
    made().assign(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
  }
  std::vector<Value> list_;
  std::array<std::string, 40> made_;
  std::size_t used_ = 0;
};

}  // namespace fedgate::store

template <>
struct pqxx::string_traits<fedgate::store::Value> {
  static constexpr const char* name() noexcept { return "text"; }
  static constexpr bool has_null() noexcept { return true; }
  static bool is_null(const fedgate::store::Value& value) { return value.text == nullptr; }
  static std::string to_string(const fedgate::store::Value& value) { return *value.text; }
};
