// SPDX-License-Identifier: Apache-2.0
#include "base/time_text.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "store/store.h"

namespace fedgate::cli {
namespace {

/// The store of the configuration, with its schema as it is.
Result<std::unique_ptr<store::Store>> open_store(Context& context) {
  const auto settings = load_settings(context);
  if (!settings) return fail(Code::invalid_configuration, "the store is not opened");
  auto options = settings->store;
  options.migrate = false;
  options.any_schema = true;
  return store::open(options);
}

std::string text_of(const store::MigrationStatus& each) {
  return each.applied_at ? utc_text(*each.applied_at) : std::string();
}

int show_status(Context& context, store::Store& store) {
  const auto migrations = store.migrations();
  if (!migrations) return report(context, migrations.error());
  if (context.json()) {
    auto list = nlohmann::json::array();
    for (const auto& each : *migrations) {
      list.push_back(
          {{"version", each.version}, {"name", each.name}, {"applied", each.applied()}, {"applied_at", text_of(each)}});
    }
    print_json(context.out, {{"store", store.kind()}, {"migrations", list}});
    return done;
  }
  Table table({"VERSION", "NAME", "APPLIED"});
  for (const auto& each : *migrations)
    table.add({std::to_string(each.version), each.name, each.applied_at ? text_of(each) : "no"});
  table.print(context.out);
  return done;
}

int migrate(Context& context, const std::function<int(store::Store&)>& act) {
  auto store = open_store(context);
  if (!store) return report(context, store.error());
  return act(**store);
}

int report_moved(Context& context, const Result<int>& count, std::string_view what) {
  if (!count) return report(context, count.error());
  if (context.json()) {
    print_json(context.out, {{what, *count}});
  } else {
    context.out << *count << (*count == 1 ? " migration " : " migrations ") << what << '\n';
  }
  return done;
}

}  // namespace

void add_migrate_verbs(CLI::App& root, Context& context) {
  auto* group = root.add_subcommand("migrate", "The database schema: up, down, status");
  group->require_subcommand(1);
  const auto add = [&](const char* name, const char* text, std::function<int(store::Store&)> act) {
    auto* verb = group->add_subcommand(name, text);
    add_config_option(*verb, context);
    add_output_option(*verb, context);
    verb->callback(
        [&context, act = std::move(act)] { context.chosen = [&context, act] { return migrate(context, act); }; });
    return verb;
  };
  add("status", "List the migrations and which are applied",
      [&](store::Store& store) { return show_status(context, store); });
  add("up", "Apply what is missing",
      [&](store::Store& store) { return report_moved(context, store.migrate_up(), "applied"); });
  auto steps = std::make_shared<int>(0);
  auto* down = add("down", "Take back the newest N migrations", [&context, steps](store::Store& store) {
    return report_moved(context, store.migrate_down(*steps), "reverted");
  });
  down->footer("Taking a migration back can delete data: stop the daemon and make a backup first.");
  down->add_option("steps", *steps, "How many")->required()->check(CLI::Range(1, 1000))->type_name("N");
}

}  // namespace fedgate::cli
