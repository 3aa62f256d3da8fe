// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/hash.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "config/loader.h"
#include "net/address.h"
#include "trust/enrolment.h"
#include "trust/invite.h"

namespace fedgate::cli {
namespace {

using Json = nlohmann::json;

constexpr const char* list_path = "/api/v2/federation/trust";
constexpr std::size_t longest_input = 64 * 1024;

std::string action_path(const NodeId& node, const char* action) {
  return "/api/v2/federation/nodes/" + node.str() + "/trust/" + action;
}

std::string dumped(const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace); }

void show_next(Context& context, const Json& answer) {
  if (const auto next = text_of(answer, "next"); !next.empty())
    context.out << "\nWho must act next: " << printable(next) << '\n';
}

void show_candidate(Details& details, const Json& candidate) {
  const bool incoming = text_of(candidate, "asked") == "incoming";
  details.add("candidate", (incoming ? "it asked us, by " : "we asked it, by ") + text_of(candidate, "how") + ", " +
                               text_of(candidate, "received_at") + ", " + (incoming ? "from " : "at ") +
                               text_of(candidate, "remote"));
  details.add("  fingerprint", text_of(candidate, "fingerprint"));
  details.add("  endpoints", text_of(candidate, "endpoints"));
  details.add("  principal_domains", text_of(candidate, "principal_domains"));
  details.add("  anchors", text_of(candidate, "anchors_sha256"));
  details.add("  pins", text_of(candidate, "pins"));
  details.add("  key", text_of(candidate, "key_sha256"));
  details.add("  kept until", text_of(candidate, "kept_until"));
}

void show_relationship(Context& context, const Json& answer) {
  Details details;
  details.add("node_id", text_of(answer, "node_id"));
  details.add("trust_level", text_of(answer, "trust_level") + (flag_of(answer, "enabled") ? "" : ", disabled"));
  details.add("trusted_since", text_of(answer, "trusted_since"));
  if (const auto& seen = part_of(answer, "verification"); seen.is_object()) {
    const auto since = text_of(seen, "since");
    details.add("verified", since.empty() ? "NO; calls wait for it" : "since " + since);
    details.add("  last tried",
                text_of(seen, "at") + (flag_of(seen, "good") ? ", good: " : ", NOT good: ") + text_of(seen, "detail"));
  }
  show_bundle(details, answer);
  for (const auto& candidate : part_of(answer, "candidates")) show_candidate(details, candidate);
  for (const auto& invite : part_of(answer, "invites")) {
    const auto used = text_of(invite, "used_at");
    details.add("invite", text_of(invite, "id") + ", by " + text_of(invite, "created_by") + ", until " +
                              text_of(invite, "expires_at") + (used.empty() ? "" : ", used " + used));
  }
  add_expiry(details, answer);
  details.print(context.out);
  show_next(context, answer);
}

/// Since when, or what the last attempt was.
std::string verified_of(const Json& seen) {
  if (!seen.is_object()) return "not yet";
  const auto since = text_of(seen, "since");
  if (since.empty()) return "no, tried " + text_of(seen, "at");
  return "since " + since + (flag_of(seen, "good") ? "" : ", NOT at " + text_of(seen, "at"));
}

int show_list(Context& context) {
  return ask_daemon(context, "GET", list_path, "", [&](const Json& answer) {
    Table table({"NODE", "TRUST", "VERIFIED", "CANDIDATES", "INVITES"});
    const auto& nodes = part_of(answer, "nodes");
    for (const auto& node : nodes)
      table.add({text_of(node, "node_id"), text_of(node, "trust_level"), verified_of(part_of(node, "verification")),
                 std::to_string(part_of(node, "candidates").size()), std::to_string(part_of(node, "invites").size())});
    if (table.empty()) {
      context.out
          << "No relationship yet. Begin one with `fedgate trust invite NODE` or `fedgate trust request URL`.\n";
      return;
    }
    table.print(context.out);
    context.out << "\nWho must act next:\n";
    for (const auto& node : nodes)
      context.out << "  " << printable(text_of(node, "node_id")) << ": " << printable(text_of(node, "next")) << '\n';
  });
}

/// A node_id, or what is wrong with it.
Result<NodeId> node_named(const std::string& text) {
  auto node = NodeId::parse(text);
  if (!node) return fail(Code::usage, node.error().detail);
  return node;
}

int act(Context& context, const std::string& node, const char* action, const Json& body) {
  const auto id = node_named(node);
  if (!id) return report(context, id.error());
  return ask_daemon(context, "POST", action_path(*id, action), dumped(body),
                    [&](const Json& answer) { show_relationship(context, answer); });
}

/// Done only where the other side sees us as one that it trusts.
int verify(Context& context, const std::string& node) {
  const auto id = node_named(node);
  if (!id) return report(context, id.error());
  bool good = false;
  const int asked = ask_daemon(context, "POST", action_path(*id, "verify"), "{}", [&](const Json& answer) {
    good = flag_of(part_of(answer, "verification"), "good");
    show_relationship(context, answer);
  });
  return asked == done && !good ? static_cast<int>(failed) : asked;
}

/// A secret never stands among the arguments, where every user of the machine could read it.
Result<std::string> read_token(const std::string& file) {
  std::string text;
  const auto read_all = [&](std::istream& in) {
    text.resize(longest_input + 1);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
  };
  if (file.empty() || file == "-") {
    read_all(std::cin);
  } else {
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(Code::usage, "cannot read " + file);
    read_all(in);
  }
  if (text.size() > longest_input) return fail(Code::usage, "this is no token: it is larger than 64 KiB");
  return text;
}

int accept(Context& context, const std::string& file) {
  const auto text = read_token(file);
  if (!text) return report(context, text.error());
  const auto token = trust::parse_token(*text);
  if (!token) return report(context, Error(Code::usage, token.error().detail));
  return act(context, token->node.str(), "accept", {{"token", *text}});
}

/// A SHA-256, or a file with the CA certificate whose SHA-256 is meant.
Result<std::string> anchor_hash(const std::string& text) {
  if (const auto hash = sha256_from_hex(text)) return to_hex(*hash);
  std::ifstream in(text, std::ios::binary);
  if (!in)
    return fail(Code::usage, "--anchor: give the SHA-256 of their CA certificate (64 hex digits), or its PEM file");
  std::string pem(longest_input, '\0');
  in.read(pem.data(), static_cast<std::streamsize>(pem.size()));
  pem.resize(static_cast<std::size_t>(in.gcount()));
  const auto hash = trust::pem_sha256(pem);
  if (!hash) return fail(Code::usage, "--anchor: " + text + ": " + hash.error().detail);
  return to_hex(*hash);
}

struct InviteOptions {
  std::string node, anchor, expires;
};

int invite(Context& context, const InviteOptions& options) {
  const auto id = node_named(options.node);
  if (!id) return report(context, id.error());
  Json body = Json::object();
  if (!options.anchor.empty()) {
    const auto hash = anchor_hash(options.anchor);
    if (!hash) return report(context, hash.error());
    body["anchor_sha256"] = *hash;
  }
  if (!options.expires.empty()) {
    const auto lifetime = config::parse_duration(options.expires);
    if (!lifetime) return report(context, Error(Code::usage, "--expires: " + lifetime.error().detail));
    body["expires_seconds"] = std::chrono::duration_cast<std::chrono::seconds>(*lifetime).count();
  }
  return ask_daemon(context, "POST", action_path(*id, "invite"), dumped(body), [&](const Json& answer) {
    context.out << printable(text_of(answer, "token")) << '\n';
    context.err
        << "\nThis is the invite for " << id->str() << ", good until " << printable(text_of(answer, "expires_at"))
        << ". It is shown once. Whoever holds it can use it: send it by a confidential way.\n"
        << (options.anchor.empty()
                ? "Without --anchor their use of it still waits for you: you compare a fingerprint and approve.\n"
                : "It names their CA: when they accept it, both sides trust each other.\n")
        << "Who must act next: the operator of " << id->str() << ", with `fedgate trust accept` on their side.\n";
  });
}

struct RequestOptions {
  std::string url, node;
};

int request(Context& context, const RequestOptions& options) {
  const auto url = net::parse_url(options.url);
  if (!url || url->scheme != "https")
    return report(context, Error(Code::usage, "give the other gateway's https://host:port"));
  return act(context, options.node.empty() ? url->host : options.node, "request", {{"url", options.url}});
}

struct ApproveOptions {
  std::string node, fingerprint;
  bool reinstate = false;
};

int approve(Context& context, const ApproveOptions& options) {
  if (options.fingerprint.empty() && !options.reinstate)
    return report(context, Error(Code::usage,
                                 "--fingerprint: give the whole fingerprint that you have compared with "
                                 "the other operator (`fedgate trust show " +
                                     options.node + "`)"));
  Json body = Json::object();
  if (!options.fingerprint.empty()) body["fingerprint"] = options.fingerprint;
  if (options.reinstate) body["reinstate"] = true;
  return act(context, options.node, "approve", body);
}

/// "17 connections closed, the last 0.012 s after the command"
std::string closed_text(const Json& answer) {
  const auto& cut = part_of(answer, "cut_off");
  const auto connections = text_of(cut, "connections");
  if (connections == "0") return "It had no connection";
  if (!flag_of(cut, "complete")) return connections + " connections carry nothing any more, and are being closed";
  char seconds[32];
  const auto& took = part_of(cut, "seconds");
  std::snprintf(seconds, sizeof seconds, "%.3f", took.is_number() ? took.get<double>() : 0.0);
  return connections + " connections closed, the last " + seconds + " s after the command";
}

int revoke(Context& context, const std::string& node, const std::string& reason) {
  const auto id = node_named(node);
  if (!id) return report(context, id.error());
  return ask_daemon(context, "POST", action_path(*id, "revoke"), dumped({{"reason", reason}}), [&](const Json& answer) {
    context.out << id->str() << " is revoked: it can neither call nor be called. " << closed_text(answer) << '\n';
    if (const auto note = text_of(answer, "note"); !note.empty()) context.err << "Note: " << printable(note) << '\n';
    show_next(context, answer);
  });
}

/// A verb whose options live as long as the program.
template <class Options>
CLI::App* verb_of(CLI::App& group, Context& context, const char* name, const char* text,
                  const std::shared_ptr<Options>& options, int (*run)(Context&, const Options&)) {
  auto* verb = group.add_subcommand(name, text);
  add_daemon_options(*verb, context);
  verb->callback(
      [&context, options, run] { context.chosen = [&context, options, run] { return run(context, *options); }; });
  return verb;
}

void add_beginning(CLI::App& group, Context& context) {
  auto invited = std::make_shared<InviteOptions>();
  auto* verb =
      verb_of<InviteOptions>(group, context, "invite", "Make an invite for another organisation", invited, invite);
  verb->footer("The token goes to standard output, and is shown once.");
  verb->add_option("node", invited->node, "Its node_id")->required()->type_name("NODE");
  verb->add_option("--anchor", invited->anchor,
                   "SHA-256 of its CA certificate, or the PEM file: then both sides finish")
      ->type_name("SHA256");
  verb->add_option("--expires", invited->expires, "How long it is good; default 14d")->type_name("TIME");

  auto file = std::make_shared<std::string>();
  verb = verb_of<std::string>(group, context, "accept", "Use an invite of another organisation", file, accept);
  verb->footer("The token is read from standard input or a file, never from the command line.");
  verb->add_option("--token-file", *file, "File with the token; default: standard input")->type_name("FILE");

  auto asked = std::make_shared<RequestOptions>();
  verb = verb_of<RequestOptions>(group, context, "request", "Ask another organisation's gateway to trust us", asked,
                                 request);
  verb->add_option("url", asked->url, "https://host:port of its peers listener")->required()->type_name("URL");
  verb->add_option("--node", asked->node, "Its node_id; default: the host in the URL")->type_name("NODE");
}

void add_deciding(CLI::App& group, Context& context) {
  auto approved = std::make_shared<ApproveOptions>();
  auto* verb = verb_of<ApproveOptions>(group, context, "approve", "Trust a node that has asked, or that we have asked",
                                       approved, approve);
  verb->add_option("node", approved->node, "Its node_id")->required()->type_name("NODE");
  verb->add_option("--fingerprint", approved->fingerprint,
                   "What you have compared with its operator by another way, all of it")
      ->type_name("TEXT");
  verb->add_flag("--reinstate", approved->reinstate, "Lift a revocation");

  struct Revoked {
    std::string node, reason;
  };
  auto revoked = std::make_shared<Revoked>();
  verb = group.add_subcommand("revoke", "Cut a node off for good");
  verb->footer(
      "Takes effect at once, on open connections too, and survives restarts and the configuration. For a "
      "pause use `fedgate nodes disable`.");
  verb->add_option("node", revoked->node, "Its node_id")->required()->type_name("NODE");
  verb->add_option("--reason", revoked->reason, "Why; the trail keeps it")->required()->type_name("TEXT");
  add_daemon_options(*verb, context);
  verb->callback([&context, revoked] {
    context.chosen = [&context, revoked] { return revoke(context, revoked->node, revoked->reason); };
  });
}

void add_about_node(CLI::App& group, Context& context, const char* name, const char* text, const char* action) {
  auto node = std::make_shared<std::string>();
  auto* verb = group.add_subcommand(name, text);
  verb->add_option("node", *node, "Its node_id")->required()->type_name("NODE");
  add_daemon_options(*verb, context);
  verb->callback([&context, node, action] {
    context.chosen = [&context, node, action] {
      if (action != nullptr && std::string_view(action) == "verify") return verify(context, *node);
      if (action != nullptr) return act(context, *node, action, Json::object());
      const auto id = node_named(*node);
      if (!id) return report(context, id.error());
      return ask_daemon(context, "GET", std::string(list_path) + "/" + id->str(), "",
                        [&](const Json& answer) { show_relationship(context, answer); });
    };
  });
}

}  // namespace

void add_trust_verbs(CLI::App& root, Context& context) {
  auto* group = root.add_subcommand("trust", "The life of a trust relationship with another organisation");
  group->require_subcommand(1);
  add_beginning(*group, context);
  add_deciding(*group, context);
  add_trust_rotation(*group, context);
  add_about_node(*group, context, "cancel", "Forget the invites and candidates of a node; its trust level stays",
                 "cancel");
  add_about_node(*group, context, "verify", "Open an ordinary connection and ask what the node sees of us", "verify");
  add_about_node(*group, context, "show", "All about the trust with one node, and who must act next", nullptr);
  auto* list = group->add_subcommand("list", "All relationships, and who must act next");
  add_daemon_options(*list, context);
  list->callback([&context] { context.chosen = [&context] { return show_list(context); }; });
}

}  // namespace fedgate::cli
