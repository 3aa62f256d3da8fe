// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <openssl/crypto.h>
#include <sqlite3.h>
#include <boost/version.hpp>
#include <exception>
#include <iostream>

#include "cli/table.h"
#include "cli/verb.h"
#include "config/loader.h"
#include "fedgate/version.h"

namespace fedgate::cli {
namespace {

constexpr const char* description =
    "fedgate: a federation gateway. Lets another organisation's people, programs and agents use some of this\n"
    "organisation's services, and this organisation's use theirs, under both organisations' policies.";

constexpr const char* footer =
    "A first gateway:   fedgate init --node-id gate.example.org --dir D --dev-pki   and follow what it prints\n"
    "More on one verb:  fedgate VERB --help\n\n"
    "Exit status: 0 done; 1 failed or refused; 2 wrong usage or invalid configuration; 3 the daemon cannot be reached";

void add_serve_verb(CLI::App& root, Context& context, const Serve& serve) {
  auto* verb = root.add_subcommand("serve", "Run the gateway in the foreground");
  verb->footer("SIGHUP reloads the configuration; SIGTERM ends it in order, a second SIGTERM at once.");
  add_config_option(*verb, context);
  verb->callback([&] { context.chosen = [&] { return serve(context.config_file()); }; });
}

int print_version(Context& context) {
  const std::string boost = std::to_string(BOOST_VERSION / 100000) + "." + std::to_string(BOOST_VERSION / 100 % 1000);
  if (context.json()) {
    print_json(
        context.out,
        {{"version", version()},
         {"commit", commit()},
         {"compiler", __VERSION__},
         {"libraries",
          {{"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)}, {"sqlite", sqlite3_libversion()}, {"boost", boost}}}});
  } else {
    context.out << "fedgate " << version() << " (" << commit() << ")\n"
                << OpenSSL_version(OPENSSL_VERSION) << ", SQLite " << sqlite3_libversion() << ", Boost " << boost
                << ", " << __VERSION__ << '\n';
  }
  return done;
}

void add_version_verb(CLI::App& root, Context& context) {
  auto* verb = root.add_subcommand("version", "Print version, commit and libraries");
  add_output_option(*verb, context);
  verb->callback([&] { context.chosen = [&] { return print_version(context); }; });
}

/// CLI11 reports a misspelt verb as a missing one.
std::string usage_problem(const CLI::App& root, const CLI::ParseError& problem) {
  const auto extras = root.remaining(true);
  if (!extras.empty()) return "`" + extras.front() + "` is not a verb or an option here";
  if (problem.get_name() == "RequiredError" && root.get_subcommands().empty()) return "say what to do";
  return problem.what();
}

int run_verb(int argc, const char* const* argv, const Serve& serve, std::ostream& out, std::ostream& err) {
  Context context{.out = out, .err = err, .where = {}};
  CLI::App root(description, "fedgate");
  root.require_subcommand(1);
  root.set_version_flag("--version", "fedgate " + std::string(version()) + " (" + std::string(commit()) + ")");
  add_serve_verb(root, context, serve);
  add_configuration_verbs(root, context);
  add_token_verbs(root, context);
  add_migrate_verbs(root, context);
  add_policy_verbs(root, context);
  add_pki_verbs(root, context);
  add_daemon_verbs(root, context);
  add_node_verbs(root, context);
  add_trust_verbs(root, context);
  add_invoke_verb(root, context);
  add_audit_verbs(root, context);
  add_version_verb(root, context);
  root.footer(footer);  // last: verbs would inherit it
  try {
    root.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help and the like
    return root.exit(request, out, err) == 0 ? done : wrong_usage;
  } catch (const CLI::ParseError& problem) {
    err << "fedgate: " << printable(usage_problem(root, problem))
        << "\nSee `fedgate --help`, or `fedgate VERB --help`.\n";
    return wrong_usage;
  }
  return context.chosen();
}

}  // namespace

void add_config_option(CLI::App& verb, Context& context) {
  verb.add_option("--config", context.where.config, std::string("Configuration file; default ") + default_config)
      ->type_name("FILE");
}

void add_output_option(CLI::App& verb, Context& context) {
  verb.add_option("--output", context.output, "table (default) or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"table", "json"}));
}

void add_daemon_options(CLI::App& verb, Context& context) {
  verb.add_option("--socket", context.where.socket,
                  "Admin socket; default $FEDGATE_SOCKET, else /run/fedgate/admin.sock")
      ->type_name("PATH");
  verb.add_option("--config", context.where.config, "Take the admin socket from this configuration")->type_name("FILE");
  add_output_option(verb, context);
}

int report(Context& context, const Error& error) {
  context.err << "fedgate: " << printable(error.detail.empty() ? error.info().title : error.detail) << '\n';
  switch (error.code) {
    case Code::daemon_unreachable:
      return unreachable;
    case Code::usage:
    case Code::invalid_configuration:
      return wrong_usage;
    default:
      // The detail comes from elsewhere; the table of codes knows what a person can do about it.
      context.err << "  code " << error.info().wire_name << ". " << error.info().advice << '\n';
      return failed;
  }
}

int ask_daemon(Context& context, const std::string& method, const std::string& target, const std::string& body,
               const std::function<void(const nlohmann::json&)>& show) {
  const auto connection = Connection::to_admin(context.where);
  if (!connection) return report(context, connection.error());
  const auto answer = (*connection)->ask(method, target, body);
  if (!answer) return report(context, answer.error());
  if (context.json()) {
    print_json(context.out, *answer);
  } else {
    show(*answer);
  }
  return done;
}

std::shared_ptr<const config::Settings> load_settings(Context& context) {
  auto loaded = config::load(context.config_file(), system_clock());
  for (const auto& finding : loaded.findings) {
    if (!loaded.settings || finding.severity == config::Severity::error)
      context.err << printable(finding.text()) << '\n';
  }
  if (!loaded.settings)
    context.err << "fedgate: " << printable(context.config_file()) << " is not a valid configuration\n";
  return loaded.settings;
}

int run(int argc, const char* const* argv, const Serve& serve, std::ostream& out, std::ostream& err) {
  try {
    const int status = run_verb(argc, argv, serve, out, err);
    out.flush();
    if (!out && status == done) {
      err << "fedgate: cannot write to standard output\n";
      return failed;
    }
    return status;
  } catch (const std::exception& problem) {
    err << "fedgate: internal error: " << printable(problem.what()) << "; please report it\n";
    return failed;
  }
}

int run(int argc, char** argv, const Serve& serve) { return run(argc, argv, serve, std::cout, std::cerr); }

}  // namespace fedgate::cli
