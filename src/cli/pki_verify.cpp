// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/hash.h"
#include "base/json.h"
#include "cli/moment.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "net/ascii.h"
#include "trust/name_syntax.h"
#include "trust/openssl.h"
#include "trust/peer_verifier.h"

namespace fedgate::cli {
namespace {

using trust::Reason;
using trust::Refusal;

constexpr json::Limits line_limits{.bytes = 64UL << 20, .depth = 4};
constexpr std::size_t most_certificates = 64;  // the verifier says when it is too many

/// What there is to judge, as texts.
struct Question {
  std::string node_id;
  std::vector<std::string> anchors, intermediates, pins, crls, chain;
  std::string as = "client", at, staple;
};

trust::Judgement refused(std::string why) {
  trust::Judgement judgement;
  judgement.refusals.push_back({Reason::input_malformed, std::move(why)});
  return judgement;
}

/// As people copy them: in capitals, with colons.
std::string pin_from(std::string text) {
  std::erase(text, ':');
  std::ranges::transform(text, text.begin(), net::lower);
  return text;
}

Result<Node> node_from(const Question& question) {
  Node node;
  const auto& name = question.node_id;
  if (name.starts_with("spiffe:")) {
    if (auto checked = trust::check_spiffe_id(name); !checked) return fail(checked.error());
    node.spiffe_id = name;
    // What else it is called does not matter here.
    node.id = *NodeId::parse("spiffe.invalid");
  } else {
    auto id = NodeId::parse(name);
    if (!id) return fail(id.error());
    node.id = std::move(*id);
  }
  node.trust_anchors = question.anchors;
  node.intermediates = question.intermediates;
  for (const auto& pin : question.pins) node.pins.push_back(pin_from(pin));
  node.trust_level = TrustLevel::trusted;
  return node;
}

trust::Judgement judge(const Question& question) {
  const auto node = node_from(question);
  if (!node) return refused("node_id: " + node.error().detail);
  if (question.as != "client" && question.as != "server") return refused("as: it must be client or server");
  WallTime at = system_clock().wall();
  if (!question.at.empty()) {
    const auto moment = instant_from(question.at);
    if (!moment) return refused("at: " + moment.error().detail);
    at = *moment;
  }
  std::string pem;
  for (const auto& part : question.chain) pem.append(part).append("\n");
  const auto certificates = trust::read_certificates(pem, most_certificates);
  if (!certificates) return refused("chain: " + certificates.error().detail);
  std::vector<X509*> rest;
  for (std::size_t i = 1; i < certificates->size(); ++i) rest.push_back((*certificates)[i].get());
  std::vector<trust::CrlSource> sources;
  for (std::size_t i = 0; i < question.crls.size(); ++i)
    sources.push_back({"number " + std::to_string(i + 1), question.crls[i], node->id});
  const auto verifier = trust::PeerVerifier::make({&*node, 1}, nullptr, trust::RevocationLists::make(sources));
  const bool client = question.as == "client";
  return verifier->judge({.leaf = certificates->front().get(),
                          .rest = rest,
                          .presented = client ? trust::Presented::by_client : trust::Presented::by_server,
                          .expected = node->id,
                          .at = at,
                          .staple = question.staple},
                         trust::Findings::Extent::every);
}

// ---- one certificate ------------------------------------------------------------------------------------------

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::io_error, "cannot read " + path);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return fail(Code::io_error, "cannot read " + path);
  return text;
}

Result<void> read_files(const std::vector<std::string>& paths, std::vector<std::string>& into) {
  for (const auto& path : paths) {
    auto text = read_file(path);
    if (!text) return fail(text.error());
    into.push_back(std::move(*text));
  }
  return {};
}

nlohmann::json to_json(const Question& question, const trust::Judgement& judgement) {
  auto reasons = nlohmann::json::array();
  for (const auto& refusal : judgement.refusals)
    reasons.push_back({{"reason", refusal.id()}, {"detail", refusal.detail}});
  nlohmann::json answer{{"node_id", question.node_id}, {"accepted", judgement.accepted()}, {"reasons", reasons}};
  if (judgement.accepted()) {
    answer["sha256"] = to_hex(judgement.identity->certificate);
    answer["pin"] = to_hex(judgement.identity->public_key);
    answer["valid_until"] = to_rfc3339(judgement.identity->valid_until);
  }
  return answer;
}

