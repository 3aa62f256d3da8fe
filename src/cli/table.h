// SPDX-License-Identifier: Apache-2.0
//
// What verbs print. Text that came from a daemon, a peer or a file can hold anything; here it is made harmless
// for a terminal (no control characters, no right-to-left overrides, no invalid UTF-8) and laid out. Plain
// values, any thread.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace fedgate::cli {

/// `text` with everything that would move the cursor, reorder or hide text written as `\n`, `\x1b` or `\u{202e}`.
std::string printable(std::string_view text);
/// Terminal columns that printable text takes.
std::size_t columns(std::string_view text);

/// Columns separated by two spaces. Cells are made printable; empty ones show as `-`, long ones are cut.
class Table {
 public:
  static constexpr std::size_t widest_cell = 64;
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  void add(std::vector<std::string> row);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  void print(std::ostream& out) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

/// `name   value` lines, whole values; lines with an empty value are left out.
class Details {
 public:
  void add(std::string name, std::string_view value);
  void print(std::ostream& out) const;

 private:
  struct Line {
    std::string name, value;
  };
  std::vector<Line> lines_;
};

/// JSON for people and scripts: indented, with what could harm a terminal written as \u escapes.
void print_json(std::ostream& out, const nlohmann::json& value);

/// The member `key` as text whatever its type (a list: joined with `, `); empty where absent or null. For answers of a
/// daemon that may be older or newer than this program.
std::string text_of(const nlohmann::json& object, std::string_view key);
bool flag_of(const nlohmann::json& object, std::string_view key);
/// The member `key` where it is a list or object, else an empty list.
const nlohmann::json& part_of(const nlohmann::json& object, std::string_view key);

}  // namespace fedgate::cli
