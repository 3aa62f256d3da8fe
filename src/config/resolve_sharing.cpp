// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "adapters/http_adapter.h"
#include "config/resolver.h"
#include "config/scalars.h"
#include "net/ascii.h"
#include "trust/client_tokens.h"

namespace fedgate::config {
namespace {

bool is_header_name(std::string_view name) {
  return !name.empty() &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~") ==
             std::string_view::npos;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), net::lower);
  return out;
}

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

bool literal(std::string_view glob) { return glob.find('*') == std::string_view::npos; }

}  // namespace

bool Resolver::ours(const PrincipalId& principal) const {
  return std::ranges::any_of(out_.node.principal_domains,
                             [&](const Domain& domain) { return domain.view() == domain_of(principal); });
}

void Resolver::clients() {
  std::map<std::string, Place> digests;
  for (const auto& from : root_.clients) {
    trust::ClientEntry into;
    into.principal = *from->principal;
    into.defined_at = report_.line_of(from.place);
    const auto foreign = [&](const draft::Placed<PrincipalId>& principal, std::string_view key) {
      if (!principal.bound() || out_.node.principal_domains.empty() || ours(*principal)) return;
      report_.error(principal.place,
                    "`clients[]." + std::string(key) + "` is `" + principal->str() +
                        "`, but this gateway speaks only for principals of its own `node.principal_domains`");
    };
    foreign(from->principal, "principal");
    for (const auto& group : *from->groups) into.groups.push_back(*group);
    for (const auto& principal : *from->may_act_for) {
      foreign(principal, "may_act_for");
      into.may_act_for.push_back(*principal);
    }
    if (from->expires.bound()) {
      into.expires = *from->expires;
      if (*into.expires <= clock_.wall())
        report_.warning(from->expires.place, "`clients[].expires` is past: this client's token is refused");
    }
    if (const auto text = files_.read(from->token_file, "clients[].token_file", Secrecy::secret)) {
      auto digest = trust::parse_token_file(*text);
      if (!digest) {
        report_.error(from->token_file.place,
                      "`clients[].token_file`: " + files_.locate(from->token_file, "clients[].token_file") + ": " +
                          digest.error().detail);
      } else if (const auto [first, fresh] = digests.emplace(*digest, from->token_file.place); !fresh) {
        report_.error(from->token_file.place, "`clients[].token_file` holds the same token as that at " +
                                                  report_.at(first->second) +
                                                  "; a token stands for one client: issue another");
      } else {
        into.token_sha256 = std::move(*digest);
      }
    }
    out_.clients_list.push_back(std::move(into));
  }
}

void Resolver::resources() {
  for (const auto& from : root_.resources) {
    adapters::Resource into;
    into.id = *from->id;
    into.name = *from->name;
    into.defined_at = report_.line_of(from.place);
    adapter(from.value, into);
    if (from->capabilities.empty()) {
      report_.warning(from.place,
                      "resource `" + into.id.str() + "` has no `capabilities`: nothing of it can be called");
    }
    for (const auto& one : from->capabilities) into.capabilities.push_back(capability(one));
    out_.resources.push_back(std::move(into));
  }
}

void Resolver::adapter(const draft::Resource& from, adapters::Resource& into) {
  const auto& adapter = from.adapter.value;
  into.type = "http";
  into.url = *adapter.url;
  if (into.url.starts_with("https:")) {
    report_.error(adapter.url.place,
                  "`resources[].adapter.url`: the certificates of https services are not judged yet; give an http URL, "
                  "on this host or behind a proxy on it");
  }
  headers(adapter, into);
  if (auto text = files_.read(adapter.authorization_file, "resources[].adapter.authorization_file", Secrecy::secret)) {
    auto value = without_line_end(std::move(*text));
    const bool printable = std::ranges::all_of(value, [](char c) { return c >= 0x20 && c < 0x7F; });
    if (value.empty() || !printable) {
      report_.error(adapter.authorization_file.place,
                    "`resources[].adapter.authorization_file` must hold one line, the value of the Authorization "
                    "header, as in `Bearer …`");
    } else {
      into.authorization = std::move(value);
    }
  }
}

