// SPDX-License-Identifier: Apache-2.0
#include "wire/audit_query_text.h"

#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "base/time_text.h"

namespace fedgate::wire {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t last_exact_integer = (1ULL << 53) - 1;
constexpr std::size_t longest_log = 320, longest_name = 320, longest_word = 64;

std::unexpected<Error> wrong(std::string_view member, std::string_view want) {
  return fail(Code::bad_request, "member \"" + std::string(member) + "\" must be " + std::string(want));
}

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Reads members of one object; remembers the first that is wrong.
class Members {
 public:
  explicit Members(const Json& object) : object_(object) {}

  std::string text(const char* name, std::size_t longest) {
    const auto found = object_.find(name);
    if (found == object_.end() || found->is_null()) return {};
    if (found->is_string() && found->get_ref<const std::string&>().size() <= longest) return found->get<std::string>();
    complain(name, "a text of at most " + std::to_string(longest) + " bytes");
    return {};
  }
  std::string word(const char* name, std::initializer_list<std::string_view> known) {
    auto value = text(name, longest_word);
    if (!value.empty() && std::ranges::find(known, value) == known.end()) complain(name, "one of the known words");
    return value;
  }
  std::uint64_t number(const char* name, std::uint64_t most) {
    const auto found = object_.find(name);
    if (found != object_.end() && found->is_number_unsigned() && found->get<std::uint64_t>() <= most)
      return found->get<std::uint64_t>();
    complain(name, "a whole number");
    return 0;
  }
  template <class T>
  T known(const char* name, Result<T> value) {
    if (!value) complain(name, value.error().detail);
    return value ? std::move(*value) : T{};
  }
  void complain(const char* name, std::string_view want) {
    if (!problem_) problem_ = wrong(name, want).error();
  }
  [[nodiscard]] const std::optional<Error>& problem() const { return problem_; }