int say(Context& context, const Question& question, const trust::Judgement& judgement) {
  if (context.json()) {
    print_json(context.out, to_json(question, judgement));
  } else if (judgement.accepted()) {
    Details details;
    details.add("accepted", "as " + question.as + ", it is " + question.node_id);
    details.add("until", to_rfc3339(judgement.identity->valid_until));
    details.add("SHA-256", to_hex(judgement.identity->certificate));
    details.add("pin", to_hex(judgement.identity->public_key));
    details.print(context.out);
  } else {
    context.out << "refused, as " << question.as << " for " << printable(question.node_id) << '\n';
    Details details;
    for (const auto& refusal : judgement.refusals) details.add("  " + std::string(refusal.id()), refusal.detail);
    details.print(context.out);
  }
  return judgement.accepted() ? done : failed;
}

struct Options {
  Question question;
  std::vector<std::string> anchors, intermediates, crls;
  std::string chain, ocsp, batch;
};

int verify_one(Context& context, const Options& options) {
  Question question = options.question;
  for (const auto& read :
       {read_files(options.anchors, question.anchors), read_files(options.intermediates, question.intermediates),
        read_files(options.crls, question.crls), read_files({options.chain}, question.chain)})
    if (!read) return report(context, read.error());
  if (!options.ocsp.empty()) {
    auto staple = read_file(options.ocsp);
    if (!staple) return report(context, staple.error());
    question.staple = std::move(*staple);
  }
  return say(context, question, judge(question));
}

// ---- many -----------------------------------------------------------------------------------------------------

/// Empty where the member is not there; an error where it is not a text or a list of texts.
Result<std::vector<std::string>> texts_of(const nlohmann::json& object, const char* key) {
  std::vector<std::string> texts;
  const auto member = object.find(key);
  if (member == object.end() || member->is_null()) return texts;
  if (member->is_string()) return std::vector{member->get<std::string>()};
  if (!member->is_array()) return fail(Code::bad_request, std::string(key) + ": a list of texts is wanted");
  for (const auto& item : *member) {
    if (!item.is_string()) return fail(Code::bad_request, std::string(key) + ": a list of texts is wanted");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

Result<std::string> one_text_of(const nlohmann::json& object, const char* key, const char* otherwise) {
  const auto member = object.find(key);
  if (member == object.end() || member->is_null()) return otherwise;
  if (!member->is_string()) return fail(Code::bad_request, std::string(key) + ": a text is wanted");
  return member->get<std::string>();
}

Result<Question> question_from(const nlohmann::json& object) {
  Question question;
  for (auto [key, into] :
       {std::pair{"anchors", &question.anchors}, std::pair{"intermediates", &question.intermediates},
        std::pair{"pins", &question.pins}, std::pair{"crls", &question.crls}, std::pair{"chain", &question.chain}}) {
    auto texts = texts_of(object, key);
    if (!texts) return fail(texts.error());
    *into = std::move(*texts);
  }
  for (auto [key, into, otherwise] : {std::tuple{"node_id", &question.node_id, ""},
                                      std::tuple{"as", &question.as, "client"}, std::tuple{"at", &question.at, ""}}) {
    auto text = one_text_of(object, key, otherwise);
    if (!text) return fail(text.error());
    *into = std::move(*text);
  }
  return question;
}

struct Answered {
  std::string id;
  Question question;
  trust::Judgement judgement;
};

Answered judge_line(std::string_view line, std::size_t number) {
  Answered answer{"line " + std::to_string(number), {}, {}};
  const auto object = json::parse(line, line_limits);
  if (!object || !object->is_object()) {
    answer.judgement = refused(object ? "the line is not a JSON object" : object.error().detail);
    return answer;
  }
  if (const auto id = object->find("id"); id != object->end())
    answer.id = printable(id->is_string() ? id->get<std::string>() : id->dump());
  auto question = question_from(*object);
  if (!question) {
    answer.judgement = refused(question.error().detail);
    return answer;
  }
  answer.question = std::move(*question);
  answer.judgement = judge(answer.question);
  return answer;
}

int verify_batch(Context& context, const std::string& path) {
  std::ifstream file;
  if (path != "-") {
    file.open(path, std::ios::binary);
    if (!file) return report(context, Error(Code::io_error, "cannot read " + path));
  }
  std::istream& in = path == "-" ? std::cin : file;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const auto answer = judge_line(line, number);
    if (context.json()) {
      auto object = to_json(answer.question, answer.judgement);
      object["id"] = answer.id;
      context.out << object.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) << '\n';
      continue;
    }
    std::string reasons;
    for (const auto& refusal : answer.judgement.refusals) {
      const auto id = std::string(refusal.id());
      if ((',' + reasons + ',').contains(',' + id + ',')) continue;
      reasons += (reasons.empty() ? "" : ",") + id;
    }
    context.out << answer.id << '\t' << (answer.judgement.accepted() ? "accept" : "refuse") << '\t'
                << (reasons.empty() ? "-" : reasons) << '\n';
  }
  if (in.bad()) return report(context, Error(Code::io_error, "cannot read " + path));
  return done;
}

}  // namespace

