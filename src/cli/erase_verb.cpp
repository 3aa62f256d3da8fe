// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"
#include "cli/verb.h"

namespace fedgate::cli {
namespace {

struct Wish {
  std::string principal, reason;
};

int erase(Context& context, const Wish& wish) {
  using Json = nlohmann::json;
  const auto body =
      Json{{"principal", wish.principal}, {"reason", wish.reason}}.dump(-1, ' ', true, Json::error_handler_t::replace);
  return ask_daemon(context, "POST", "/api/v2/audit/erase", body, [&](const Json& answer) {
    context.out << "Records of " << printable(text_of(answer, "erased"))
                << " cannot be found by name any more, nor the content of its calls be shown to be what was recorded.\n"
                   "Copies of principals.salts in backups, and records made while audit.principals was clear, still "
                   "hold the name.\n";
  });
}

}  // namespace

void add_erase_verb(CLI::App& audit, Context& context) {
  auto* verb = audit.add_subcommand("erase", "Forget a principal: what ties its records to its name");
  verb->footer("No record, hash or proof changes. Needs the role trust-admin; the record of it holds no name.");
  auto wish = std::make_shared<Wish>();
  verb->add_option("PRINCIPAL", wish->principal, "Whom to forget")->required();
  verb->add_option("--reason", wish->reason, "Why; stays in the trail, so without the name")
      ->required()
      ->type_name("TEXT");
  add_daemon_options(*verb, context);
  verb->callback([&context, wish] { context.chosen = [&context, wish] { return erase(context, *wish); }; });
}

}  // namespace fedgate::cli
