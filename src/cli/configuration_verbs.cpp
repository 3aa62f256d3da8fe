// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"
#include "cli/verb.h"
#include "config/loader.h"
#include "config/starter.h"

namespace fedgate::cli {
namespace {

std::string counted(std::size_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

nlohmann::json to_json(const config::Finding& finding) {
  const bool is_error = finding.severity == config::Severity::error;
  return {{"severity", is_error ? "error" : "warning"},
          {"file", finding.file},
          {"line", finding.line},
          {"column", finding.column},
          {"what", finding.what}};
}

int check(Context& context) {
  const auto loaded = config::load(context.config_file(), system_clock());
  const bool valid = loaded.settings != nullptr;
  if (context.json()) {
    auto findings = nlohmann::json::array();
    for (const auto& finding : loaded.findings) findings.push_back(to_json(finding));
    print_json(context.out, {{"file", context.config_file()}, {"valid", valid}, {"findings", findings}});
    return valid ? done : wrong_usage;
  }
  std::size_t errors = 0;
  for (const auto& finding : loaded.findings) {
    context.err << printable(finding.text()) << '\n';
    if (finding.severity == config::Severity::error) ++errors;
  }
  if (!valid) {
    context.err << "fedgate: " << printable(context.config_file()) << " is not valid: " << counted(errors, "error")
                << '\n';
    return wrong_usage;
  }
  const auto& settings = *loaded.settings;
  context.out << printable(context.config_file()) << " is valid: node " << settings.node.id.str() << ", "
              << counted(settings.nodes.size(), "peer") << ", " << counted(settings.clients_list.size(), "client")
              << ", " << counted(settings.resources.size(), "resource") << ", "
              << counted(settings.rules.size(), "policy rule") << '\n';
  return done;
}

int init(Context& context, const std::string& node_id, const std::string& directory, bool dev_pki) {
  const auto id = NodeId::parse(node_id);
  if (!id) return report(context, Error(Code::usage, "--node-id: " + id.error().detail));
  const auto starter =
      config::make_starter({.node_id = *id, .directory = directory, .dev_pki = dev_pki}, system_clock());
  if (!starter) return report(context, starter.error());
  if (context.json()) {
    print_json(context.out, {{"files", starter->files}, {"next_steps", starter->next_steps}});
    return done;
  }
  for (const auto& file : starter->files) context.out << "made " << printable(file) << '\n';
  if (!starter->next_steps.empty()) context.out << "\nNext:\n";
  for (const auto& step : starter->next_steps) context.out << "  " << printable(step) << '\n';
  return done;
}

}  // namespace

void add_configuration_verbs(CLI::App& root, Context& context) {
  auto* start = root.add_subcommand("init", "Make a commented starter configuration");
  start->footer("Overwrites nothing. --dev-pki is for trying fedgate out: production brings its own PKI.");
  struct Init {
    std::string node_id, directory;
    bool dev_pki = false;
  };
  auto options = std::make_shared<Init>();
  start->add_option("--node-id", options->node_id, "This gateway's name: a DNS name of the organisation")
      ->required()
      ->type_name("ID");
  start->add_option("--dir", options->directory, "A new or empty directory")->required()->type_name("DIR");
  start->add_flag("--dev-pki", options->dev_pki, "Make a CA, a key and a certificate too");
  add_output_option(*start, context);
  start->callback([&context, options] {
    context.chosen = [&context, options] {
      return init(context, options->node_id, options->directory, options->dev_pki);
    };
  });

  auto* judge = root.add_subcommand("check", "Validate the whole configuration offline");
  judge->footer("Every finding is printed as file:line:column. Exit status 2: it has errors.");
  add_config_option(*judge, context);
  add_output_option(*judge, context);
  judge->callback([&context] { context.chosen = [&context] { return check(context); }; });

  auto* reference = root.add_subcommand("config-reference", "Print the configuration reference (Markdown)");
  reference->callback([&context] {
    context.chosen = [&context] {
      context.out << config::reference();
      return done;
    };
  });
}

}  // namespace fedgate::cli
