// SPDX-License-Identifier: Apache-2.0
#include "audit/signer_state.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace fedgate::audit {

namespace {

using Json = nlohmann::json;

std::unexpected<Error> unreadable(std::string_view why) {
  return fail(Code::io_error, "it does not hold a signer's state: " + std::string(why));
}

Result<std::string> text_in(const Json& from, const char* key) {
  const auto found = from.find(key);
  if (found == from.end() || !found->is_string()) return unreadable(std::string("`") + key + "` must be a text");
  return found->get<std::string>();
}

Result<wire::VerifierKey> key_in(const Json& from, const char* key) {
  const auto text = text_in(from, key);
  if (!text) return fail(text.error());
  auto read = wire::parse_vkey(*text);
  if (!read) return unreadable(read.error().detail);
  return read;
}

Result<void> read_past(const Json& from, std::vector<SignerState::Past>& into) {
  const auto list = from.find("past");
  if (list == from.end() || !list->is_array()) return unreadable("`past` must be a list");
  for (const auto& one : *list) {
    if (!one.is_object()) return unreadable("`past` holds objects");
    auto key = key_in(one, "key");
    const auto note = text_in(one, "checkpoint");
    if (!key) return fail(key.error());
    if (!note) return fail(note.error());
    into.push_back({std::move(*key), *note});
  }
  return {};
}

}  // namespace

std::string text_of(const SignerState& state) {
  auto past = Json::array();
  for (const auto& one : state.past) past.push_back({{"key", one.key.text()}, {"checkpoint", one.note}});
  const Json json = {{"v", 1},
                     {"log", state.log},
                     {"key", state.key.text()},
                     {"checkpoint", state.last ? state.last->note : ""},
                     {"signed_at", state.at.time_since_epoch().count()},
                     {"next_key", state.next_key ? state.next_key->text() : ""},
                     {"past", std::move(past)},
                     {"evidence", state.evidence},
                     {"reported", state.reported}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<SignerState> signer_state_from(std::string_view text) {
  const auto json = json::parse(text, {.bytes = 4 * 1024 * 1024, .depth = 8});
  if (!json) return unreadable(json.error().detail);
  if (!json->is_object() || json->value("v", Json()) != 1) return unreadable("version 1 is wanted");
  SignerState state;
  auto log = text_in(*json, "log");
  auto key = key_in(*json, "key");
  const auto note = text_in(*json, "checkpoint");
  const auto next = text_in(*json, "next_key");
  auto evidence = text_in(*json, "evidence");
  auto reported = text_in(*json, "reported");
  for (const Result<std::string>* text_member :
       std::initializer_list<const Result<std::string>*>{&log, &note, &next, &evidence, &reported})
    if (!*text_member) return fail(text_member->error());
  if (!key) return fail(key.error());
  if (!json->value("signed_at", Json()).is_number_integer()) return unreadable("`signed_at` must be a number");
  state.log = std::move(*log);
  state.key = std::move(*key);
  state.at = WallTime(std::chrono::microseconds((*json)["signed_at"].get<std::int64_t>()));
  state.evidence = std::move(*evidence);
  state.reported = std::move(*reported);
  if (!note->empty()) {
    auto last = wire::parse_checkpoint(*note);
    if (!last) return unreadable(last.error().detail);
    if (last->origin != state.log || state.key.name != state.log) return unreadable("it speaks of two logs");
    state.last = std::move(*last);
  }
  if (!next->empty()) {
    auto read = wire::parse_vkey(*next);
    if (!read) return unreadable(read.error().detail);
    state.next_key = std::move(*read);
  }
  if (auto read = read_past(*json, state.past); !read) return fail(read.error());
  return state;
}

std::optional<LogGeneration> generation_of(std::string_view log) {
  const auto slash = log.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto digits = log.substr(slash + 1);
  LogGeneration found{log.substr(0, slash), 0};
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), found.number);
  if (problem != std::errc() || end != digits.data() + digits.size() || found.number == 0) return std::nullopt;
  return found;
}

}  // namespace fedgate::audit
