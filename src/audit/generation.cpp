// SPDX-License-Identifier: Apache-2.0
#include "audit/generation.h"

#include <nlohmann/json.hpp>

#include "audit/durable_file.h"
#include "base/json.h"
#include "wire/signed_note.h"

namespace fedgate::audit {

namespace {

using Json = nlohmann::json;

std::string file_in(const std::string& directory) { return directory + "/generation"; }

std::optional<std::string> text_in(const Json& from, const char* key) {
  const auto found = from.find(key);
  if (found == from.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::optional<std::uint64_t> number_in(const Json& from, const char* key) {
  const auto found = from.find(key);
  if (found == from.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

std::optional<Generation> generation_in(const Json& json) {
  if (!json.is_object() || json.value("v", Json()) != 1) return std::nullopt;
  const auto number = number_in(json, "generation");
  const auto unshipped = number_in(json, "unshipped");
  const auto who = text_in(json, "who");
  const auto reason = text_in(json, "reason");
  const auto last = text_in(json, "last");
  if (!number || *number == 0 || !unshipped || !who || !reason || !last) return std::nullopt;
  Generation generation{*number, *who, *reason, *last, *unshipped, {}};
  const auto wanted = json.find("wanted");
  if (wanted == json.end() || wanted->is_null()) return generation;
  if (!wanted->is_object()) return std::nullopt;
  const auto by = text_in(*wanted, "who");
  const auto why = text_in(*wanted, "reason");
  if (!by || !why) return std::nullopt;
  generation.wanted = Generation::Wanted{*by, *why};
  return generation;
}

}  // namespace

Result<Generation> read_generation(const std::string& journal_directory) {
  const auto text = read_small_file(file_in(journal_directory));
  if (!text) return fail(text.error());
  if (!*text) return Generation{};
  const auto json = json::parse(**text, {.bytes = small_file_bytes, .depth = 4});
  auto generation = json ? generation_in(*json) : std::nullopt;
  if (!generation)
    return fail(Code::io_error, file_in(journal_directory) +
                                    " is damaged, which says what generation of the audit log this is: restore it from "
                                    "a backup");
  return std::move(*generation);
}

Result<void> write_generation(const std::string& journal_directory, const Generation& generation) {
  Json json = {{"v", 1},
               {"generation", generation.number},
               {"who", generation.who},
               {"reason", generation.reason},
               {"last", generation.last},
               {"unshipped", generation.unshipped},
               {"wanted", nullptr}};
  if (generation.wanted) json["wanted"] = {{"who", generation.wanted->who}, {"reason", generation.wanted->reason}};
  return replace_file(file_in(journal_directory), json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string directory_of_generation(const std::string& journal_directory, std::uint64_t number) {
  return number <= 1 ? journal_directory : journal_directory + "/generation-" + std::to_string(number);
}

Result<AuditEvent> first_leaf(const Generation& generation, WallTime now) {
  AuditEvent event;
  event.type = EventType::configuration_changed;
  event.time = now;
  event.principal = generation.who;
  event.action = "audit_new_log";
  event.reason = generation.reason;
  if (generation.last.empty()) return event;
  const auto last = wire::parse_checkpoint(generation.last);
  if (!last) return fail(Code::io_error, "the last checkpoint before this generation: " + last.error().detail);
  event.counterparty = LeafReference{last->origin, last->head.size, last->head.root};
  return event;
}

}  // namespace fedgate::audit
