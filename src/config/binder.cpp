// SPDX-License-Identifier: Apache-2.0
#include "config/binder.h"

#include <algorithm>
#include <map>

#include "net/address.h"

namespace fedgate::config {
namespace {

std::string_view kind_text(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::null:
      return "nothing";
    case Value::Kind::scalar:
      return "a single value";
    case Value::Kind::sequence:
      return "a list";
    case Value::Kind::mapping:
      return "a mapping";
    case Value::Kind::refused:
      break;
  }
  return "something else";
}

bool has_control(std::string_view text, std::string_view allowed) {
  return std::ranges::any_of(text, [&](char c) {
    return (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) && allowed.find(c) == std::string_view::npos;
  });
}

}  // namespace

std::vector<const Member*> Binder::all(std::string_view key) {
  known_.emplace_back(key);
  std::vector<const Member*> found;
  for (const auto* mapping : mappings_) {
    for (const auto& member : mapping->members) {
      if (member.key.text == key) found.push_back(&member);
    }
  }
  return found;
}

void Binder::refuse_twice(std::string_view key, const Member& first, const Member& again) {
  report_.error(again.key.place,
                called(key) + " is given twice, first at " + report_.at(first.key.place) + "; remove one");
}

const Value* Binder::one(std::string_view key) {
  const auto found = all(key);
  for (std::size_t i = 1; i < found.size(); ++i) refuse_twice(key, *found[0], *found[i]);
  return found.empty() ? nullptr : &found.front()->value;
}

void Binder::missing(std::string_view key, const About& about) {
  if (about.required) report_.error(whole_, called(key) + " is missing: " + std::string(about.meaning));
}

const Value* Binder::scalar_value(std::string_view key, const Value* value) {
  if (value->kind == Value::Kind::scalar) return value;
  if (value->kind == Value::Kind::null) {
    report_.error(value->place, called(key) + " has no value; give one or remove the key");
  } else if (value->kind != Value::Kind::refused) {
    report_.error(value->place, called(key) + " must be a single value, not " + std::string(kind_text(value->kind)));
  }
  return nullptr;
}

const Value* Binder::sequence_value(std::string_view key, const Value* value) {
  if (value->kind == Value::Kind::sequence) return value;
  if (value->kind == Value::Kind::scalar || value->kind == Value::Kind::mapping) {
    report_.error(value->place, called(key) + " must be a list, `[…]`, not " + std::string(kind_text(value->kind)));
  }
  if (value->kind == Value::Kind::null) {
    report_.error(value->place, called(key) + " has no value; give a list, `[]` for none, or remove the key");
  }
  return nullptr;
}

bool Binder::line_of_text(std::string_view key, const Value& value) {
  if (scalar_value(key, &value) == nullptr) return false;
  if (!has_control(value.text, "")) return true;
  report_.error(value.place, called(key) + " must be one line without control characters");
  return false;
}

void Binder::text(std::string_view key, draft::Text& into, const About& about) {
  const Value* value = scalar(key, into, about);
  if (value == nullptr || !line_of_text(key, *value)) return;
  if (about.required && value->text.empty()) {
    report_.error(value->place, called(key) + " must not be empty: " + std::string(about.meaning));
    return;
  }
  set(key, into, *value, Result<std::string>(value->text));
}

void Binder::prose(std::string_view key, draft::Text& into, const About& about) {
  const Value* value = scalar(key, into, about);
  if (value == nullptr) return;
  if (has_control(value->text, "\n\t")) {
    report_.error(value->place, called(key) + " must not hold control characters");
    return;
  }
  set(key, into, *value, Result<std::string>(value->text));
}

void Binder::url(std::string_view key, draft::Text& into, const About& about) {
  text(key, into, about);
  if (!into.bound() || (into->empty() && !about.required)) return;
  if (auto parsed = net::parse_url(*into); !parsed) {
    into.state = draft::Text::State::broken;
    report_.error(into.place, called(key) + ": " + parsed.error().detail);
  }
}

