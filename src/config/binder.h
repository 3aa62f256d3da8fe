// SPDX-License-Identifier: Apache-2.0
//
// The visitor that reads: fills one mapping's draft from the values of all files that give that mapping, by the
// declarations of keys.h. Mappings merge, lists whose items have ids concatenate, anything else given twice is
// reported with both places, and so is every key that was not declared. Lives while one mapping is bound.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"
#include "config/draft.h"
#include "config/findings.h"
#include "config/keys.h"
#include "config/scalars.h"

namespace fedgate::config {

/// The text that makes an item of a list unique (empty: it could not be bound), and its place.
template <class T>
using Identify = std::pair<std::string, Place> (*)(const T&);

class Binder {
 public:
  /// `path`: dotted, with a dot at its end unless empty. `whole`: where to say that something is missing.
  Binder(Report& report, std::vector<const Value*> mappings, std::string path, Place whole)
      : report_(report), mappings_(std::move(mappings)), path_(std::move(path)), whole_(whole) {}

  void text(std::string_view key, draft::Text& into, const About& about);
  void prose(std::string_view key, draft::Text& into, const About& about);
  void path(std::string_view key, draft::Text& into, const About& about) { text(key, into, about); }
  void secret(std::string_view key, draft::Text& into, const About& about) { text(key, into, about); }
  void address(std::string_view key, draft::Text& into, const About& about) { text(key, into, about); }
  void url(std::string_view key, draft::Text& into, const About& about);
  void number(std::string_view key, draft::Number& into, Range range, const About& about);
  void size(std::string_view key, draft::Number& into, Range range, const About& about);
  void rate(std::string_view key, draft::Number& into, const About& about);
  void flag(std::string_view key, draft::Flag& into, const About& about);
  void duration(std::string_view key, draft::Duration& into, DurationRange range, const About& about);
  void time(std::string_view key, draft::Time& into, const About& about);
  void texts(std::string_view key, draft::List<std::string>& into, std::string_view type, const About& about);
  void dictionary(std::string_view key, draft::Dictionary& into, const About& about);

  template <class Name>
  void name(std::string_view key, draft::Placed<Name>& into, std::string_view, const About& about) {
    const Value* value = scalar(key, into, about);
    if (value == nullptr || !line_of_text(key, *value)) return;
    set(key, into, *value, Name::parse(value->text));
  }
  template <class Name>
  void names(std::string_view key, draft::List<Name>& into, std::string_view, const About& about) {
    const Value* value = sequence(key, into, about);
    if (value == nullptr) return;
    for (const auto& item : value->items) {
      if (!line_of_text(key, item)) continue;
      draft::Placed<Name> one;
      set(key, one, item, Name::parse(item.text));
      if (one.bound()) into.value.push_back(std::move(one));
    }
  }
  template <class E, std::size_t N>
  void choice(std::string_view key, draft::Placed<E>& into, const std::array<Choice<E>, N>& choices,
              const About& about) {
    const Value* value = scalar(key, into, about);
    if (value == nullptr) return;
    std::vector<std::string> names;
    for (const auto& [name, meaning] : choices) {
      names.emplace_back(name);
      if (value->text != name) continue;
      into.value = meaning;
      into.state = draft::Placed<E>::State::bound;
      return;
    }
    not_a_choice(key, *value, names);
  }
  template <class T>
  void group(std::string_view key, draft::Group<T>& into, const About& about) {
    bool off = false;
    const auto found = group_values(key, requires { T::may_be_off; }, off);
    if constexpr (requires { T::may_be_off; }) into.value.off = off;
    into.given = !found.empty();
    into.place = into.given ? found.front()->place : whole_;
    if (!into.given && !about.required) return;
    std::vector<const Value*> mappings;
    for (const auto* value : found) {
      if (value->kind == Value::Kind::mapping) mappings.push_back(value);
      if (value->kind == Value::Kind::refused || value->kind == Value::Kind::scalar ||
          value->kind == Value::Kind::sequence)
        return;
    }
    Binder inner(report_, std::move(mappings), path_ + std::string(key) + ".", into.place);
    declare(inner, into.value);
    inner.finish();
  }
  template <class T>
  void list(std::string_view key, draft::Groups<T>& into, std::type_identity_t<Identify<T>> identify, const About&) {
    for (const auto* item : list_items(key, identify != nullptr)) {
      draft::Group<T> one;
      one.place = item->place;
      one.given = true;
      Binder inner(report_, {item}, path_ + std::string(key) + "[].", item->place);
      declare(inner, one.value);
      inner.finish();
      into.push_back(std::move(one));
    }
    if (identify == nullptr) return;
    std::vector<std::pair<std::string, Place>> ids;
    for (const auto& item : into) ids.push_back(identify(item.value));
    report_duplicates(key, ids);
  }
  /// Reports the keys that were not asked for.
  void finish();

 private:
  std::vector<const Member*> all(std::string_view key);
  const Value* one(std::string_view key);
  std::vector<const Value*> group_values(std::string_view key, bool may_be_off, bool& off);
  std::vector<const Value*> list_items(std::string_view key, bool concatenates);
  void report_duplicates(std::string_view key, const std::vector<std::pair<std::string, Place>>& ids);
  void refuse_twice(std::string_view key, const Member& first, const Member& again);
  void missing(std::string_view key, const About& about);
  bool line_of_text(std::string_view key, const Value& value);
  void not_a_choice(std::string_view key, const Value& value, std::span<const std::string> names);
  void range_error(std::string_view key, const Value& value, const std::string& least, const std::string& most);
  const Value* scalar_value(std::string_view key, const Value* value);
  const Value* sequence_value(std::string_view key, const Value* value);
  [[nodiscard]] std::string called(std::string_view key) const { return "`" + path_ + std::string(key) + "`"; }

  /// The key's value where it is a scalar; else nothing, and the reason is reported.
  template <class T>
  const Value* scalar(std::string_view key, draft::Placed<T>& into, const About& about) {
    const Value* value = one(key);
    if (value == nullptr) {
      missing(key, about);
      return nullptr;
    }
    into.place = value->place;
    into.state = draft::Placed<T>::State::broken;
    return scalar_value(key, value);
  }
  template <class T>
  const Value* sequence(std::string_view key, draft::List<T>& into, const About& about) {
    const Value* value = one(key);
    if (value == nullptr) {
      missing(key, about);
      return nullptr;
    }
    into.place = value->place;
    into.state = draft::List<T>::State::broken;
    value = sequence_value(key, value);
    if (value != nullptr) into.state = draft::List<T>::State::bound;
    return value;
  }
  template <class T>
  void set(std::string_view key, draft::Placed<T>& into, const Value& value, Result<T> parsed) {
    into.place = value.place;
    if (!parsed) {
      into.state = draft::Placed<T>::State::broken;
      report_.error(value.place, called(key) + ": " + parsed.error().detail);
      return;
    }
    into.value = std::move(*parsed);
    into.state = draft::Placed<T>::State::bound;
  }

  Report& report_;
  std::vector<const Value*> mappings_;
  std::string path_;
  Place whole_;
  std::vector<std::string> known_;
};

}  // namespace fedgate::config
