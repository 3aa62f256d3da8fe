// SPDX-License-Identifier: Apache-2.0
//
// What all verbs share. Each verb file adds its part of the tree to CLI11's App; parsing only chooses, so that
// the verb runs after CLI11 is done and its exit status is its own.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "cli/cli.h"
#include "cli/connection.h"
#include "config/settings.h"
#include "fedgate/error.h"

namespace fedgate::cli {

inline constexpr const char* default_config = "/etc/fedgate/fedgate.yaml";

class Details;

struct Context {
  std::ostream& out;
  std::ostream& err;
  Whereabouts where;
  std::string output = "table";
  std::function<int()> chosen{};

  [[nodiscard]] bool json() const { return output == "json"; }
  [[nodiscard]] std::string config_file() const { return where.config.empty() ? default_config : where.config; }
};

// Options that several verbs take, with the same words.
void add_config_option(CLI::App& verb, Context& context);
void add_output_option(CLI::App& verb, Context& context);
/// --socket, --config, --output: for verbs that talk to the admin socket.
void add_daemon_options(CLI::App& verb, Context& context);

/// Says on `err` what went wrong and what to try; the exit status for it.
int report(Context& context, const Error& error);
/// Asks the admin socket; on success prints the answer as JSON or by `show`.
int ask_daemon(Context& context, const std::string& method, const std::string& target, const std::string& body,
               const std::function<void(const nlohmann::json&)>& show);
/// Loads the configuration for an offline verb; problems go to `err`. Null: they were errors.
std::shared_ptr<const config::Settings> load_settings(Context& context);

class Details;
/// What the daemon says of a node that will end.
void add_expiry(Details& details, const nlohmann::json& answer);

void add_configuration_verbs(CLI::App& root, Context& context);  // check, init, config-reference
void add_token_verbs(CLI::App& root, Context& context);
void add_migrate_verbs(CLI::App& root, Context& context);
void add_policy_verbs(CLI::App& root, Context& context);
void add_daemon_verbs(CLI::App& root, Context& context);  // status, reload, routes
void add_node_verbs(CLI::App& root, Context& context);
void add_trust_verbs(CLI::App& root, Context& context);
/// Of `trust`: announce and retire.
void add_trust_rotation(CLI::App& trust, Context& context);
void show_bundle(Details& details, const nlohmann::json& relationship);
void add_audit_verbs(CLI::App& root, Context& context);
/// Of `audit`.
void add_audit_reconcile(CLI::App& audit, Context& context);
void add_audit_export(CLI::App& audit, Context& context);
void add_audit_receipt(CLI::App& audit, Context& context);
/// Of `audit`: new-log and rotate-key.
void add_signing_verbs(CLI::App& audit, Context& context);
void add_erase_verb(CLI::App& audit, Context& context);
/// Of `audit`: verify.
void add_audit_verify(CLI::App& audit, Context& context);
void add_invoke_verb(CLI::App& root, Context& context);
void add_pki_verbs(CLI::App& root, Context& context);
/// The part of `pki` that judges: verify.
void add_pki_verify(CLI::App& pki, Context& context);

}  // namespace fedgate::cli