void Binder::range_error(std::string_view key, const Value& value, const std::string& least, const std::string& most) {
  report_.error(value.place,
                called(key) + " is " + shorten(value.text) + ", but must be from " + least + " to " + most);
}

void Binder::number(std::string_view key, draft::Number& into, Range range, const About& about) {
  const Value* value = scalar(key, into, about);
  if (value == nullptr) return;
  const auto least = std::to_string(range.least);
  const auto most = std::to_string(range.most);
  if (!value->plain) {
    report_.error(value->place,
                  called(key) + " must be a whole number from " + least + " to " + most + ", without quotes");
    return;
  }
  auto parsed = parse_whole_number(value->text);
  if (parsed && (*parsed < range.least || *parsed > range.most)) return range_error(key, *value, least, most);
  set(key, into, *value, std::move(parsed));
}

void Binder::size(std::string_view key, draft::Number& into, Range range, const About& about) {
  const Value* value = scalar(key, into, about);
  if (value == nullptr) return;
  auto parsed = parse_size(value->text);
  if (parsed && (*parsed < range.least || *parsed > range.most)) {
    return range_error(key, *value, size_text(range.least), size_text(range.most));
  }
  set(key, into, *value, std::move(parsed));
}

void Binder::rate(std::string_view key, draft::Number& into, const About& about) {
  constexpr std::uint64_t most = 1'000'000'000;
  const Value* value = scalar(key, into, about);
  if (value == nullptr) return;
  auto parsed =
      value->text.find('/') == std::string::npos ? parse_whole_number(value->text) : parse_rate_per_hour(value->text);
  if (parsed && (*parsed < 1 || *parsed > most))
    return range_error(key, *value, "1", std::to_string(most) + " per hour");
  set(key, into, *value, std::move(parsed));
}

void Binder::flag(std::string_view key, draft::Flag& into, const About& about) {
  const Value* value = scalar(key, into, about);
  if (value == nullptr) return;
  if (!value->plain || (value->text != "true" && value->text != "false")) {
    report_.error(value->place, called(key) + " must be true or false, not `" + shorten(value->text) + "`");
    return;
  }
  set(key, into, *value, Result<bool>(value->text == "true"));
}

void Binder::duration(std::string_view key, draft::Duration& into, DurationRange range, const About& about) {
  const Value* value = scalar(key, into, about);
  if (value == nullptr) return;
  auto parsed = parse_duration(value->text);
  if (parsed && (*parsed < range.least || *parsed > range.most)) {
    return range_error(key, *value, duration_text(range.least), duration_text(range.most));
  }
  set(key, into, *value, std::move(parsed));
}

void Binder::time(std::string_view key, draft::Time& into, const About& about) {
  const Value* value = scalar(key, into, about);
  if (value != nullptr) set(key, into, *value, parse_time(value->text));
}

void Binder::texts(std::string_view key, draft::List<std::string>& into, std::string_view, const About& about) {
  const Value* value = sequence(key, into, about);
  if (value == nullptr) return;
  for (const auto& item : value->items) {
    if (!line_of_text(key, item)) continue;
    if (item.text.empty()) {
      report_.error(item.place, called(key) + " holds an empty text; remove it");
      continue;
    }
    draft::Text one;
    set(key, one, item, Result<std::string>(item.text));
    into.value.push_back(std::move(one));
  }
  if (about.required && value->items.empty()) {
    report_.error(value->place, called(key) + " must not be empty: " + std::string(about.meaning));
  }
}

