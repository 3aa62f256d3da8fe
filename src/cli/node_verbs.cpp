// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "cli/table.h"
#include "cli/verb.h"
#include "config/loader.h"
#include "net/http_message.h"

namespace fedgate::cli {
namespace {

constexpr const char* nodes_path = "/api/v2/federation/nodes";
constexpr std::size_t max_anchor_file = 256 * 1024;

struct NewNode {
  std::string id, name, alias, rate_limit;
  std::vector<std::string> endpoints, anchors, pins, domains, resources, reads;
  bool trusted = false;
};

void show_list(Context& context, const nlohmann::json& answer) {
  Table table({"NODE", "ALIAS", "TRUST", "ENABLED", "ENDPOINTS", "RESOURCES", "LAST SEEN", "FROM"});
  for (const auto& node : part_of(answer, "nodes")) {
    table.add({text_of(node, "node_id"), text_of(node, "alias"), text_of(node, "trust_level"),
               flag_of(node, "enabled") ? "yes" : "no", text_of(node, "endpoints"), text_of(node, "resources"),
               text_of(node, "last_seen"), text_of(node, "source")});
  }
  if (table.empty()) {
    context.out << "No nodes. Add one under `nodes:` in the configuration, or with `fedgate nodes add`.\n";
  } else {
    table.print(context.out);
  }
}

void show_node(Context& context, const nlohmann::json& node) {
  Details details;
  for (const char* key : {"node_id", "name", "alias", "trust_level", "enabled", "endpoints", "principal_domains",
                          "resources", "reads", "pins", "rate_limit_per_hour", "source", "defined_at", "trusted_since",
                          "last_seen", "created_at", "updated_at"}) {
    details.add(key, text_of(node, key));
  }
  for (const auto& anchor : part_of(node, "anchors")) {
    details.add("anchor", text_of(anchor, "subject") + ", until " + text_of(anchor, "not_after") + ", SHA-256 " +
                              text_of(anchor, "sha256"));
  }
  add_expiry(details, node);
  details.print(context.out);
}

void show_step(Context& context, const nlohmann::json& step) {
  auto result = text_of(step, "result");
  auto name = text_of(step, "step");
  result.resize(std::max<std::size_t>(result.size(), 8), ' ');
  name.resize(std::max<std::size_t>(name.size(), 16), ' ');
  std::array<char, 24> took{};
  const auto milliseconds = step.find("milliseconds");
  if (milliseconds != step.end() && milliseconds->is_number() && text_of(step, "result") != "skipped")
    std::snprintf(took.data(), took.size(), "%6.1f ms", milliseconds->get<double>());
  context.out << "  " << printable(result) << printable(name) << took.data() << "  "
              << printable(text_of(step, "detail")) << '\n';
}

void show_check(Context& context, const nlohmann::json& answer) {
  std::string endpoint;
  for (const auto& step : part_of(answer, "steps")) {
    if (text_of(step, "endpoint") != endpoint) {
      endpoint = text_of(step, "endpoint");
      context.out << printable(endpoint) << '\n';
    }
    show_step(context, step);
  }
  const auto node = printable(text_of(answer, "node_id"));
  if (flag_of(answer, "ok")) {
    context.out << "\nNothing stands between us and " << node << ".\n";
  } else {
    context.out << "\nWhat to send them:\n\n" << printable(text_of(answer, "message")) << '\n';
  }
}

Result<std::string> read_anchor(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(Code::usage, "--anchor: cannot read " + file);
  std::string text(max_anchor_file + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > max_anchor_file) return fail(Code::usage, "--anchor: " + file + " is larger than 256 KiB");
  if (text.find("PRIVATE KEY-----") != std::string::npos) {
    return fail(Code::usage, "--anchor: " + file + " holds a private key; give only the CA's certificate");
  }
  if (text.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return fail(Code::usage, "--anchor: " + file + " holds no PEM certificate (-----BEGIN CERTIFICATE-----)");
  }
  return text;
}

Result<nlohmann::json> body_of(const NewNode& options) {
  const auto id = NodeId::parse(options.id);
  if (!id) return fail(Code::usage, id.error().detail);
  nlohmann::json body{{"node_id", options.id},
                      {"endpoints", options.endpoints},
                      {"trust_anchors", nlohmann::json::array()},
                      {"pins", options.pins},
                      {"principal_domains", options.domains},
                      {"resources", options.resources},
                      {"reads", options.reads},
                      {"trusted", options.trusted}};
  if (options.domains.empty()) body["principal_domains"] = {options.id};
  if (!options.name.empty()) body["name"] = options.name;
  if (!options.alias.empty()) body["alias"] = options.alias;
  for (const auto& file : options.anchors) {
    auto pem = read_anchor(file);
    if (!pem) return fail(pem.error());
    body["trust_anchors"].push_back(std::move(*pem));
  }
  if (!options.rate_limit.empty()) {
    const auto rate = config::parse_rate_per_hour(options.rate_limit);
    if (!rate) return fail(Code::usage, "--rate-limit: " + rate.error().detail);
    body["rate_limit_per_hour"] = *rate;
  }
  return body;
}

int add_node(Context& context, const NewNode& options) {
  const auto body = body_of(options);
  if (!body) return report(context, body.error());
  return ask_daemon(
      context, "POST", nodes_path, body->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace),
      [&](const nlohmann::json& node) {
        context.out << "added\n";
        show_node(context, node);
        if (!options.trusted) {
          context.out << "\nIt is not trusted yet: it can neither call nor be called. After comparing the anchor's "
                         "fingerprint with the other organisation, remove it and add it with --trusted.\n";
        }
      });
}

/// What the daemon wants the operator to know beside the answer.
void show_note(Context& context, const nlohmann::json& answer) {
  if (const auto note = text_of(answer, "note"); !note.empty()) context.err << "Note: " << printable(note) << '\n';
}

/// Of the node `id`, a node_id or an alias.
Result<std::string> path_of(const std::string& id) {
  const bool plain =
      id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == std::string::npos;
  if (plain && !id.empty() && !id.starts_with('.')) return std::string(nodes_path) + "/" + net::percent_encode(id);
  return fail(Code::usage, "`" + id.substr(0, 64) + "` is neither a node_id nor an alias; see `fedgate nodes list`");
}

/// One request about the node `id`.
int about_node(Context& context, const std::string& id, const std::string& method, const std::string& body,
               const std::function<void(const nlohmann::json&)>& show) {
  const auto path = path_of(id);
  if (!path) return report(context, path.error());
  return ask_daemon(context, method, *path, body, show);
}

/// Reports what stands in the way of a node; that something does is a failure.
int check_node(Context& context, const std::string& id) {
  const auto path = path_of(id);
  if (!path) return report(context, path.error());
  const auto connection = Connection::to_admin(context.where);
  if (!connection) return report(context, connection.error());
  const auto answer = (*connection)->ask("POST", *path + "/check");
  if (!answer) return report(context, answer.error());
  if (context.json()) {
    print_json(context.out, *answer);
  } else {
    show_check(context, *answer);
  }
  return flag_of(*answer, "ok") ? done : failed;
}

void add_check_verb(CLI::App& group, Context& context) {
  auto* verb = group.add_subcommand("check", "Find out why a node cannot be reached, and who has to do what");
  verb->footer(
      "Tries each endpoint step by step: name, connection, both certificates, a request, the clocks, what the other\n"
      "side sees of us. Changes nothing. Exit status 1 where something fails; then it prints a sentence to send them.");
  auto id = std::make_shared<std::string>();
  verb->add_option("node", *id, "Its node_id or alias")->required()->type_name("NODE");
  add_daemon_options(*verb, context);
  verb->callback([&context, id] { context.chosen = [&context, id] { return check_node(context, *id); }; });
}

void add_verb_about_node(CLI::App& group, Context& context, const char* name, const char* text, const char* footer,
                         const char* method, const char* body,
                         std::function<void(const std::string&, const nlohmann::json&)> show) {
  auto* verb = group.add_subcommand(name, text);
  verb->footer(footer);
  auto id = std::make_shared<std::string>();
  verb->add_option("node", *id, "Its node_id or alias")->required()->type_name("NODE");
  add_daemon_options(*verb, context);
  verb->callback([&context, id, method, body, show = std::move(show)] {
    context.chosen = [&context, id, method, body, show] {
      return about_node(context, *id, method, body, [&](const nlohmann::json& answer) { show(*id, answer); });
    };
  });
}

void add_add_verb(CLI::App& group, Context& context) {
  auto* verb = group.add_subcommand("add", "Add a node to the registry");
  verb->footer(
      "A trust anchor may speak for this one node only. --trusted says that you have compared its fingerprint with\n"
      "the other organisation by another way (in person, by telephone).");
  auto options = std::make_shared<NewNode>();
  verb->add_option("node", options->id, "Its node_id")->required()->type_name("NODE");
  const auto list = [&](const char* name, std::vector<std::string>& into, const char* text, const char* type) {
    return verb->add_option(name, into, text)->allow_extra_args(false)->type_name(type);
  };
  list("--endpoint", options->endpoints, "https://host:port of its gateway; may be repeated", "URL");
  list("--anchor", options->anchors, "PEM file of its CA certificate; may be repeated", "FILE")->required();
  list("--pin", options->pins, "SHA-256 (hex) of a public key it must have; may be repeated", "SHA256");
  list("--domain", options->domains, "A domain whose principals it may vouch for; default its node_id; may be repeated",
       "DOMAIN");
  list("--resource", options->resources, "A resource that lives there; may be repeated", "ID");
  list("--read", options->reads, "A capability there that has no effects; may be repeated", "RESOURCE/CAPABILITY");
  verb->add_option("--name", options->name, "Name for people")->type_name("TEXT");
  verb->add_option("--alias", options->alias, "Short name")->type_name("WORD");
  verb->add_option("--rate-limit", options->rate_limit, "Calls it may make: 6000/h")->type_name("RATE");
  verb->add_flag("--trusted", options->trusted, "Trust it from now on");
  add_daemon_options(*verb, context);
  verb->callback([&context, options] { context.chosen = [&context, options] { return add_node(context, *options); }; });
}

}  // namespace

