// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <nlohmann/json.hpp>
#include <span>

#include "audit/leaf.h"
#include "base/hash.h"
#include "base/json.h"

namespace fedgate::audit {
namespace {

template <class Integer>
bool read_integer(std::string_view raw, Integer& out) {
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), out);
  return error == std::errc() && end == raw.data() + raw.size();
}

bool read_digits(std::string_view& text, std::size_t width, char after, int& out) {
  if (text.size() <= width || text[width] != after || !read_integer(text.substr(0, width), out) || out < 0)
    return false;
  text.remove_prefix(width + 1);
  return true;
}

bool read_time(std::string_view text, WallTime& out) {
  using namespace std::chrono;
  int y = 0, m = 0, d = 0, hour = 0, minute = 0, second = 0, fraction = 0;
  if (!read_digits(text, 4, '-', y) || !read_digits(text, 2, '-', m) || !read_digits(text, 2, 'T', d) ||
      !read_digits(text, 2, ':', hour) || !read_digits(text, 2, ':', minute) || !read_digits(text, 2, '.', second) ||
      !read_digits(text, 6, 'Z', fraction) || !text.empty())
    return false;
  const year_month_day date{year{y}, month{static_cast<unsigned>(m)}, day{static_cast<unsigned>(d)}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return false;
  out = sys_days{date} + hours{hour} + minutes{minute} + seconds{second} + microseconds{fraction};
  return true;
}

template <std::string store::AuditRow::* member>
bool text(store::AuditRow& row, const json::Field& field) {
  if (field.kind != json::Kind::string) return false;
  row.*member = field.text;
  return true;
}

template <auto member>
bool number(store::AuditRow& row, const json::Field& field) {
  return field.kind == json::Kind::number && read_integer(field.raw, row.*member);
}

bool nothing(store::AuditRow& /*row*/, const json::Field& /*field*/) { return true; }

bool time_of(store::AuditRow& row, const json::Field& field) {
  return field.kind == json::Kind::string && read_time(field.text, row.timestamp);
}

bool version(store::AuditRow& /*row*/, const json::Field& field) {
  int v = 0;
  return read_integer(field.raw, v) && v == leaf_version;
}

struct Member {
  std::string_view key;
  bool (*read)(store::AuditRow&, const json::Field&);
};

// In the order in which they stand in a leaf, so that one pass over both finds them.
constexpr std::array members{
    Member{"access", nothing},
    Member{"action", text<&store::AuditRow::action>},
    Member{"actor", text<&store::AuditRow::actor>},
    Member{"attempt", number<&store::AuditRow::attempt>},
    Member{"call_hash", nothing},
    Member{"capability", text<&store::AuditRow::capability_id>},
    Member{"code", text<&store::AuditRow::error_code>},
    Member{"correlation_id", text<&store::AuditRow::correlation_id>},
    Member{"counterparty", nothing},
    Member{"credential", text<&store::AuditRow::credential_id>},
    Member{"decision", text<&store::AuditRow::decision>},
    Member{"duration_us", number<&store::AuditRow::duration_us>},
    Member{"event", text<&store::AuditRow::event_type>},
    Member{"index", number<&store::AuditRow::index>},
    Member{"log", text<&store::AuditRow::log>},
    Member{"nonce", nothing},
    Member{"origin", text<&store::AuditRow::source_node>},
    Member{"outcome", text<&store::AuditRow::outcome>},
    Member{"peer_key", nothing},
    Member{"phase", text<&store::AuditRow::phase>},
    Member{"principal", text<&store::AuditRow::principal>},
    Member{"protocol", text<&store::AuditRow::resource_protocol>},
    Member{"reason", text<&store::AuditRow::reason>},
    Member{"request_bytes", number<&store::AuditRow::request_bytes>},
    Member{"resource", text<&store::AuditRow::resource>},
    Member{"response_bytes", number<&store::AuditRow::response_bytes>},
    Member{"rule", text<&store::AuditRow::policy_id>},
    Member{"target", text<&store::AuditRow::target_node>},
    Member{"time", time_of},
    Member{"upstream_us", number<&store::AuditRow::upstream_us>},
    Member{"v", version},
};

std::unexpected<Error> not_ours(std::string_view why) {
  return fail(Code::internal, "not a leaf of this version: " + std::string(why));
}

template <class Enum>
bool read_enum(std::string_view text, Enum last, Enum& out) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    if (to_string(static_cast<Enum>(i)) != text) continue;
    out = static_cast<Enum>(i);
    return true;
  }
  return false;
}

