// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/moment.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "net/http_message.h"

namespace fedgate::cli {
namespace {

struct Query {
  std::string from, to, principal, organisation, peer, resource, capability, correlation_id, type, outcome, decision,
      credential, code, cursor;
  unsigned limit = 50;
  bool oldest_first = false;
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
  const std::string order = query.oldest_first ? "oldest" : "";
  const std::array<std::pair<const char*, const std::string*>, 15> parts{{{"from", &query.from},
                                                                          {"to", &query.to},
                                                                          {"principal", &query.principal},
                                                                          {"organisation", &query.organisation},
                                                                          {"peer", &query.peer},
                                                                          {"resource", &query.resource},
                                                                          {"capability", &query.capability},
                                                                          {"correlation_id", &query.correlation_id},
                                                                          {"type", &query.type},
                                                                          {"outcome", &query.outcome},
                                                                          {"decision", &query.decision},
                                                                          {"credential", &query.credential},
                                                                          {"code", &query.code},
                                                                          {"order", &order},
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

/// What the standing of an entry means to whoever reads the story.
std::string mark_of(const nlohmann::json& entry, const nlohmann::json& answer) {
  const auto standing = text_of(entry, "standing");
  if (standing == "agrees") return "agrees";
  for (const auto& party : part_of(answer, "parties"))
    for (const auto& verdict : part_of(party, "verdicts"))
      if (text_of(verdict, "attempt") == text_of(entry, "attempt") && text_of(verdict, "standing") == standing &&
          standing == "differs")
        return "DIFFERS: " + text_of(verdict, "fields");
  if (standing == "missing_here" || standing == "missing_there") return "ONE-SIDED";
  if (standing == "unknown") return "unknown";
  if (standing == "pending") return "may still run";
  return "not compared";
}

/// What the records have in common, once.
void show_call(Context& context, const nlohmann::json& answer) {
  const auto& entries = part_of(answer, "entries");
  Details details;
  details.add("call", text_of(answer, "correlation_id"));
  if (!entries.empty()) {
    const auto& first = entries.front();
    details.add("from > to", parties(first));
    for (const char* key : {"principal", "actor", "resource", "capability"}) details.add(key, text_of(first, key));
  }
  details.print(context.out);
}

void show_parties(Context& context, const nlohmann::json& answer) {
  for (const auto& party : part_of(answer, "parties")) {
    const auto node = text_of(party, "node_id");
    if (text_of(party, "state") != "answered") {
      const bool asked = text_of(party, "state") == "unreachable";
      context.out << printable(node) << (asked ? " could not be asked: " : " was not asked")
                  << printable(text_of(party, "detail")) << '\n';
      continue;
    }
    bool agree = true;
    for (const auto& verdict : part_of(party, "verdicts")) {
      if (text_of(verdict, "standing") == "agrees") continue;
      agree = false;
      context.out << printable(node) << ", attempt " << printable(text_of(verdict, "attempt")) << ": "
                  << printable(text_of(verdict, "standing")) << ": " << printable(text_of(verdict, "detail")) << '\n';
    }
    if (agree) context.out << printable(node) << " remembers the same.\n";
  }
}

void show_timeline(Context& context, const nlohmann::json& answer) {
  show_call(context, answer);
  context.out << '\n';
  Table table({"TIME", "WHOSE RECORD", "ATTEMPT", "PHASE", "OUTCOME", "CODE", "LOG", "INDEX", "BOTH SIDES"});
  for (const auto& entry : part_of(answer, "entries"))
    table.add({text_of(entry, "time"), text_of(entry, "side"), text_of(entry, "attempt"), text_of(entry, "phase"),
               text_of(entry, "outcome"), text_of(entry, "code"), text_of(entry, "log"), text_of(entry, "index"),
               mark_of(entry, answer)});
  table.print(context.out);
  context.out << '\n';
  show_parties(context, answer);
  if (!flag_of(answer, "complete")) context.out << "Our newest records have not reached the database yet.\n";
  for (const auto& entry : part_of(answer, "entries")) {
    if (!flag_of(entry, "ours")) continue;
    context.out << '\n';
    show_event(context, entry);
  }
}

int show(Context& context, const std::string& id, bool local) {
  const auto correlation_id = CorrelationId::parse(id);
  if (!correlation_id) return report(context, Error(Code::usage, correlation_id.error().detail));
  const auto target = "/api/v2/audit/calls/" + correlation_id->str() + (local ? "?local=true" : "");
  return ask_daemon(context, "GET", target, "", [&](const nlohmann::json& answer) { show_timeline(context, answer); });
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
  option("--organisation", query->organisation, "The domain of who asked", "DOMAIN");
  option("--peer", query->peer, "The other organisation's node", "NODE");
  option("--resource", query->resource, "What for", "ID");
  option("--capability", query->capability, "What it did", "ID");
  option("--correlation-id", query->correlation_id, "One call", "ID");
  option("--type", query->type, "Event type, such as cross_org_request_denied", "TYPE");
  option("--outcome", query->outcome, "succeeded, failed, not_sent or unknown", "OUTCOME");
  option("--decision", query->decision, "allow or deny", "DECISION");
  option("--credential", query->credential, "What the caller authenticated with", "ID");
  option("--code", query->code, "Error code, such as policy_denied", "CODE");
  many->add_flag("--oldest-first", query->oldest_first, "The other order");
  option("--cursor", query->cursor, "Go on where a list ended", "CURSOR");
  many->add_option("--limit", query->limit, "At most so many; default 50")->check(CLI::Range(1, 1000))->type_name("N");
  add_daemon_options(*many, context);
  many->callback([&context, query] { context.chosen = [&context, query] { return list(context, *query); }; });

  auto* one = group->add_subcommand("show", "One call as both sides remember it");
  one->footer("Asks the gateways that took part for their records and says where they agree with ours.");
  auto id = std::make_shared<std::string>();
  auto local = std::make_shared<bool>(false);
  one->add_option("correlation-id", *id, "As printed by invoke and audit list")
      ->required()
      ->type_name("CORRELATION_ID");
  one->add_flag("--local", *local, "Ask nobody: our own records only");
  add_daemon_options(*one, context);
  one->callback(
      [&context, id, local] { context.chosen = [&context, id, local] { return show(context, *id, *local); }; });
  add_audit_reconcile(*group, context);
  add_audit_export(*group, context);
  add_audit_receipt(*group, context);
  add_audit_verify(*group, context);
  add_signing_verbs(*group, context);
  add_erase_verb(*group, context);
}

}  // namespace fedgate::cli