void Resolver::headers(const draft::Adapter& from, adapters::Resource& into) {
  constexpr std::array<std::string_view, 10> made_by_us{
      "host", "content-length", "transfer-encoding", "connection",     "keep-alive", "upgrade",
      "te",   "trailer",        "content-type",      "accept-encoding"};
  std::set<std::string> seen;
  for (const auto& [name, value] : from.headers) {
    const auto lower = lower_case(*name);
    if (!is_header_name(*name)) {
      report_.error(name.place, "`resources[].adapter.headers`: `" + shorten(*name) + "` is not a header name");
    } else if (lower == "authorization" || lower == "proxy-authorization" || lower == "cookie") {
      report_.error(name.place, "`resources[].adapter.headers` must not hold `" + *name +
                                    "`: secrets come from files; give `authorization_file`");
    } else if (std::ranges::find(made_by_us, lower) != made_by_us.end()) {
      report_.error(name.place, "`resources[].adapter.headers` must not hold `" + *name + "`: the gateway sets it");
    } else if (!seen.insert(lower).second) {
      report_.error(name.place, "`resources[].adapter.headers` holds `" + *name + "` twice; remove one");
    } else {
      into.headers.emplace_back(*name, *value);
    }
  }
}

adapters::Capability Resolver::capability(const draft::Group<draft::Capability>& from) {
  adapters::Capability into;
  into.id = *from->id;
  into.description = *from->description;
  into.request = *from->request;
  into.arguments = *from->arguments;
  into.access = *from->access;
  into.idempotent = *from->idempotent;
  into.timeout = *from->timeout;
  into.defined_at = report_.line_of(from.place);
  if (from->request.bound()) {
    if (const auto request = adapters::RequestTemplate::parse(*from->request); !request) {
      report_.error(from->request.place, "`resources[].capabilities[].request`: " + request.error().detail);
    }
  }
  return into;
}

void Resolver::rules() {
  for (const auto& from : root_.policy->rules) {
    policy::Rule into;
    into.id = *from->id;
    into.direction = *from->direction;
    into.effect = *from->effect;
    into.defined_at = report_.line_of(from.place);
    const auto copy = [](const draft::List<std::string>& globs) {
      std::vector<std::string> out;
      for (const auto& glob : *globs) out.push_back(*glob);
      return out;
    };
    into.nodes = copy(from->nodes);
    into.principals = copy(from->principals);
    into.groups = copy(from->groups);
    into.resources = copy(from->resources);
    into.capabilities = copy(from->capabilities);
    if (from->access.bound()) into.access = *from->access;
    if (from->until.bound()) {
      into.until = *from->until;
      if (*into.until <= clock_.wall())
        report_.warning(from->until.place, "`policy.rules[].until` is past: this rule matches nothing any more");
    }
    references(from.value);
    out_.rules.push_back(std::move(into));
  }
}

void Resolver::references(const draft::Rule& rule) {
  const auto known = [&](const std::string& node) {
    return node == out_.node.id.view() ||
           std::ranges::any_of(out_.nodes, [&](const Node& each) { return each.id.view() == node; });
  };
  for (const auto& glob : *rule.nodes) {
    if (!literal(*glob) || known(*glob)) continue;
    report_.warning(glob.place, "`policy.rules[].nodes` names `" + shorten(*glob) +
                                    "`, which is not in `nodes`; right only if it was added by `fedgate nodes add`");
  }
  if (!rule.direction.bound() || *rule.direction != Direction::in) return;
  for (const auto& glob : *rule.resources) {
    const bool shared =
        std::ranges::any_of(out_.resources, [&](const adapters::Resource& each) { return each.id.view() == *glob; });
    if (!literal(*glob) || shared) continue;
    report_.warning(glob.place, "`policy.rules[].resources` names `" + shorten(*glob) +
                                    "`, which is not in `resources`: a call in cannot ask for it");
  }
}

}  // namespace fedgate::config
