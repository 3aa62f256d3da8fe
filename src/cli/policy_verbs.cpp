// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/table.h"
#include "cli/verb.h"
#include "policy/rules.h"

namespace fedgate::cli {
namespace {

struct Case {
  std::string direction = "in", principal, node, resource, capability, access;
  std::vector<std::string> groups;
};

bool matches_everything(const std::vector<std::string>& patterns) {
  return patterns.empty() || std::ranges::find(patterns, "*") != patterns.end();
}

bool catches_all(const policy::Rule& rule) {
  return matches_everything(rule.nodes) && matches_everything(rule.principals) && rule.groups.empty() &&
         matches_everything(rule.resources) && matches_everything(rule.capabilities) &&
         rule.access.value_or(Access::write) == Access::write && !rule.until;
}

/// Rules that are well-formed and yet can never decide anything.
std::vector<std::string> dead_rules(const std::vector<policy::Rule>& rules, WallTime now) {
  std::vector<std::string> warnings;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto& rule = rules[i];
    const std::string name = rule.defined_at + ": warning: rule " + rule.id;
    if (rule.until && *rule.until <= now) warnings.push_back(name + " is over: `until` has passed; remove or renew it");
    const auto before = std::find_if(
        rules.begin(), rules.begin() + static_cast<std::ptrdiff_t>(i),
        [&](const policy::Rule& other) { return other.direction == rule.direction && catches_all(other); });
    if (before != rules.begin() + static_cast<std::ptrdiff_t>(i)) {
      warnings.push_back(name + " is never reached: " + before->id +
                         " matches everything before it; move it up or remove it");
    }
  }
  return warnings;
}

int check(Context& context) {
  const auto settings = load_settings(context);
  if (!settings) return wrong_usage;
  const auto warnings = dead_rules(settings->rules, system_clock().wall());
  if (context.json()) {
    print_json(context.out, {{"rules", settings->rules.size()}, {"warnings", warnings}});
    return done;
  }
  for (const auto& warning : warnings) context.err << printable(warning) << '\n';
  context.out << settings->rules.size() << " rules are valid; what none of them matches is denied\n";
  return done;
}

/// What the configuration says about the capability; else a write, as the daemon takes it.
Access access_of(const config::Settings& settings, const Invocation& call) {
  if (call.direction == Direction::out) {
    const auto node = std::ranges::find(settings.nodes, call.target, &Node::id);
    const std::string name = call.resource.str() + "/" + call.capability.str();
    const bool reads = node != settings.nodes.end() && std::ranges::find(node->reads, name) != node->reads.end();
    return reads ? Access::read : Access::write;
  }
  const adapters::ResourceTable table(settings.resources);
  const auto found = table.find(call.resource, call.capability);
  return found.capability == nullptr ? Access::write : found.capability->access;
}

Result<Invocation> invocation_of(const Case& asked, const config::Settings& settings) {
  Invocation call;
  call.direction = asked.direction == "out" ? Direction::out : Direction::in;
  const auto wrong = [](std::string_view option, const Error& error) {
    return fail(Code::usage, std::string(option) + ": " + error.detail);
  };
  auto node = NodeId::parse(asked.node);
  if (!node) return wrong("--node", node.error());
  auto principal = PrincipalId::parse(asked.principal);
  if (!principal) return wrong("--principal", principal.error());
  auto resource = ResourceId::parse(asked.resource);
  if (!resource) return wrong("--resource", resource.error());
  auto capability = CapabilityId::parse(asked.capability);
  if (!capability) return wrong("--capability", capability.error());
  call.origin = call.direction == Direction::in ? *node : settings.node.id;
  call.target = call.direction == Direction::in ? settings.node.id : *node;
  call.principal = std::move(*principal);
  call.resource = std::move(*resource);
  call.capability = std::move(*capability);
  call.groups = asked.groups;
  if (call.groups.empty() && call.direction == Direction::out) {
    const auto client = std::ranges::find(settings.clients_list, call.principal, &trust::ClientEntry::principal);
    if (client != settings.clients_list.end()) call.groups = client->groups;
  }
  return call;
}

int test(Context& context, const Case& asked) {
  const auto settings = load_settings(context);
  if (!settings) return wrong_usage;
  const auto call = invocation_of(asked, *settings);
  if (!call) return report(context, call.error());
  const Access access = asked.access.empty()     ? access_of(*settings, *call)
                        : asked.access == "read" ? Access::read
                                                 : Access::write;
  const NodeId& counterparty = call->direction == Direction::in ? call->origin : call->target;
  const auto decision = policy::Rules(settings->rules).decide(*call, counterparty, access, system_clock().wall());
  const auto rule = std::ranges::find(settings->rules, decision.rule, &policy::Rule::id);
  const std::string place = rule == settings->rules.end() ? "" : rule->defined_at;
  const char* verdict = decision.allowed() ? "allow" : "deny";
  if (context.json()) {
    print_json(context.out, {{"decision", verdict},
                             {"rule", decision.rule},
                             {"defined_at", place},
                             {"reason", decision.reason},
                             {"access", to_string(access)},
                             {"groups", call->groups}});
  } else {
    Details details;
    details.add("decision", verdict);
    details.add("rule", place.empty() ? decision.rule : decision.rule + " (" + place + ")");
    details.add("reason", decision.reason);
    details.add("judged as", std::string(to_string(access)) + ", direction " + asked.direction);
    details.print(context.out);
  }
  return decision.allowed() ? done : failed;
}

}  // namespace

void add_policy_verbs(CLI::App& root, Context& context) {
  auto* group = root.add_subcommand("policy", "Validate the policy rules; judge one case");
  group->require_subcommand(1);
  auto* valid = group->add_subcommand("check", "Validate the rules; name those that can never decide anything");
  add_config_option(*valid, context);
  add_output_option(*valid, context);
  valid->callback([&context] { context.chosen = [&context] { return check(context); }; });

  auto* verb = group->add_subcommand("test", "Judge one case and name the rule");
  verb->footer("Exit status 0: allowed; 1: denied. Only policy is judged: no limits, no trust, no routes.");
  auto asked = std::make_shared<Case>();
  verb->add_option("--direction", asked->direction, "in: the peer calls us (default); out: we call the peer")
      ->type_name("DIRECTION")
      ->check(CLI::IsMember({"in", "out"}));
  verb->add_option("--node", asked->node, "The peer")->required()->type_name("ID");
  verb->add_option("--principal", asked->principal, "Who asks")->required()->type_name("PRINCIPAL");
  verb->add_option("--resource", asked->resource, "What for")->required()->type_name("ID");
  verb->add_option("--capability", asked->capability, "What it would do")->required()->type_name("ID");
  verb->add_option("--access", asked->access,
                   "read or write; default: as the resource's configuration says, else write")
      ->type_name("ACCESS")
      ->check(CLI::IsMember({"read", "write"}));
  verb->add_option("--group", asked->groups,
                   "A group of the principal; may be repeated; default for out: as in clients:")
      ->allow_extra_args(false)
      ->type_name("GROUP");
  add_config_option(*verb, context);
  add_output_option(*verb, context);
  verb->callback([&context, asked] { context.chosen = [&context, asked] { return test(context, *asked); }; });
}

}  // namespace fedgate::cli
