// SPDX-License-Identifier: Apache-2.0
#include "verify/record.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/hash.h"
#include "base/time_text.h"

namespace fedgate::verify {
namespace {

constexpr json::Limits leaf_limits{.bytes = leaf_bytes_at_most, .depth = 4};
constexpr int version = 1;

bool read_number(std::string_view raw, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), out);
  return error == std::errc() && end == raw.data() + raw.size();
}

const json::Field* find(std::span<const json::Field> members, std::string_view key) {
  const auto found = std::ranges::find(members, key, &json::Field::key);
  return found == members.end() ? nullptr : &*found;
}

std::string_view text_of(std::span<const json::Field> members, std::string_view key) {
  const auto* field = find(members, key);
  return field != nullptr && field->kind == json::Kind::string ? field->text : std::string_view{};
}

std::optional<std::uint64_t> number_of(std::span<const json::Field> members, std::string_view key) {
  const auto* field = find(members, key);
  std::uint64_t value = 0;
  if (field == nullptr || field->kind != json::Kind::number || !read_number(field->raw, value)) return std::nullopt;
  return value;
}

std::optional<TreeHead> head_of(json::Parser& parser, const json::Field& field) {
  if (field.kind != json::Kind::object) return std::nullopt;
  const auto members = parser.object(field.raw);
  if (!members) return std::nullopt;
  const auto size = number_of(*members, "size");
  const auto root = sha256_from_hex(text_of(*members, "root"));
  if (!size || !root) return std::nullopt;
  return TreeHead{*size, *root};
}

/// Nothing: it is not well-formed.
std::optional<Counterparty> counterparty_of(json::Parser& parser, json::Parser& inner, const json::Field& field) {
  if (field.kind != json::Kind::object) return std::nullopt;
  const auto members = parser.object(field.raw);
  if (!members) return std::nullopt;
  Counterparty other{std::string(text_of(*members, "log")), {}, {}};
  if (find(*members, "hash") != nullptr || find(*members, "index") != nullptr) {
    const auto index = number_of(*members, "index");
    const auto hash = sha256_from_hex(text_of(*members, "hash"));
    if (!index || !hash) return std::nullopt;
    other.leaf = {*index, *hash};
  }
  if (const auto* head = find(*members, "checkpoint")) {
    other.head = head_of(inner, *head);
    if (!other.head) return std::nullopt;
  }
  if (other.log.empty() || (!other.leaf && !other.head)) return std::nullopt;
  return other;
}

std::unexpected<Error> bad(std::string why) { return fail(Code::bad_request, std::move(why)); }

}  // namespace

const json::Field* Record::member(std::string_view key) const { return find(members, key); }

RecordReader::RecordReader() : parser_(leaf_limits), inner_(leaf_limits), innermost_(leaf_limits) {}

Result<Record> RecordReader::read(std::string_view leaf) {
  if (leaf.size() > leaf_bytes_at_most)
    return bad("it is longer than " + std::to_string(leaf_bytes_at_most) + " bytes");
  const auto canonical = parser_.canonical(leaf);
  if (!canonical) return bad("it is not strict JSON: " + canonical.error().detail);
  if (*canonical != leaf) return bad("it is not in canonical form (RFC 8785), in which every leaf is written");
  const auto members = parser_.object(leaf);
  if (!members) return bad(members.error().detail);
  Record record;
  record.members = *members;
  const auto index = number_of(*members, "index");
  const auto time = leaf_time(text_of(*members, "time"));
  const auto v = number_of(*members, "v");
  record.log = text_of(*members, "log");
  record.phase = text_of(*members, "phase");
  if (!v || *v != version) return bad("its version is not " + std::to_string(version));
  if (!index || !time || record.log.empty()) return bad("it lacks a usable index, time or log");
  if (record.phase != "intent" && record.phase != "outcome" && record.phase != "event")
    return bad("its phase is neither intent nor outcome nor event");
  record.index = *index;
  record.time = *time;
  record.event = text_of(*members, "event");
  record.correlation_id = text_of(*members, "correlation_id");
  record.origin = text_of(*members, "origin");
  record.target = text_of(*members, "target");
  record.access = text_of(*members, "access");
  record.decision = text_of(*members, "decision");
  record.outcome = text_of(*members, "outcome");
  record.action = text_of(*members, "action");
  record.reason = text_of(*members, "reason");
  record.attempt = number_of(*members, "attempt").value_or(0);
  if (const auto* other = record.member("counterparty")) {
    record.counterparty = counterparty_of(inner_, innermost_, *other);
    record.counterparty_readable = record.counterparty.has_value();
  }
  return record;
}

std::optional<WallTime> leaf_time(std::string_view text) {
  constexpr std::size_t whole = std::string_view("2026-11-20T09:30:00").size();
  if (text.size() != whole + 8 || text[whole] != '.' || text.back() != 'Z') return std::nullopt;
  const auto seconds = parse_utc_text(std::string(text.substr(0, whole)) + "Z");
  const auto digits = text.substr(whole + 1, 6);
  std::uint64_t micros = 0;
  if (!seconds || !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }) ||
      !read_number(digits, micros))
    return std::nullopt;
  return *seconds + std::chrono::microseconds(micros);
}

}  // namespace fedgate::verify
