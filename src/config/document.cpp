// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "config/scalars.h"

namespace fedgate::config {
namespace {

struct TooDeep {
  YAML::Mark mark;
};

/// yaml-cpp counts lines and columns from 0, columns in bytes.
class Places {
 public:
  Places(std::string_view text, std::size_t file) : text_(text), file_(file) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }
  [[nodiscard]] Place of(const YAML::Mark& mark) const {
    if (mark.line < 0 || mark.column < 0) return {file_, 0, 0};
    const auto line = std::min(static_cast<std::size_t>(mark.line), starts_.size() - 1);
    const auto rest = text_.substr(starts_[line], static_cast<std::size_t>(mark.column));
    return {file_, static_cast<int>(line) + 1, static_cast<int>(count_characters(rest)) + 1};
  }
  /// yaml-cpp takes the end of the text for a closing quote where a line has just ended.
  [[nodiscard]] bool unclosed_quote(const YAML::Mark& mark) const {
    if (mark.line < 0 || static_cast<std::size_t>(mark.line) >= starts_.size()) return false;
    std::size_t at = starts_[static_cast<std::size_t>(mark.line)] + static_cast<std::size_t>(mark.column);
    const char quote = at < text_.size() ? text_[at] : '\0';
    if (quote != '"' && quote != '\'') return false;
    for (++at; at < text_.size(); ++at) {
      const bool doubled = quote == '\'' && text_.substr(at).starts_with("''");
      if (doubled || (quote == '"' && text_[at] == '\\')) {
        ++at;
      } else if (text_[at] == quote) {
        return false;
      }
    }
    return true;
  }
  [[nodiscard]] Place of_byte(std::size_t byte) const {
    const auto line = static_cast<std::size_t>(std::ranges::upper_bound(starts_, byte) - starts_.begin()) - 1;
    const auto before = text_.substr(starts_[line], byte - starts_[line]);
    return {file_, static_cast<int>(line) + 1, static_cast<int>(count_characters(before)) + 1};
  }

 private:
  std::string_view text_;
  std::size_t file_;
  std::vector<std::size_t> starts_;
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const Places& places, Report& report) : places_(places), report_(report) {}

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = mark; }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    report_.error(places_.of(mark), "the anchor `&" + name +
                                        "` is refused: what stands in a file must be what a reader sees there; "
                                        "write the value out at each place");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { put(make(Value::Kind::null, mark)); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    report_.error(places_.of(mark),
                  "the alias is refused: what stands in a file must be what a reader sees there; write the value out");
    put(make(Value::Kind::refused, mark));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& text) override {
    auto value = make(Value::Kind::scalar, mark);
    value.plain = tag == "?" || tag.empty();
    value.text = text;
    refuse_tag(value, tag);
    if (!value.plain && places_.unclosed_quote(mark)) {
      report_.error(value.place, "not YAML: the quote that begins here is never closed");
      value.kind = Value::Kind::refused;
    }
    put(std::move(value));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(Value::Kind::sequence, mark, tag);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
    open(Value::Kind::mapping, mark, tag);
  }
  void OnMapEnd() override { close(); }

  [[nodiscard]] const YAML::Mark& start() const { return start_; }
  std::optional<Value> take() { return std::move(root_); }

 private:
  struct Open {
    Value value;
    std::optional<Value> key;  // of a mapping whose value is still to come
  };
  [[nodiscard]] Value make(Value::Kind kind, const YAML::Mark& mark) const {
    Value value;
    value.kind = kind;
    value.place = places_.of(mark);
    return value;
  }
  void refuse_tag(Value& value, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    report_.error(value.place, "the tag `" + shorten(tag) + "` is refused: each key has one type; remove the tag");
    value.kind = Value::Kind::refused;
  }
  void open(Value::Kind kind, const YAML::Mark& mark, const std::string& tag) {
    if (open_.size() >= deepest_document) throw TooDeep{mark};
    auto value = make(kind, mark);
    refuse_tag(value, tag);
    open_.push_back({std::move(value), std::nullopt});
  }
  void close() {
    auto value = std::move(open_.back().value);
    open_.pop_back();
    put(std::move(value));
  }
  void put(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    auto& [parent, key] = open_.back();
    // A refused container still receives its events; whether it was a mapping no longer matters.
    if (parent.kind == Value::Kind::sequence) {
      parent.items.push_back(std::move(value));
    } else if (parent.kind != Value::Kind::mapping) {
      return;
    } else if (!key) {
      key = std::move(value);
    } else {
      put_member(parent, std::move(*key), std::move(value));
      key.reset();
    }
  }
  void put_member(Value& mapping, Value key, Value value) {
    if (key.kind == Value::Kind::refused) return;
    if (key.kind != Value::Kind::scalar) {
      report_.error(key.place, "a key must be a plain word");
      return;
    }
    if (key.plain && key.text == "<<") {
      report_.error(key.place, "the merge key `<<` is refused: YAML readers disagree about it; write the keys out");
      return;
    }
    if (value.kind == Value::Kind::null) value.place = key.place;  // yaml-cpp says where the next thing begins
    mapping.members.push_back({std::move(key), std::move(value)});
  }

  const Places& places_;
  Report& report_;
  YAML::Mark start_;
  std::vector<Open> open_;
  std::optional<Value> root_;
};