 private:
  const Json& object_;
  std::optional<Error> problem_;
};

LeafReference leaf_in(Members& at) {
  LeafReference leaf;
  leaf.log = at.text("log", longest_log);
  leaf.index = at.number("index", last_exact_integer);
  if (leaf.log.empty()) at.complain("log", "the name of a log");
  return leaf;
}

Result<TrailRecord> record_in(const Json& json) {
  if (!json.is_object()) return wrong("records", "a list of objects");
  Members at(json);
  TrailRecord record;
  const auto place = leaf_in(at);
  record.log = place.log;
  record.index = place.index;
  record.leaf_hash = at.known("leaf_hash", sha256_from_hex(at.text("leaf_hash", longest_word)));
  record.time = at.known("time", parse_precise_utc_text(at.text("time", longest_word)));
  record.correlation_id = at.known("correlation_id", CorrelationId::parse(at.text("correlation_id", longest_word)));
  record.attempt = static_cast<std::uint32_t>(at.number("attempt", 0xFFFF'FFFF));
  const auto phase = at.word("phase", {"intent", "outcome"});
  if (phase.empty()) at.complain("phase", "intent or outcome");
  record.phase = phase == "intent" ? Phase::intent : Phase::outcome;
  record.origin = at.text("origin", longest_name);
  record.target = at.text("target", longest_name);
  record.principal = at.text("principal", longest_name);
  record.actor = at.text("actor", longest_name);
  record.resource = at.text("resource", longest_name);
  record.capability = at.text("capability", longest_name);
  record.access = at.word("access", {"read", "write"});
  record.outcome = at.word("outcome", {"succeeded", "failed", "not_sent", "unknown"});
  record.code = at.text("code", longest_word);
  record.call_hash = at.text("call_hash", longest_word);
  if (const auto other = json.find("counterparty"); other != json.end() && other->is_object()) {
    Members in(*other);
    record.counterparty = leaf_in(in);
    record.counterparty->hash = in.known("hash", sha256_from_hex(in.text("hash", longest_word)));
    if (in.problem()) at.complain("counterparty", "a leaf: " + in.problem()->detail);
  }
  if (at.problem()) return fail(*at.problem());
  return record;
}

Result<void> read_ids(const Json& list, TrailQuestion& question) {
  if (!list.is_array() || list.empty() || list.size() > most_correlation_ids)
    return wrong("correlation_ids", "a list of 1 to " + std::to_string(most_correlation_ids) + " ids");
  for (const auto& one : list) {
    if (!one.is_string()) return wrong("correlation_ids", "a list of texts");
    auto id = CorrelationId::parse(one.get_ref<const std::string&>());
    if (!id) return fail(id.error());
    question.correlation_ids.push_back(*id);
  }
  return {};
}

}  // namespace

std::string trail_question_body(const TrailQuestion& question) {
  Json json = Json::object();
  if (!question.correlation_ids.empty()) {
    auto& list = json["correlation_ids"] = Json::array();
    for (const auto& id : question.correlation_ids) list.push_back(id.str());
  }
  if (question.from) json["from"] = precise_utc_text(*question.from);
  if (question.to) json["to"] = precise_utc_text(*question.to);
  if (!question.principal.empty()) json["principal"] = question.principal;
  if (!question.cursor.empty()) json["cursor"] = question.cursor;
  return dumped(json);
}

Result<TrailQuestion> parse_trail_question(std::string_view body) {
  const auto json = json::parse(body, {.bytes = longest_trail_question, .depth = 3});
  if (!json) return fail(json.error());
  if (!json->is_object()) return fail(Code::bad_request, "an object is wanted");
  TrailQuestion question;
  Members at(*json);
  question.cursor = at.text("cursor", longest_cursor);
  question.principal = at.text("principal", longest_name);
  const auto from = at.text("from", longest_word);
  const auto to = at.text("to", longest_word);
  if (!from.empty()) question.from = at.known("from", parse_precise_utc_text(from));
  if (!to.empty()) question.to = at.known("to", parse_precise_utc_text(to));
  if (at.problem()) return fail(*at.problem());
  const auto ids = json->find("correlation_ids");
  const bool by_time = question.from && question.to;
  if ((ids != json->end()) == by_time || (question.from.has_value() != question.to.has_value()))
    return fail(Code::bad_request, "ask by correlation_ids, or by from and to");
  if (by_time && *question.from >= *question.to) return wrong("to", "after from");
  if (!by_time) {
    if (auto read = read_ids(*ids, question); !read) return fail(read.error());
    if (!question.principal.empty()) return wrong("principal", "absent where correlation_ids are given");
  }
  return question;
}

std::string trail_record_text(const TrailRecord& record) {
  Json json = {{"log", record.log},
               {"index", record.index},
               {"leaf_hash", to_hex(record.leaf_hash)},
               {"time", precise_utc_text(record.time)},
               {"correlation_id", record.correlation_id.str()},
               {"attempt", record.attempt},
               {"phase", to_string(record.phase)}};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) json[name] = value;
  };
  add("origin", record.origin);
  add("target", record.target);
  add("principal", record.principal);
  add("actor", record.actor);
  add("resource", record.resource);
  add("capability", record.capability);
  add("access", record.access);
  add("outcome", record.outcome);
  add("code", record.code);
  add("call_hash", record.call_hash);
  if (record.counterparty)
    json["counterparty"] = {{"log", record.counterparty->log},
                            {"index", record.counterparty->index},
                            {"hash", to_hex(record.counterparty->hash)}};
  return dumped(json);
}

std::string trail_page_body(const std::vector<std::string>& records, std::string_view next_cursor, bool complete) {
  std::string out = R"({"complete":)";
  out += complete ? "true" : "false";
  out += R"(,"next_cursor":)" + (next_cursor.empty() ? std::string("null") : dumped(std::string(next_cursor)));
  out += R"(,"records":[)";
  for (std::size_t i = 0; i < records.size(); ++i) out.append(i == 0 ? "" : ",").append(records[i]);
  return out += "]}";
}

Result<TrailPage> parse_trail_page(std::string_view body) {
  const auto refuse = [](const std::string& why) { return fail(Code::peer_protocol_error, "audit/query: " + why); };
  const auto json = json::parse(body, {.bytes = longest_trail_page + 16 * std::size_t{1024}, .depth = 5});
  if (!json) return refuse(json.error().detail);
  const auto records = json->is_object() ? json->find("records") : json->end();
  if (!json->is_object() || records == json->end() || !records->is_array() || records->size() > most_trail_records)
    return refuse("no list of at most " + std::to_string(most_trail_records) + " records");
  TrailPage page;
  Members at(*json);
  page.next_cursor = at.text("next_cursor", longest_cursor);
  if (at.problem()) return refuse(at.problem()->detail);
  const auto complete = json->find("complete");
  page.complete = complete != json->end() && complete->is_boolean() && complete->get<bool>();
  for (const auto& one : *records) {
    auto record = record_in(one);
    if (!record) return refuse(record.error().detail);
    page.records.push_back(std::move(*record));
  }
  return page;
}

}  // namespace fedgate::wire
