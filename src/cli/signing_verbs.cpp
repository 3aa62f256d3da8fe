// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"
#include "cli/verb.h"

namespace fedgate::cli {
namespace {

using Json = nlohmann::json;

int new_log(Context& context, const std::string& reason) {
  const auto body = Json{{"reason", reason}}.dump(-1, ' ', true, Json::error_handler_t::replace);
  return ask_daemon(context, "POST", "/api/v2/audit/new-log", body, [&](const Json& answer) {
    context.out << "Generation " << printable(text_of(answer, "generation"))
                << " of the audit log begins at the next start.\n"
                << "Who must act next: " << printable(text_of(answer, "next")) << '\n';
  });
}

int rotate_key(Context& context) {
  return ask_daemon(context, "POST", "/api/v2/audit/rotate-key", "{}", [&](const Json& answer) {
    context.out << "The audit log is signed by " << printable(text_of(answer, "key")) << '\n'
                << "Who must act next: " << printable(text_of(answer, "next")) << '\n';
  });
}

}  // namespace

void add_signing_verbs(CLI::App& audit, Context& context) {
  auto* anew = audit.add_subcommand("new-log", "Begin a new generation of the audit log, at the next start");
  anew->footer(
      "For when signing has stopped because the journal is not the one that was signed, and the right one cannot be "
      "brought back. The old log stays as it is. Peers' operators approve the new one.");
  auto reason = std::make_shared<std::string>();
  anew->add_option("--reason", *reason, "Why; stands in the new log's first record")->required()->type_name("TEXT");
  add_daemon_options(*anew, context);
  anew->callback([&context, reason] { context.chosen = [&context, reason] { return new_log(context, *reason); }; });

  auto* rotate = audit.add_subcommand("rotate-key", "Sign the audit log with a fresh key");
  rotate->footer("The log's last record under the old key names the new one, and both sign.");
  add_daemon_options(*rotate, context);
  rotate->callback([&context] { context.chosen = [&context] { return rotate_key(context); }; });
}

}  // namespace fedgate::cli
