// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace fedgate::json {

namespace {

namespace dom = simdjson::dom;

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr unsigned depth_max = 1024;  // our own walk recurses
constexpr std::size_t few = 8;        // keys that are compared pair by pair

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Bytes at which the scan for a value's end has to look: strings and brackets.
constexpr auto marks = [] {
  std::array<bool, 256> table{};
  for (const char c : {'"', '{', '}', '[', ']'}) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

// Finds the extents of members in a text that is known to be valid JSON.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  void enter() {  // past the '{'
    skip_space();
    ++at_;
  }
  std::string_view next_value() {
    skip_space();
    if (text_[at_] == ',') {
      ++at_;
      skip_space();
    }
    skip_string();
    skip_space();
    ++at_;  // ':'
    skip_space();
    const std::size_t begin = at_;
    skip_value();
    return text_.substr(begin, at_ - begin);
  }

 private:
  void skip_space() {
    while (is_space(text_[at_])) ++at_;
  }
  void skip_string() {
    for (++at_; text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    ++at_;
  }
  void skip_value() {
    const char first = text_[at_];
    if (first == '"') return skip_string();
    if (first != '{' && first != '[') {
      while (text_[at_] != ',' && text_[at_] != '}' && !is_space(text_[at_])) ++at_;
      return;
    }
    std::size_t open = 0;
    do {
      while (!marks[static_cast<unsigned char>(text_[at_])]) ++at_;
      if (text_[at_] == '"') {
        skip_string();
        continue;
      }
      open += text_[at_] == '{' || text_[at_] == '[' ? 1U : 0U;
      open -= text_[at_] == '}' || text_[at_] == ']' ? 1U : 0U;
      ++at_;
    } while (open > 0);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Where a text stops being JSON, for the message. nlohmann's machine is used as it accepts no more than
// simdjson does up to there, and needs no stack.
class FirstFault final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::size_t at = 0;
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    at = position;
    return false;
  }
};

std::string refusal(std::string_view text, simdjson::error_code error, unsigned depth) {
  if (error == simdjson::DEPTH_ERROR) return "JSON is nested deeper than " + std::to_string(depth) + " levels";
  if (error == simdjson::EMPTY) return "JSON is wanted, the text is empty";
  if (error == simdjson::UTF8_ERROR) return "JSON text is not valid UTF-8";
  std::string detail = std::string("text is not strict JSON: ") + simdjson::error_message(error);
  constexpr std::size_t worth_a_search = 64 * 1024;
  if (text.size() <= worth_a_search) {
    FirstFault fault;
    if (!nlohmann::json::sax_parse(text.begin(), text.end(), &fault) && fault.at > 0) {
      detail.append(" (at byte ").append(std::to_string(fault.at - 1)).append(")");
    }
  }
  return detail;
}

Kind kind_of(dom::element element) {
  switch (element.type()) {
    case dom::element_type::ARRAY:
      return Kind::array;
    case dom::element_type::OBJECT:
      return Kind::object;
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
    case dom::element_type::DOUBLE:
      return Kind::number;
    case dom::element_type::STRING:
      return Kind::string;
    case dom::element_type::BOOL:
      return Kind::boolean;
    case dom::element_type::NULL_VALUE:
      return Kind::null;
  }
  return Kind::null;
}

// RFC 8785 section 3.2.3 sorts by UTF-16 code units. UTF-8 gives the same order but for what UTF-16 writes
// as surrogates (lead bytes F0 to F4): those stand before U+E000 to U+FFFF (lead bytes EE and EF).
bool utf16_less(std::string_view a, std::string_view b) {
  const auto rank = [](char c) -> unsigned {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0xF0) return byte - 2U;
    return byte >= 0xEE ? byte + 5U : byte;
  };
  const auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (right == b.end()) return false;
  return left == a.end() || rank(*left) < rank(*right);
}

void append_canonical(std::string& out, dom::element element);

