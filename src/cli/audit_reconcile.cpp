// SPDX-License-Identifier: Apache-2.0
//
// `audit reconcile`: the daemon compares, this waits and says how far it is.
#include <chrono>
#include <thread>

#include "cli/moment.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "net/http_message.h"

namespace fedgate::cli {
namespace {

constexpr std::chrono::milliseconds pause{200};
constexpr std::chrono::seconds between_lines{2};

void show_report(Context& context, const nlohmann::json& report) {
  const auto& counts = part_of(report, "counts");
  Details details;
  details.add("node", text_of(report, "node_id"));
  details.add("calls that began", text_of(report, "from") + " to " + text_of(report, "to"));
  for (const auto& [name, key] : {std::pair{"calls", "calls"}, std::pair{"agree", "agree"},
                                  std::pair{"differ", "differing"}, std::pair{"missing here", "missing_here"},
                                  std::pair{"missing there", "missing_there"}, std::pair{"outcome unknown", "unknown"},
                                  std::pair{"not proven", "unproven"}, std::pair{"may still run", "pending"}})
    details.add(name, text_of(counts, key));
  details.print(context.out);
  Table table({"CORRELATION ID", "ATTEMPT", "STANDING", "WHAT"});
  for (const auto& finding : part_of(report, "findings"))
    table.add({text_of(finding, "correlation_id"), text_of(finding, "attempt"), text_of(finding, "standing"),
               text_of(finding, "detail")});
  if (!table.empty()) {
    context.out << '\n';
    table.print(context.out);
    context.out << "\n`fedgate audit show CORRELATION_ID` tells one call's story.\n";
  }
}

int conclude(Context& context, const nlohmann::json& answer) {
  if (context.json())
    print_json(context.out, answer);
  else
    show_report(context, answer);
  if (text_of(answer, "state") == "failed") {
    context.err << "fedgate: the comparison ended at " << printable(text_of(answer, "reached")) << ": "
                << printable(text_of(answer, "problem")) << '\n';
    return failed;
  }
  return flag_of(answer, "agree") ? done : failed;
}

int reconcile(Context& context, const std::string& node, std::string from, std::string to) {
  nlohmann::json body{{"node", node}};
  for (const auto& [name, moment] : {std::pair{"from", &from}, std::pair{"to", &to}}) {
    if (moment->empty()) continue;
    auto text = moment_from(*moment, system_clock().wall());
    if (!text) return report(context, text.error());
    body[name] = *text;
  }
  const auto connection = Connection::to_admin(context.where);
  if (!connection) return report(context, connection.error());
  auto answer = (*connection)->ask("POST", "/api/v2/audit/reconcile", body.dump());
  auto said = std::chrono::steady_clock::now();
  while (answer && text_of(*answer, "state") == "running") {
    std::this_thread::sleep_for(pause);
    answer = (*connection)->ask("GET", "/api/v2/audit/reconcile/" + net::percent_encode(node));
    if (const auto now = std::chrono::steady_clock::now(); answer && now - said > between_lines) {
      said = now;
      context.err << "compared up to " << printable(text_of(*answer, "reached")) << ", "
                  << printable(text_of(part_of(*answer, "counts"), "calls")) << " calls\n";
    }
  }
  if (!answer) return report(context, answer.error());
  return conclude(context, *answer);
}

}  // namespace

void add_audit_reconcile(CLI::App& audit, Context& context) {
  auto* verb = audit.add_subcommand("reconcile", "Compare our records of calls with another node's");
  verb->footer(
      "Exit status 0: they agree; 1: they do not, or could not be compared. Calls are found by when they began;\n"
      "default: the last 24 hours. Times: 2026-11-20, 2026-11-20T09:30:00Z, or how long ago: 15m, 2h, 7d.");
  auto node = std::make_shared<std::string>();
  auto from = std::make_shared<std::string>();
  auto to = std::make_shared<std::string>();
  verb->add_option("node", *node, "Its node id or alias")->required()->type_name("NODE");
  verb->add_option("--from", *from, "Calls that did not begin before")->type_name("TIME");
  verb->add_option("--to", *to, "Calls that began before")->type_name("TIME");
  add_daemon_options(*verb, context);
  verb->callback([&context, node, from, to] {
    context.chosen = [&context, node, from, to] { return reconcile(context, *node, *from, *to); };
  });
}

}  // namespace fedgate::cli
