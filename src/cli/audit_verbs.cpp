// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "cli/moment.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "net/http_message.h"

namespace fedgate::cli {
namespace {

struct Query {
  std::string from, to, principal, peer, resource, capability, correlation_id, type, outcome, decision, cursor;
  unsigned limit = 50;
};

std::string duration_of(const nlohmann::json& event, std::string_view key) {
  const auto place = event.find(key);
  if (place == event.end() || !place->is_number()) return {};
  return milliseconds_text(std::chrono::microseconds(place->get<std::int64_t>()));
}

std::string parties(const nlohmann::json& event) {
  const auto origin = text_of(event, "origin");
  const auto target = text_of(event, "target");
  if (origin.empty() && target.empty()) return {};
  return (origin.empty() ? "?" : origin) + " > " + (target.empty() ? "?" : target);
}

std::string what_was_called(const nlohmann::json& event) {
  const auto resource = text_of(event, "resource");
  const auto capability = text_of(event, "capability");
  return capability.empty() ? resource : resource + " " + capability;
}

std::string counterparty(const nlohmann::json& event) {
  const auto& other = part_of(event, "counterparty");
  if (!other.is_object()) return {};
  return text_of(other, "log") + " " + text_of(other, "index") + ", leaf " + text_of(other, "hash");
}

void show_list(Context& context, const nlohmann::json& answer) {
  Table table(
      {"TIME", "CORRELATION ID", "PHASE", "FROM > TO", "PRINCIPAL", "WHAT", "DECISION", "OUTCOME", "CODE", "TOOK"});
  for (const auto& event : part_of(answer, "events")) {
    auto what = what_was_called(event);
    if (what.empty()) what = text_of(event, "event") + " " + text_of(event, "action");
    table.add({text_of(event, "time"), text_of(event, "correlation_id"), text_of(event, "phase"), parties(event),
               text_of(event, "principal"), what, text_of(event, "decision"), text_of(event, "outcome"),
               text_of(event, "code"), duration_of(event, "duration_us")});
  }
  if (table.empty()) {
    context.out << "No records match.\n";
    return;
  }
  table.print(context.out);
  if (const auto cursor = text_of(answer, "next_cursor"); !cursor.empty()) {
    context.out << "\nThere are more: the same with --cursor " << printable(cursor) << '\n';
  }
}

void show_event(Context& context, const nlohmann::json& event) {
  Details details;
  details.add("record", text_of(event, "log") + " " + text_of(event, "index"));
  for (const char* key : {"time", "event", "phase", "correlation_id", "attempt"}) details.add(key, text_of(event, key));
  details.add("from > to", parties(event));
  for (const char* key : {"principal", "actor", "credential", "resource", "protocol", "capability", "action", "access",
                          "decision", "rule", "outcome", "code", "reason", "request_bytes", "response_bytes"}) {
    details.add(key, text_of(event, key));
  }
  details.add("duration", duration_of(event, "duration_us"));
  details.add("upstream", duration_of(event, "upstream_us"));
  details.add("leaf", text_of(event, "leaf_hash"));
  details.add("other side", counterparty(event));
  details.print(context.out);
}

Result<std::string> target_of(Query query) {
  for (auto* moment : {&query.from, &query.to}) {
    if (moment->empty()) continue;
    auto text = moment_from(*moment, system_clock().wall());
    if (!text) return fail(text.error());
    *moment = std::move(*text);
  }
  std::string target = "/api/v2/audit/events?limit=" + std::to_string(query.limit);
  const std::array<std::pair<const char*, const std::string*>, 11> parts{{{"from", &query.from},
                                                                          {"to", &query.to},
                                                                          {"principal", &query.principal},
                                                                          {"peer", &query.peer},
                                                                          {"resource", &query.resource},
                                                                          {"capability", &query.capability},
                                                                          {"correlation_id", &query.correlation_id},
                                                                          {"type", &query.type},
                                                                          {"outcome", &query.outcome},
                                                                          {"decision", &query.decision},
                                                                          {"cursor", &query.cursor}}};
  for (const auto& [name, value] : parts) {
    if (!value->empty()) target += std::string("&") + name + "=" + net::percent_encode(*value);
  }
  return target;
}

int list(Context& context, const Query& query) {
  const auto target = target_of(query);
  if (!target) return report(context, target.error());
  return ask_daemon(context, "GET", *target, "", [&](const nlohmann::json& answer) { show_list(context, answer); });
}

int show(Context& context, const std::string& id) {
  const auto correlation_id = CorrelationId::parse(id);
  if (!correlation_id) return report(context, Error(Code::usage, correlation_id.error().detail));
  const auto connection = Connection::to_admin(context.where);
  if (!connection) return report(context, connection.error());
  auto answer = (*connection)->ask("GET", "/api/v2/audit/events?limit=100&correlation_id=" + correlation_id->str());
  if (!answer) return report(context, answer.error());
  auto events = part_of(*answer, "events").get<std::vector<nlohmann::json>>();
  if (events.empty()) {
    return report(context, Error(Code::not_found,
                                 "this gateway has no record of " + id + "; the other side's gateway may have one"));
  }
  std::ranges::sort(events, {}, [](const nlohmann::json& event) {
    const auto index = text_of(event, "index");
    return std::pair(text_of(event, "log"), std::pair(index.size(), index));  // by number, whatever its size
  });
  if (context.json()) {
    print_json(context.out, events);
    return done;
  }
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (i > 0) context.out << '\n';
    show_event(context, events[i]);
  }
  return done;
}

}  // namespace

void add_audit_verbs(CLI::App& root, Context& context) {
  auto* group = root.add_subcommand("audit", "The audit trail");
  group->require_subcommand(1);
  auto* many = group->add_subcommand("list", "Records, newest first");
  many->footer("Times: 2026-11-20, 2026-11-20T09:30:00Z, or how long ago: 15m, 2h, 7d.");
  auto query = std::make_shared<Query>();
  const auto option = [&](const char* name, std::string& into, const char* text, const char* type) {
    many->add_option(name, into, text)->type_name(type);
  };
  option("--from", query->from, "Not before this time", "TIME");
  option("--to", query->to, "Before this time", "TIME");
  option("--principal", query->principal, "Who asked", "PRINCIPAL");
  option("--peer", query->peer, "The other organisation's node", "NODE");
  option("--resource", query->resource, "What for", "ID");
  option("--capability", query->capability, "What it did", "ID");
  option("--correlation-id", query->correlation_id, "One call", "ID");
  option("--type", query->type, "Event type, such as cross_org_request_denied", "TYPE");
  option("--outcome", query->outcome, "succeeded, failed, not_sent or unknown", "OUTCOME");
  option("--decision", query->decision, "allow or deny", "DECISION");
  option("--cursor", query->cursor, "Go on where a list ended", "CURSOR");
  many->add_option("--limit", query->limit, "At most so many; default 50")->check(CLI::Range(1, 1000))->type_name("N");
  add_daemon_options(*many, context);
  many->callback([&context, query] { context.chosen = [&context, query] { return list(context, *query); }; });

  auto* one = group->add_subcommand("show", "All records of one call, oldest first");
  auto id = std::make_shared<std::string>();
  one->add_option("correlation-id", *id, "As printed by invoke and audit list")
      ->required()
      ->type_name("CORRELATION_ID");
  add_daemon_options(*one, context);
  one->callback([&context, id] { context.chosen = [&context, id] { return show(context, *id); }; });
}

}  // namespace fedgate::cli