void append_canonical_object(std::string& out, dom::object object) {
  std::vector<std::pair<std::string_view, dom::element>> members;
  for (const auto& field : object) members.emplace_back(field.key, field.value);
  std::ranges::sort(members, [](const auto& a, const auto& b) { return utf16_less(a.first, b.first); });
  char separator = '{';
  for (const auto& [key, value] : members) {
    out += separator;
    separator = ',';
    append_string(out, key);
    out += ':';
    append_canonical(out, value);
  }
  out += members.empty() ? "{}" : "}";
}

void append_canonical(std::string& out, dom::element element) {
  switch (element.type()) {
    case dom::element_type::OBJECT:
      return append_canonical_object(out, element.get_object().value_unsafe());
    case dom::element_type::ARRAY: {
      out += '[';
      bool first = true;
      for (const dom::element item : element.get_array().value_unsafe()) {
        if (!std::exchange(first, false)) out += ',';
        append_canonical(out, item);
      }
      out += ']';
      return;
    }
    // Every number is an IEEE double here (RFC 8785 section 3.2.2.3), large integers too.
    case dom::element_type::INT64:
      return append_number(out, static_cast<double>(element.get_int64().value_unsafe()));
    case dom::element_type::UINT64:
      return append_number(out, static_cast<double>(element.get_uint64().value_unsafe()));
    case dom::element_type::DOUBLE:
      return append_number(out, element.get_double().value_unsafe());
    case dom::element_type::STRING:
      return append_string(out, element.get_string().value_unsafe());
    case dom::element_type::BOOL:
      out += element.get_bool().value_unsafe() ? "true" : "false";
      return;
    case dom::element_type::NULL_VALUE:
      out += "null";
      return;
  }
}

}  // namespace

struct Parser::Impl {
  Limits limits;
  dom::parser parser;
  std::vector<char> padded;
  std::size_t capacity = 0;
  unsigned allocated_depth = 0;
  std::vector<Field> fields;
  std::vector<dom::element> values;    // of `fields`
  std::vector<std::string_view> keys;  // those of the objects that the walk is in, outermost first

  Result<void> reserve(std::size_t size);
  Result<dom::element> read(std::string_view text);
  Result<void> walk(dom::element element, unsigned depth);
  Result<void> refuse_duplicates(std::size_t first);
};

Result<void> Parser::Impl::reserve(std::size_t size) {
  if (size <= capacity && allocated_depth == limits.depth) return {};
  constexpr std::size_t smallest = 4096;
  const std::size_t wanted = std::max({smallest, capacity, std::bit_ceil(size)});
  // simdjson refuses when the depth reaches its maximum.
  if (parser.allocate(wanted, limits.depth + 1) != simdjson::SUCCESS) {
    capacity = 0;
    return fail(Code::internal, "no memory for a JSON text of " + std::to_string(size) + " bytes");
  }
  padded.resize(wanted + simdjson::SIMDJSON_PADDING);
  capacity = wanted;
  allocated_depth = limits.depth;
  return {};
}

Result<dom::element> Parser::Impl::read(std::string_view text) {
  fields.clear();
  if (text.size() > limits.bytes) {
    return fail(Code::payload_too_large, "a JSON text of " + std::to_string(text.size()) + " bytes; at most " +
                                             std::to_string(limits.bytes) + " are allowed");
  }
  if (text.starts_with(byte_order_mark))
    return fail(Code::invalid_json, "JSON begins with a byte order mark at byte 0");
  if (auto reserved = reserve(text.size()); !reserved) return fail(std::move(reserved.error()));
  if (!text.empty()) std::memcpy(padded.data(), text.data(), text.size());
  std::memset(padded.data() + text.size(), ' ', simdjson::SIMDJSON_PADDING);
  dom::element root;
  if (const auto error = parser.parse(padded.data(), text.size(), false).get(root); error != simdjson::SUCCESS) {
    return fail(Code::invalid_json, refusal(text, error, limits.depth));
  }
  keys.clear();
  if (auto walked = walk(root, 1); !walked) return fail(std::move(walked.error()));
  return root;
}