/// Configuration is text: what a terminal would not show does not belong there.
bool check_bytes(std::string_view text, const Places& places, Report& report) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    report.error(places.of_byte(0), "the file begins with a byte order mark; save it as UTF-8 without one");
    return false;
  }
  if (const auto bad = first_invalid_utf8(text); bad != text.size()) {
    report.error(places.of_byte(bad), "not UTF-8 from here on; save the file as UTF-8");
    return false;
  }
  const auto control = std::ranges::find_if(text, [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7F;
  });
  if (control != text.end()) {
    report.error(places.of_byte(static_cast<std::size_t>(control - text.begin())),
                 "a control character stands here; remove it");
    return false;
  }
  return true;
}

std::optional<Value> parse(std::string_view text, std::size_t file, const Places& places, Report& report) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  TreeBuilder tree(places, report);
  if (!parser.HandleNextDocument(tree)) {
    Value empty;
    empty.kind = Value::Kind::mapping;
    empty.place = {file, 0, 0};
    return empty;
  }
  TreeBuilder second(places, report);
  if (parser.HandleNextDocument(second)) {
    report.error(places.of(second.start()),
                 "a second document begins here; a file holds one: move it to a file of its own in conf.d");
  }
  auto root = tree.take();
  if (!root || root->kind == Value::Kind::null) {
    root.emplace();
    root->kind = Value::Kind::mapping;
    root->place = {file, 0, 0};
  }
  if (root->kind == Value::Kind::refused) return std::nullopt;
  if (root->kind != Value::Kind::mapping) {
    report.error(root->place, "the file must hold `key: value` lines");
    return std::nullopt;
  }
  root->place = {file, 0, 0};  // what is missing at the top is missing from the file as a whole
  return root;
}

}  // namespace

std::optional<Value> read_document(std::string_view text, std::size_t file, Report& report) {
  if (text.size() > largest_document) {
    report.error({file, 0, 0}, "the file has more than 1 MiB; split it into files in conf.d");
    return std::nullopt;
  }
  const Places places(text, file);
  if (!check_bytes(text, places, report)) return std::nullopt;
  try {
    return parse(text, file, places, report);
  } catch (const TooDeep& deep) {
    report.error(places.of(deep.mark), "nested more than " + std::to_string(deepest_document) + " deep");
  } catch (const YAML::Exception& problem) {
    report.error(places.of(problem.mark), "not YAML: " + problem.msg);
  }
  return std::nullopt;
}

}  // namespace fedgate::config