void add_expiry(Details& details, const nlohmann::json& answer) {
  for (const auto& thing : part_of(answer, "expiry"))
    details.add(
        flag_of(thing, "attention") ? "ENDS SOON" : "ends",
        text_of(thing, "what") + ": " + text_of(thing, "ends_at") + ", " + text_of(thing, "days_left") + " days left");
}

void add_node_verbs(CLI::App& root, Context& context) {
  auto* group = root.add_subcommand("nodes", "The registry of other organisations' gateways");
  group->require_subcommand(1);
  auto* list = group->add_subcommand("list", "All nodes");
  add_daemon_options(*list, context);
  list->callback([&context] {
    context.chosen = [&context] {
      return ask_daemon(context, "GET", nodes_path, "",
                        [&](const nlohmann::json& answer) { show_list(context, answer); });
    };
  });
  add_verb_about_node(*group, context, "show", "All about one node", "", "GET", "",
                      [&](const std::string&, const nlohmann::json& node) { show_node(context, node); });
  add_add_verb(*group, context);
  add_check_verb(*group, context);
  add_verb_about_node(*group, context, "disable", "Cut a node off, reversibly",
                      "Takes effect at once, on open connections too, and even while the database is away.", "PATCH",
                      R"({"enabled":false})", [&](const std::string& id, const nlohmann::json& answer) {
                        context.out << id << " is disabled: it can neither call nor be called\n";
                        show_note(context, answer);
                      });
  add_verb_about_node(*group, context, "enable", "Let a disabled node in again", "", "PATCH", R"({"enabled":true})",
                      [&](const std::string& id, const nlohmann::json& node) {
                        const auto level = text_of(node, "trust_level");
                        context.out << id << " is enabled"
                                    << (level == "trusted" ? "" : ", but its trust level is " + printable(level))
                                    << '\n';
                      });
  add_verb_about_node(*group, context, "remove", "Remove a node from the registry",
                      "A node that the configuration defines is removed there.", "DELETE", "",
                      [&](const std::string& id, const nlohmann::json& answer) {
                        context.out << id << " is removed\n";
                        show_note(context, answer);
                      });
}

}  // namespace fedgate::cli
