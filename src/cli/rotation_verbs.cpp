// SPDX-License-Identifier: Apache-2.0
#include <fstream>

#include "base/hash.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "trust/enrolment.h"

namespace fedgate::cli {
namespace {

using Json = nlohmann::json;

constexpr std::size_t longest_input = 64 * 1024;

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::usage, "cannot read " + path);
  std::string text(longest_input + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > longest_input) return fail(Code::usage, path + " is larger than 64 KiB");
  return text;
}

void show_rotation(Context& context, const Json& answer) {
  Details details;
  details.add("bundle", "seq " + text_of(answer, "seq") + ", " + text_of(answer, "bundle_sha256"));
  for (const auto& anchor : part_of(answer, "anchors_sha256"))
    details.add("  anchor", anchor.is_string() ? anchor.get<std::string>() : "");
  for (const auto& anchor : part_of(answer, "uncertified_sha256"))
    details.add("  uncertified", anchor.is_string() ? anchor.get<std::string>() : "");
  details.add("waiting for", text_of(answer, "waiting"));
  details.add("left behind", text_of(answer, "left_behind"));
  details.print(context.out);
  context.out << "\nWho must act next: " << printable(text_of(answer, "next")) << '\n';
}

int announce(Context& context, const std::vector<std::string>& files) {
  std::string crosses;
  for (const auto& file : files) {
    const auto text = read_file(file);
    if (!text) return report(context, text.error());
    crosses += *text;
    if (!crosses.ends_with('\n')) crosses += '\n';
  }
  Json body = Json::object();
  if (!crosses.empty()) body["cross_certificates"] = crosses;
  return ask_daemon(context, "POST", "/api/v2/federation/trust/announce",
                    body.dump(-1, ' ', true, Json::error_handler_t::replace),
                    [&](const Json& answer) { show_rotation(context, answer); });
}

struct Retired {
  std::string anchor;
  bool force = false;
};

/// A SHA-256, or the file of the certificate whose SHA-256 is meant.
Result<std::string> anchor_named(const std::string& text) {
  if (const auto hash = sha256_from_hex(text)) return to_hex(*hash);
  const auto pem = read_file(text);
  if (!pem) return fail(Code::usage, "give the SHA-256 of our old CA certificate (64 hex digits), or its PEM file");
  const auto hash = trust::pem_sha256(*pem);
  if (!hash) return fail(Code::usage, text + ": " + hash.error().detail);
  return to_hex(*hash);
}

int retire(Context& context, const Retired& retired) {
  const auto anchor = anchor_named(retired.anchor);
  if (!anchor) return report(context, anchor.error());
  const Json body = {{"anchor_sha256", *anchor}, {"force", retired.force}};
  return ask_daemon(context, "POST", "/api/v2/federation/trust/retire", body.dump(), [&](const Json& answer) {
    context.out << *anchor << " is retired: it stands in no bundle of ours any more. Take it out of trust.anchors.\n\n";
    show_rotation(context, answer);
  });
}

}  // namespace

void add_trust_rotation(CLI::App& group, Context& context) {
  auto files = std::make_shared<std::vector<std::string>>();
  auto* verb = group.add_subcommand("announce", "Publish our CA certificates, as trust.anchors names them now");
  verb->footer(
      "With the cross certificate, which holds the new CA's name and key and is signed by the old CA's key, the nodes "
      "that trust us take the new CA over by themselves; without it their operators must approve.\nDoing it again "
      "changes nothing and shows who has not acknowledged yet.");
  verb->add_option("--cross-certificate", *files, "PEM file; may be given more than once")->type_name("FILE");
  add_daemon_options(*verb, context);
  verb->callback([&context, files] { context.chosen = [&context, files] { return announce(context, *files); }; });

  auto retired = std::make_shared<Retired>();
  verb = group.add_subcommand("retire", "Take an old CA certificate of ours out of our bundle");
  verb->footer(
      "Refused while a trusted, enabled node has not acknowledged our newest bundle, and while this gateway "
      "presents a certificate of the old CA.");
  verb->add_option("anchor", retired->anchor, "Its SHA-256, or its PEM file")->required()->type_name("SHA256");
  verb->add_flag("--force", retired->force, "Leave those behind who have not acknowledged: they enrol again");
  add_daemon_options(*verb, context);
  verb->callback([&context, retired] { context.chosen = [&context, retired] { return retire(context, *retired); }; });
}

/// `trust show`: how far both sides have come with each other's bundles.
void show_bundle(Details& details, const Json& relationship) {
  const auto& bundle = part_of(relationship, "bundle");
  if (!bundle.is_object()) return;
  const auto known = text_of(bundle, "known_seq");
  const auto offered = text_of(bundle, "offered_seq");
  if (!known.empty())
    details.add("its bundle",
                "seq " + known + (flag_of(bundle, "acknowledged_by_us") ? ", acknowledged" : ", not acknowledged yet") +
                    (offered.empty() || offered == known ? "" : "; it offers " + offered));
  else if (!offered.empty())
    details.add("its bundle", "it offers seq " + offered);
  const auto ours = text_of(bundle, "acknowledged_by_it_seq");
  if (!ours.empty())
    details.add("our bundle", "it has acknowledged seq " + ours +
                                  (flag_of(bundle, "acknowledged_by_it") ? ", our newest" : ", not our newest"));
  details.add("fingerprint", text_of(bundle, "fingerprint"));
}

}  // namespace fedgate::cli