void Binder::dictionary(std::string_view key, draft::Dictionary& into, const About&) {
  bool off = false;
  std::map<std::string, Place> seen;
  for (const auto* mapping : group_values(key, false, off)) {
    for (const auto& member : mapping->members) {
      const auto inner = std::string(key) + "." + shorten(member.key.text);
      if (const auto [first, fresh] = seen.emplace(member.key.text, member.key.place); !fresh) {
        report_.error(member.key.place,
                      called(inner) + " is given twice, first at " + report_.at(first->second) + "; remove one");
        continue;
      }
      if (!line_of_text(inner, member.value)) continue;
      std::pair<draft::Text, draft::Text> entry;
      set(inner, entry.first, member.key, Result<std::string>(member.key.text));
      set(inner, entry.second, member.value, Result<std::string>(member.value.text));
      into.push_back(std::move(entry));
    }
  }
}

std::vector<const Value*> Binder::group_values(std::string_view key, bool may_be_off, bool& off) {
  const auto found = all(key);
  std::map<std::size_t, const Member*> by_file;
  std::vector<const Value*> values;
  for (const auto* member : found) {
    const auto& value = member->value;
    values.push_back(&value);
    if (const auto [first, fresh] = by_file.emplace(value.place.file, member); !fresh)
      refuse_twice(key, *first->second, *member);
    if (value.kind == Value::Kind::scalar && may_be_off && value.text == "off") {
      off = true;
    } else if (value.kind == Value::Kind::scalar || value.kind == Value::Kind::sequence) {
      report_.error(value.place, called(key) + " must be a mapping, `{key: value}`" + (may_be_off ? ", or off" : "") +
                                     ", not " + std::string(kind_text(value.kind)));
    }
  }
  if (off && by_file.size() > 1) refuse_twice(key, *found.front(), *found.back());
  return values;
}

std::vector<const Value*> Binder::list_items(std::string_view key, bool concatenates) {
  std::map<std::size_t, const Member*> by_file;
  std::vector<const Value*> items;
  for (const auto* member : all(key)) {
    const auto& value = member->value;
    const auto [first, fresh] = by_file.emplace(concatenates ? value.place.file : 0, member);
    if (!fresh) {
      refuse_twice(key, *first->second, *member);
      continue;
    }
    if (value.kind == Value::Kind::scalar || value.kind == Value::Kind::mapping) {
      report_.error(value.place, called(key) + " must be a list, `[…]`, not " + std::string(kind_text(value.kind)));
    }
    if (value.kind != Value::Kind::sequence) continue;
    for (const auto& item : value.items) {
      if (item.kind == Value::Kind::mapping) {
        items.push_back(&item);
      } else if (item.kind != Value::Kind::refused) {
        report_.error(item.place, "an item of " + called(key) + " must be a mapping, `{key: value}`, not " +
                                      std::string(kind_text(item.kind)));
      }
    }
  }
  return items;
}

void Binder::report_duplicates(std::string_view key, const std::vector<std::pair<std::string, Place>>& ids) {
  std::map<std::string, Place> seen;
  for (const auto& [id, place] : ids) {
    if (id.empty()) continue;
    if (const auto [first, fresh] = seen.emplace(id, place); !fresh) {
      report_.error(place, called(key) + " holds `" + shorten(id) + "` twice, first at " + report_.at(first->second) +
                               "; remove or rename one");
    }
  }
}

void Binder::not_a_choice(std::string_view key, const Value& value, std::span<const std::string> names) {
  std::string options;
  for (const auto& name : names) options += (options.empty() ? "" : name == names.back() ? " or " : ", ") + name;
  report_.error(value.place, called(key) + " must be " + options + ", not `" + shorten(value.text) + "`");
}

void Binder::finish() {
  for (const auto* mapping : mappings_) {
    for (const auto& member : mapping->members) {
      if (std::ranges::find(known_, member.key.text) != known_.end()) continue;
      std::string message = "unknown key " + called(shorten(member.key.text)) + "; ";
      const auto near = nearest(member.key.text, known_);
      message += near.empty() ? "known here: " + listed(known_) : "did you mean `" + std::string(near) + "`?";
      report_.error(member.key.place, std::move(message));
    }
  }
}

}  // namespace fedgate::config