Result<void> Parser::Impl::walk(dom::element element, unsigned depth) {
  const auto is_container = [](dom::element value) { return value.is_object() || value.is_array(); };
  if (is_container(element) && depth > limits.depth) {  // simdjson does not count a container that is empty
    return fail(Code::invalid_json, refusal({}, simdjson::DEPTH_ERROR, limits.depth));
  }
  if (element.is_object()) {
    const std::size_t first = keys.size();
    for (const auto& field : element.get_object().value_unsafe()) {
      keys.push_back(field.key);
      if (!is_container(field.value)) continue;
      if (auto walked = walk(field.value, depth + 1); !walked) return walked;
    }
    if (auto checked = refuse_duplicates(first); !checked) return checked;
    keys.resize(first);
  } else if (element.is_array()) {
    for (const dom::element item : element.get_array().value_unsafe()) {
      if (!is_container(item)) continue;
      if (auto walked = walk(item, depth + 1); !walked) return walked;
    }
  }
  return {};
}

// Large objects are sorted, not hashed: the keys are a stranger's, and can be chosen to collide.
Result<void> Parser::Impl::refuse_duplicates(std::size_t first) {
  const auto refuse = [](std::string_view key) {
    std::string detail = "JSON object has the key ";
    append_string(detail, key.substr(0, 64));
    return fail(Code::invalid_json, detail + " twice");
  };
  const std::span<std::string_view> own(keys.begin() + static_cast<std::ptrdiff_t>(first), keys.end());
  if (own.size() <= few) {
    for (std::size_t i = 1; i < own.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (own[i] == own[j]) return refuse(own[i]);
      }
    }
    return {};
  }
  std::ranges::sort(
      own, [](std::string_view a, std::string_view b) { return a.size() != b.size() ? a.size() < b.size() : a < b; });
  const auto twin = std::ranges::adjacent_find(own);
  if (twin != own.end()) return refuse(*twin);
  return {};
}

Parser::Parser(Limits limits) : impl_(std::make_unique<Impl>()) { set_limits(limits); }
Parser::~Parser() = default;
Parser::Parser(Parser&&) noexcept = default;
Parser& Parser::operator=(Parser&&) noexcept = default;

void Parser::set_limits(Limits limits) {
  limits.depth = std::clamp(limits.depth, 1U, depth_max);
  impl_->limits = limits;
}

Result<std::span<const Field>> Parser::object(std::string_view text) {
  const auto root = impl_->read(text);
  if (!root) return fail(root.error());
  if (!root->is_object()) return fail(Code::invalid_json, "a JSON object is wanted, this is another kind of value");
  Scanner scanner(text);
  scanner.enter();
  impl_->values.clear();
  for (const auto& member : root->get_object().value_unsafe()) {
    impl_->values.push_back(member.value);
    Field& field = impl_->fields.emplace_back();
    field.key = member.key;
    field.kind = kind_of(member.value);
    field.raw = scanner.next_value();
    if (field.kind == Kind::string) field.text = member.value.get_string().value_unsafe();
  }
  return std::span<const Field>(impl_->fields);
}

std::optional<std::vector<std::string_view>> Parser::strings(const Field& member) const {
  if (member.kind != Kind::array) return std::nullopt;
  const auto place = static_cast<std::size_t>(&member - impl_->fields.data());
  std::vector<std::string_view> items;
  for (const dom::element item : impl_->values[place].get_array().value_unsafe()) {
    if (!item.is_string()) return std::nullopt;
    items.push_back(item.get_string().value_unsafe());
  }
  return items;
}

Result<void> Parser::validate(std::string_view text) {
  const auto root = impl_->read(text);
  if (!root) return fail(root.error());
  return {};
}

Result<std::string> Parser::canonical(std::string_view text) {
  const auto root = impl_->read(text);
  if (!root) return fail(root.error());
  std::string out;
  out.reserve(text.size());
  append_canonical(out, *root);
  return out;
}

Result<nlohmann::json> parse(std::string_view text, Limits limits) {
  Parser strict(limits);
  if (auto valid = strict.validate(text); !valid) return fail(std::move(valid.error()));
  auto value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded()) return fail(Code::invalid_json, "text is not strict JSON");
  return value;
}

}  // namespace fedgate::json
