// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/json.h"
#include "cli/moment.h"
#include "cli/table.h"
#include "cli/verb.h"

namespace fedgate::cli {
namespace {

struct Call {
  std::string resource, capability, node, principal, arguments = "{}";
};

/// The text itself, `@FILE` or `-`.
Result<std::string> arguments_of(const std::string& option) {
  std::string text = option;
  if (option == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else if (option.starts_with('@')) {
    std::ifstream in(option.substr(1), std::ios::binary);
    if (!in) return fail(Code::usage, "--args: cannot read " + option.substr(1));
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  json::Parser parser({.bytes = 16ULL << 20, .depth = 64});
  if (const auto valid = parser.object(text); !valid) {
    return fail(Code::usage,
                "--args: " + valid.error().detail + R"(; a JSON object is wanted, such as '{"alpha2":"NL"}')");
  }
  return text;
}

/// The arguments stay as they were typed, byte for byte.
std::string body_of(const Call& call, std::string_view arguments) {
  std::string body = "{\"resource_id\":";
  json::append_string(body, call.resource);
  body += ",\"capability_id\":";
  json::append_string(body, call.capability);
  if (!call.node.empty()) {
    body += ",\"target_node_id\":";
    json::append_string(body, call.node);
  }
  if (!call.principal.empty()) {
    body += ",\"principal_id\":";
    json::append_string(body, call.principal);
  }
  body += ",\"arguments\":";
  body += arguments;
  body += ",\"context\":{}}";
  return body;
}

int report_failure(Context& context, const Answer& answer) {
  const auto& body = answer.body;
  const std::string code = text_of(body, "code");
  context.err << "fedgate: " << printable(problem_of(answer).detail) << '\n';
  Details details;
  details.add("  code", code);
  details.add("  decided by", text_of(body, "decided_by"));
  details.add("  outcome", text_of(body, "outcome"));
  details.add("  correlation id", text_of(body, "audit_correlation_id"));
  if (!code.empty()) details.add("  what to try", code_info(code_from_wire(code)).advice);
  details.print(context.err);
  return failed;
}

int invoke(Context& context, const Call& call) {
  const auto arguments = arguments_of(call.arguments);
  if (!arguments) return report(context, arguments.error());
  const auto connection = Connection::to_clients(context.where);
  if (!connection) return report(context, connection.error());
  const auto answer = (*connection)->call("POST", "/api/v2/federation/invoke", body_of(call, *arguments));
  if (!answer) return report(context, answer.error());
  if (context.json()) {
    print_json(context.out, answer->body);
    return answer->ok() ? done : failed;
  }
  if (!answer->ok() || !flag_of(answer->body, "success")) return report_failure(context, *answer);
  const auto result = answer->body.find("result");
  if (result != answer->body.end()) print_json(context.out, *result);
  context.err << "answered by " << printable(text_of(answer->body, "node_id")) << " in "
              << printable(text_of(answer->body, "duration_ms")) << " ms, correlation id "
              << printable(text_of(answer->body, "audit_correlation_id")) << '\n';
  return done;
}

}  // namespace

void add_invoke_verb(CLI::App& root, Context& context) {
  auto* verb =
      root.add_subcommand("invoke", "Call one capability of a resource, here or behind another organisation's gateway");
  verb->footer(
      "The result goes to standard output, who answered and the correlation id to standard error.\n"
      "Example: fedgate invoke countries lookup --node orgb.example --args '{\"alpha2\":\"NL\"}' \\\n"
      "           --url http://127.0.0.1:8080 --token-file alice.token");
  auto call = std::make_shared<Call>();
  verb->add_option("resource", call->resource, "The service")->required()->type_name("RESOURCE");
  verb->add_option("capability", call->capability, "What it shall do")->required()->type_name("CAPABILITY");
  verb->add_option("--node", call->node, "The node it lives on; default: as routes say")->type_name("NODE");
  verb->add_option("--principal", call->principal,
                   "For whom, where the token may act for others; default the token's own")
      ->type_name("PRINCIPAL");
  verb->add_option("--args", call->arguments, "Arguments: a JSON object, @FILE, or - for standard input; default {}")
      ->type_name("JSON");
  verb->add_option("--url", context.where.url,
                   "Clients listener: http:// on this host, https:// elsewhere, or unix:/path")
      ->type_name("URL");
  verb->add_option("--token-file", context.where.token_file, "File that holds the bearer token")->type_name("FILE");
  verb->add_option("--ca-file", context.where.ca_file, "CA certificates for https; default this machine's")
      ->type_name("FILE");
  verb->add_option("--config", context.where.config, "Take the clients listener from this configuration")
      ->type_name("FILE");
  add_output_option(*verb, context);
  verb->callback([&context, call] { context.chosen = [&context, call] { return invoke(context, *call); }; });
}

}  // namespace fedgate::cli
