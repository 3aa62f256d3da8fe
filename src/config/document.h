// SPDX-License-Identifier: Apache-2.0
//
// A YAML text as a tree of values that know their place. The only part that sees yaml-cpp; here end its
// laxness (merge keys, tags, several documents) and what could make a small text large (anchors, aliases, depth).
// Keys that stand twice are kept: the binder, which knows what a key means, says so.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/findings.h"

namespace fedgate::config {

struct Member;

struct Value {
  enum class Kind : std::uint8_t {
    null,
    scalar,
    sequence,
    mapping,
    refused,  ///< already reported; nothing more is to be said about it
  };
  Kind kind = Kind::null;
  bool plain = false;  ///< scalar without quotes
  std::string text;    ///< scalar
  Place place;
  std::vector<Value> items;
  std::vector<Member> members;  ///< in the order of the text
};

struct Member {
  Value key;
  Value value;
};

constexpr std::size_t largest_document = 1024 * 1024;
constexpr std::size_t deepest_document = 16;

/// The root mapping, an empty mapping for an empty text; nothing where the text cannot be read (reported).
std::optional<Value> read_document(std::string_view text, std::size_t file, Report& report);

}  // namespace fedgate::config
