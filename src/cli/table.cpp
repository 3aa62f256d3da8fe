// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace fedgate::cli {
namespace {

struct Decoded {
  char32_t point = 0;
  std::size_t size = 0;  ///< 0: not UTF-8
};

/// RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF.
Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xF0 && first <= 0xF4  ? 4
                           : first >= 0xE0 && first < 0xF0 ? 3
                           : first >= 0xC2 && first < 0xE0 ? 2
                                                           : 0;
  if (size == 0 || text.size() < size) return {};
  char32_t point = first & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    point = (point << 6) | (byte(i) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  if (point < least[size] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return {};
  return {point, size};
}

struct Range {
  char32_t first, last;
};

constexpr bool within(char32_t point, std::span<const Range> ranges) {
  return std::ranges::any_of(ranges, [&](const Range& range) { return point >= range.first && point <= range.last; });
}

// Controls, direction marks and overrides, zero-width and separator characters, tags, private use.
constexpr std::array<Range, 13> harmful{{{0x00, 0x1F},
                                         {0x7F, 0x9F},
                                         {0xAD, 0xAD},
                                         {0x61C, 0x61C},
                                         {0x180E, 0x180E},
                                         {0x200B, 0x200F},
                                         {0x2028, 0x202E},
                                         {0x2060, 0x206F},
                                         {0xE000, 0xF8FF},
                                         {0xFEFF, 0xFEFF},
                                         {0xFFF9, 0xFFFB},
                                         {0xE0000, 0xE0FFF},
                                         {0xF0000, 0x10FFFF}}};
constexpr std::array<Range, 4> combining{{{0x300, 0x36F}, {0x1AB0, 0x1AFF}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}}};
constexpr std::array<Range, 7> wide{{{0x1100, 0x115F},
                                     {0x2E80, 0xA4CF},
                                     {0xAC00, 0xD7A3},
                                     {0xF900, 0xFAFF},
                                     {0xFE30, 0xFE6F},
                                     {0xFF00, 0xFF60},
                                     {0x1F000, 0x3FFFD}}};

void append_hex(std::string& out, char32_t value, int least_digits) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (; value != 0 || least_digits > 0; value >>= 4, --least_digits) text.insert(text.begin(), digits[value & 0xF]);
  out += text;
}

std::string cell(std::string_view text) {
  if (text.empty()) return "-";
  std::string result = printable(text);
  if (columns(result) <= Table::widest_cell) return result;
  std::size_t width = 0;
  std::size_t end = 0;
  while (width < Table::widest_cell - 2) {  // a wide character may take the last two
    const auto next = decode(std::string_view(result).substr(end));
    width += columns(std::string_view(result).substr(end, next.size));
    end += next.size;
  }
  return result.substr(0, end) + "…";
}

std::string scalar(const nlohmann::json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  return value.dump(-1, ' ', true);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto next = decode(text);
    if (next.size == 0) {
      out += "\\x";
      append_hex(out, static_cast<std::uint8_t>(text[0]), 2);
      text.remove_prefix(1);
      continue;
    }
    if (next.point == '\\') {
      out += "\\\\";
    } else if (next.point == '\n') {
      out += "\\n";
    } else if (!within(next.point, harmful)) {
      out += text.substr(0, next.size);
    } else if (next.point < 0x80) {
      out += "\\x";
      append_hex(out, next.point, 2);
    } else {
      out += "\\u{";
      append_hex(out, next.point, 4);
      out += '}';
    }
    text.remove_prefix(next.size);
  }
  return out;
}

std::size_t columns(std::string_view text) {
  std::size_t count = 0;
  while (!text.empty()) {
    const auto next = decode(text);
    if (within(next.point, wide)) {
      count += 2;
    } else if (!within(next.point, combining)) {
      count += 1;
    }
    text.remove_prefix(std::max<std::size_t>(next.size, 1));
  }
  return count;
}

void Table::add(std::vector<std::string> row) {
  row.resize(header_.size());
  for (auto& text : row) text = cell(text);
  rows_.push_back(std::move(row));
}

void Table::print(std::ostream& out) const {
  std::vector<std::size_t> widths;
  for (const auto& name : header_) widths.push_back(columns(name));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  const auto line = [&](const std::vector<std::string>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out << row[i];
      if (i + 1 < row.size()) out << std::string(widths[i] - columns(row[i]) + 2, ' ');
    }
    out << '\n';
  };
  line(header_);
  for (const auto& row : rows_) line(row);
}

void Details::add(std::string name, std::string_view value) {
  if (!value.empty()) lines_.push_back({std::move(name), printable(value)});
}

void Details::print(std::ostream& out) const {
  std::size_t width = 0;
  for (const auto& line : lines_) width = std::max(width, columns(line.name));
  for (const auto& line : lines_)
    out << line.name << std::string(width - columns(line.name) + 2, ' ') << line.value << '\n';
}

void print_json(std::ostream& out, const nlohmann::json& value) {
  const std::string dumped = value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  const auto escape = [&](char32_t unit) {
    std::string text = "\\u";
    append_hex(text, unit, 4);
    out << text;
  };
  for (std::string_view text = dumped; !text.empty();) {
    const auto next = decode(text);
    if (next.point < 0x7F ||
        !within(next.point, harmful)) {  // the controls below are escaped already, but for line ends
      out << text.substr(0, next.size);
    } else if (next.point <= 0xFFFF) {
      escape(next.point);
    } else {
      escape(0xD800 + ((next.point - 0x10000) >> 10));
      escape(0xDC00 + ((next.point - 0x10000) & 0x3FF));
    }
    text.remove_prefix(next.size);
  }
  out << '\n';
}

std::string text_of(const nlohmann::json& object, std::string_view key) {
  if (!object.is_object()) return {};
  const auto place = object.find(key);
  if (place == object.end()) return {};
  if (!place->is_array()) return scalar(*place);
  std::string joined;
  for (const auto& item : *place) {
    if (!joined.empty()) joined += ", ";
    joined += scalar(item);
  }
  return joined;
}

bool flag_of(const nlohmann::json& object, std::string_view key) {
  if (!object.is_object()) return false;
  const auto place = object.find(key);
  return place != object.end() && place->is_boolean() && place->get<bool>();
}

const nlohmann::json& part_of(const nlohmann::json& object, std::string_view key) {
  static const nlohmann::json none = nlohmann::json::array();
  if (!object.is_object()) return none;
  const auto place = object.find(key);
  return place != object.end() && place->is_structured() ? *place : none;
}

}  // namespace fedgate::cli