std::string text_of(const nlohmann::json& leaf, const char* key) {
  const auto found = leaf.find(key);
  return found != leaf.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<void> read_counterparty(const nlohmann::json& other, AuditEvent& event) {
  const auto number = [](const nlohmann::json& in, const char* key) {
    const auto found = in.find(key);
    return found != in.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
  };
  const auto log = text_of(other, "log");
  if (other.contains("hash")) {
    const auto hash = sha256_from_hex(text_of(other, "hash"));
    if (!hash) return not_ours("counterparty hash");
    event.counterparty = LeafReference{log, number(other, "index"), *hash};
  }
  if (const auto seen = other.find("checkpoint"); seen != other.end() && seen->is_object()) {
    const auto root = sha256_from_hex(text_of(*seen, "root"));
    if (!root) return not_ours("counterparty checkpoint");
    event.counterparty_checkpoint = MentionedHead{log, {number(*seen, "size"), *root}};
  }
  return {};
}

}  // namespace

Result<store::AuditRow> row_of(std::string_view leaf) {
  thread_local json::Parser parser({.bytes = leaf_max_bytes, .depth = 4});
  const auto fields = parser.object(leaf);
  if (!fields) return not_ours(fields.error().detail);
  store::AuditRow row;
  std::size_t next = 0;
  bool versioned = false, timed = false, indexed = false;
  for (const auto& field : *fields) {
    while (next < members.size() && members[next].key < field.key) ++next;
    if (next == members.size() || members[next].key != field.key)
      return not_ours("unknown member " + std::string(field.key));
    if (!members[next].read(row, field)) return not_ours("bad value of " + std::string(field.key));
    versioned = versioned || members[next].read == version;
    timed = timed || members[next].read == time_of;
    indexed = indexed || field.key == "index";
  }
  if (!versioned || !timed || !indexed || row.log.empty()) return not_ours("v, time, index or log is missing");
  if (const auto at = row.principal.rfind('@'); at != std::string::npos)
    row.principal_org = row.principal.substr(at + 1);
  row.leaf = leaf;
  return row;
}

Result<AuditEvent> event_of(std::string_view leaf) {
  auto row = row_of(leaf);
  if (!row) return fail(row.error());
  const auto dom = json::parse(leaf, {.bytes = leaf_max_bytes, .depth = 4});
  if (!dom) return not_ours(dom.error().detail);
  AuditEvent event;
  if (!read_enum(row->event_type, EventType::security_violation, event.type))
    return not_ours("event " + row->event_type);
  if (!read_enum(row->phase, Phase::event, event.phase)) return not_ours("phase " + row->phase);
  if (Access access{}; read_enum(text_of(*dom, "access"), Access::write, access)) event.access = access;
  if (Effect effect{}; read_enum(row->outcome, Effect::unknown, effect)) event.effect = effect;
  if (!row->correlation_id.empty()) {
    auto id = CorrelationId::parse(row->correlation_id);
    if (!id) return not_ours(id.error().detail);
    event.correlation_id = *id;
  }
  if (!row->decision.empty())
    event.decision = Decision{row->decision == "allow" ? Verdict::allow : Verdict::deny, row->policy_id, row->reason};
  event.time = row->timestamp;
  event.attempt = row->attempt;
  event.origin = std::move(row->source_node);
  event.target = std::move(row->target_node);
  event.peer_key = text_of(*dom, "peer_key");
  event.principal = std::move(row->principal);
  event.actor = std::move(row->actor);
  event.credential_id = std::move(row->credential_id);
  event.resource = std::move(row->resource);
  event.resource_protocol = std::move(row->resource_protocol);
  event.capability = std::move(row->capability_id);
  event.action = std::move(row->action);
  event.error_code = std::move(row->error_code);
  event.reason = std::move(row->reason);
  event.request_bytes = row->request_bytes;
  event.response_bytes = row->response_bytes;
  event.duration = std::chrono::microseconds(row->duration_us);
  event.upstream = std::chrono::microseconds(row->upstream_us);
  event.call_hash = text_of(*dom, "call_hash");
  if (const auto other = dom->find("counterparty"); other != dom->end() && other->is_object()) {
    if (auto read = read_counterparty(*other, event); !read) return fail(read.error());
  }
  return event;
}

}  // namespace fedgate::audit