void add_pki_verify(CLI::App& pki, Context& context) {
  auto* verb =
      pki.add_subcommand("verify", "Judge a certificate exactly as the listeners and the outgoing calls would");
  verb->footer(
      "Exit status 0: accepted; 1: refused, with every reason (docs/trust.md lists them).\n"
      "--batch F judges many: a JSON object a line (id, node_id, anchors[], intermediates[], pins[], crls[], chain[],\n"
      "as, at; PEM texts) is answered by id, accept or refuse, and the reasons, separated by tabs; then 0 means that\n"
      "all were judged.");
  auto options = std::make_shared<Options>();
  auto& question = options->question;
  verb->add_option("--node-id", question.node_id, "Who it must be: a node id or a SPIFFE ID")->type_name("ID");
  verb->add_option("--anchor", options->anchors, "That node's CA certificate, PEM; may be repeated")
      ->allow_extra_args(false)
      ->type_name("FILE");
  verb->add_option("--intermediate", options->intermediates,
                   "A CA certificate between anchor and leaf that is not in CHAIN, PEM; may be repeated")
      ->allow_extra_args(false)
      ->type_name("FILE");
  verb->add_option("--pin", question.pins, "SHA-256 of a public key that it must have; may be repeated")
      ->allow_extra_args(false)
      ->type_name("SHA256");
  verb->add_option("--crl", options->crls, "Revocation list, PEM or DER; may be repeated: then every issuer needs one")
      ->allow_extra_args(false)
      ->type_name("FILE");
  verb->add_option("--ocsp", options->ocsp, "The OCSP response that a server staples, DER")->type_name("FILE");
  verb->add_option("--as", question.as, "Which end it is: client (default) or server")
      ->type_name("SIDE")
      ->check(CLI::IsMember({"client", "server"}));
  verb->add_option("--at", question.at, "Judge as of then, RFC 3339; default now")->type_name("TIME");
  auto* chain = verb->add_option("chain", options->chain, "PEM: the leaf first, then its issuers")->type_name("CHAIN");
  verb->add_option("--batch", options->batch, "Judge each line of this file; - is standard input")
      ->type_name("FILE")
      ->excludes(chain);
  add_output_option(*verb, context);
  verb->callback([&context, options] {
    context.chosen = [&context, options] {
      if (!options->batch.empty()) return verify_batch(context, options->batch);
      if (options->chain.empty() || options->question.node_id.empty() || options->anchors.empty())
        return report(context, Error(Code::usage, "--node-id, --anchor and a CHAIN are needed, or --batch F"));
      if (!options->question.at.empty())
        if (const auto at = instant_from(options->question.at); !at)
          return report(context, Error(Code::usage, "--at: " + at.error().detail));
      return verify_one(context, *options);
    };
  });
}

}  // namespace fedgate::cli
