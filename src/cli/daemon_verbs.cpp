// SPDX-License-Identifier: Apache-2.0
#include "cli/moment.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "net/http_message.h"

namespace fedgate::cli {
namespace {

std::chrono::seconds seconds_of(const nlohmann::json& object, std::string_view key) {
  const auto place = object.find(key);
  if (place == object.end() || !place->is_number()) return {};
  return std::chrono::seconds(place->get<std::int64_t>());
}

std::string joined(std::string text, std::string_view more) {
  if (more.empty()) return text;
  if (!text.empty()) text += ", ";
  return text += more;
}

/// `label value`, or nothing where the daemon did not say.
std::string labelled(std::string_view label, const std::string& value) {
  return value.empty() ? "" : std::string(label) + " " + value;
}

std::string audit_line(const nlohmann::json& audit) {
  std::string line = labelled("log", text_of(audit, "log"));
  line = joined(line, labelled("next record", text_of(audit, "next_index")));
  line = joined(line, labelled("not yet in the store:", text_of(audit, "backlog")));
  if (flag_of(audit, "failing")) line = joined(line, "FAILING: " + text_of(audit, "problem"));
  return line;
}

std::string config_line(const nlohmann::json& config) {
  std::string line = joined(text_of(config, "file"), labelled("loaded", text_of(config, "loaded_at")));
  if (config.contains("reload_ok") && !flag_of(config, "reload_ok")) {
    line = joined(line, "the newest was REFUSED: " + text_of(config, "problem"));
  }
  return joined(line, labelled("waits for a restart:", text_of(config, "pending_restart")));
}

void show_status(Context& context, const nlohmann::json& status) {
  const auto name = text_of(status, "name");
  Details details;
  details.add("node", text_of(status, "node_id") + (name.empty() ? "" : " (" + name + ")"));
  details.add("state", text_of(status, "state") + ", up " + spoken(seconds_of(status, "uptime_seconds")));
  details.add("version", text_of(status, "version") + " (" + text_of(status, "commit") + "), threads " +
                             text_of(status, "threads"));
  for (const auto& listener : part_of(status, "listeners")) {
    details.add("listener", text_of(listener, "name") + " " + text_of(listener, "address") + ", connections " +
                                text_of(listener, "connections"));
  }
  const auto& nodes = part_of(status, "nodes");
  details.add("nodes", joined(text_of(nodes, "usable") + " usable of " + text_of(nodes, "total"),
                              labelled("verified:", text_of(nodes, "verified"))));
  details.add("calls", labelled("in flight:", text_of(part_of(status, "calls"), "in_flight")));
  const auto& store = part_of(status, "store");
  details.add("store",
              joined(text_of(store, "kind") + (flag_of(store, "ok") ? ", ok" : ", FAILING"), text_of(store, "detail")));
  details.add("audit", audit_line(part_of(status, "audit")));
  const auto& certificate = part_of(status, "certificate");
  details.add("certificate",
              "until " + text_of(certificate, "not_after") + ", " + text_of(certificate, "days_left") + " days left");
  details.add("configuration", config_line(part_of(status, "config")));
  details.print(context.out);

  const auto& attention = part_of(status, "attention");
  context.out << (attention.empty() ? "\nNothing needs attention.\n" : "\nNeeds attention:\n");
  for (const auto& sentence : attention) {
    if (sentence.is_string()) context.out << "  - " << printable(sentence.get<std::string>()) << '\n';
  }
}

int reload(Context& context) {
  const auto connection = Connection::to_admin(context.where);
  if (!connection) return report(context, connection.error());
  const auto answer = (*connection)->call("POST", "/api/v2/reload", "{}");
  if (!answer) return report(context, answer.error());
  const bool is_refusal = answer->status == 422;
  if (!answer->ok() && !is_refusal) return report(context, problem_of(*answer));
  if (context.json()) {
    print_json(context.out, answer->body);
    return is_refusal ? wrong_usage : done;
  }
  for (const auto& finding : part_of(answer->body, "findings")) {
    if (finding.is_string()) context.err << printable(finding.get<std::string>()) << '\n';
  }
  if (is_refusal) {
    context.err << "fedgate: the new configuration was refused; the daemon goes on with the old one\n";
    return wrong_usage;
  }
  context.out << "reloaded\n";
  if (const auto pending = text_of(answer->body, "pending_restart"); !pending.empty()) {
    context.out << "These changes wait for a restart: " << printable(pending) << '\n';
  }
  return done;
}

void show_routes(Context& context, const nlohmann::json& answer, bool one_resource) {
  Table table({"RESOURCE", "NODE", "ENDPOINT", "USABLE", "WHY NOT"});
  for (const auto& route : part_of(answer, "routes")) {
    table.add({text_of(route, "resource"), text_of(route, "node"), text_of(route, "endpoint"),
               flag_of(route, "usable") ? "yes" : "no", text_of(route, "why_not")});
  }
  if (table.empty()) {
    context.out
        << "No routes. A node's `resources:` in the configuration, or `fedgate nodes add --resource`, makes one.\n";
  } else {
    table.print(context.out);
  }
  const auto& choice = part_of(answer, "choice");
  if (choice.is_object()) {
    context.out << "\nA call now would go to " << printable(text_of(choice, "node")) << " at "
                << printable(text_of(choice, "endpoint")) << ": " << printable(text_of(choice, "why")) << '\n';
  } else if (one_resource) {
    context.out << "\nA call now would go nowhere: " << printable(text_of(answer, "problem")) << '\n';
  }
}

}  // namespace

void add_daemon_verbs(CLI::App& root, Context& context) {
  auto* status = root.add_subcommand("status", "How the gateway is, on one screen");
  add_daemon_options(*status, context);
  status->callback([&context] {
    context.chosen = [&context] {
      return ask_daemon(context, "GET", "/api/v2/status", "",
                        [&](const nlohmann::json& answer) { show_status(context, answer); });
    };
  });

  auto* again = root.add_subcommand("reload", "Read the configuration again; print what is wrong with it");
  again->footer("A configuration with errors is refused whole (exit status 2) and the old one stays in use.");
  add_daemon_options(*again, context);
  again->callback([&context] { context.chosen = [&context] { return reload(context); }; });

  auto* routes = root.add_subcommand("routes", "Where calls go; for one resource: what would be chosen now, and why");
  auto resource = std::make_shared<std::string>();
  routes->add_option("resource", *resource, "Only this resource")->type_name("RESOURCE");
  add_daemon_options(*routes, context);
  routes->callback([&context, resource] {
    context.chosen = [&context, resource] {
      const std::string query = resource->empty() ? "" : "?resource=" + net::percent_encode(*resource);
      return ask_daemon(context, "GET", "/api/v2/federation/routes" + query, "",
                        [&](const nlohmann::json& answer) { show_routes(context, answer, !resource->empty()); });
    };
  });
}

}  // namespace fedgate::cli
