// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/hash.h"
#include "cli/moment.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "config/loader.h"
#include "config/new_file.h"
#include "trust/certificate_facts.h"
#include "trust/dev_pki.h"
#include "trust/expiry.h"
#include "trust/name_syntax.h"
#include "trust/revocation_lists.h"

namespace fedgate::cli {
namespace {

constexpr std::size_t largest_file = 1UL << 20;
constexpr auto clocks_differ = std::chrono::minutes(5);  // the other machine's may be behind

Result<std::string> read_file(const std::string& path, std::size_t most) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::io_error, "cannot read " + path);
  std::string text(most + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return fail(Code::io_error, "cannot read " + path);
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > most) return fail(Code::io_error, path + " has more than " + std::to_string(most >> 20) + " MiB");
  return text;
}

Result<std::chrono::hours> lifetime_from(const std::string& text) {
  const auto duration = config::parse_duration(text);
  if (!duration || *duration < std::chrono::hours(1))
    return fail(Code::usage,
                "--lifetime: `" + text.substr(0, 40) + "` is not a duration of an hour or more, as in 90d");
  return std::chrono::floor<std::chrono::hours>(*duration);
}

int made(Context& context, const std::vector<std::string>& files, const std::string& certificate) {
  const auto facts = trust::certificate_facts(certificate);
  if (!facts) return report(context, facts.error());
  if (context.json()) {
    print_json(context.out, {{"files", files},
                             {"sha256", to_hex(facts->sha256)},
                             {"pin", to_hex(facts->public_key)},
                             {"not_after", to_rfc3339(facts->not_after)}});
    return done;
  }
  for (const auto& file : files) context.out << "made " << printable(file) << '\n';
  context.out << "SHA-256 " << to_hex(facts->sha256) << "\npin     " << to_hex(facts->public_key) << "\nends    "
              << to_rfc3339(facts->not_after) << '\n';
  return done;
}

struct Ca {
  std::string directory, name, lifetime = "3650d";
};

int make_ca(Context& context, const Ca& options) {
  const auto lifetime = lifetime_from(options.lifetime);
  if (!lifetime) return report(context, lifetime.error());
  const auto ca =
      trust::make_dev_ca(options.name, system_clock().wall() - clocks_differ, *lifetime, options.name + " CA");
  if (!ca) return report(context, ca.error());
  const auto certificate = options.directory + "/ca.crt";
  const auto key = options.directory + "/ca.key";
  if (auto ready = config::make_directory(options.directory); !ready) return report(context, ready.error());
  // The key first: a certificate without its key would stand in the way of a second attempt.
  for (const auto& file :
       {config::NewFile{key, ca->key_pem, 0600}, config::NewFile{certificate, ca->certificate_pem, 0644}})
    if (auto written = config::write_new(file); !written) return report(context, written.error());
  return made(context, {certificate, key}, ca->certificate_pem);
}

struct Issue {
  std::string directory, node_id, spiffe_id, as = "both", lifetime = "90d", csr, out;
  std::vector<std::string> names;
};

Result<trust::LeafRequest> leaf_request(const Issue& options) {
  trust::LeafRequest request;
  const auto id = NodeId::parse(options.node_id);
  if (!id) return fail(Code::usage, "--node-id: " + id.error().detail);
  request.dns_names = {id->str()};
  for (const auto& name : options.names) {
    if (!trust::is_dns_name(name)) return fail(Code::usage, "--san: `" + name.substr(0, 80) + "` is not a DNS name");
    request.dns_names.push_back(name);
  }
  if (!options.spiffe_id.empty()) {
    if (const auto checked = trust::check_spiffe_id(options.spiffe_id); !checked)
      return fail(Code::usage, "--spiffe-id: " + checked.error().detail);
    request.spiffe_id = options.spiffe_id;
  }
  request.server_auth = options.as != "client";
  request.client_auth = options.as != "server";
  const auto lifetime = lifetime_from(options.lifetime);
  if (!lifetime) return fail(lifetime.error());
  request.lifetime = *lifetime;
  request.not_before = system_clock().wall() - clocks_differ;
  if (!options.csr.empty()) {
    auto csr = read_file(options.csr, largest_file);
    if (!csr) return fail(csr.error());
    request.csr_pem = std::move(*csr);
  }
  return request;
}

int issue(Context& context, const Issue& options) {
  const auto request = leaf_request(options);
  if (!request) return report(context, request.error());
  const auto ca_certificate = read_file(options.directory + "/ca.crt", largest_file);
  const auto ca_key = read_file(options.directory + "/ca.key", largest_file);
  for (const auto* file : {&ca_certificate, &ca_key})
    if (!*file)
      return report(context, Error(Code::io_error, file->error().detail + "; `fedgate pki ca --dir " +
                                                       options.directory + "` makes a CA"));
  const auto leaf = trust::issue_dev_leaf({*ca_certificate, *ca_key}, *request);
  if (!leaf) return report(context, leaf.error());
  const auto prefix = options.out.empty() ? options.directory + "/" + options.node_id : options.out;
  std::vector<config::NewFile> files;
  if (!leaf->key_pem.empty()) files.push_back({prefix + ".key", leaf->key_pem, 0600});
  files.push_back({prefix + ".crt", leaf->certificate_pem, 0644});
  std::vector<std::string> paths;
  for (const auto& file : files) {
    std::error_code ignored;
    if (std::filesystem::exists(std::filesystem::symlink_status(file.path, ignored)))
      return report(context, Error(Code::conflict, file.path + " exists already and is not overwritten; remove it, or "
                                                               "give another name with --out"));
  }
  for (const auto& file : files) {
    if (auto written = config::write_new(file); !written) return report(context, written.error());
    paths.insert(paths.begin(), file.path);
  }
  return made(context, paths, leaf->certificate_pem);
}

nlohmann::json to_json(const trust::CertificateFacts& facts, WallTime now) {
  return {{"subject", facts.subject},
          {"issuer", facts.issuer},
          {"serial", facts.serial},
          {"dns_names", facts.dns_names},
          {"uris", facts.uris},
          {"other_names", facts.other_names},
          {"not_before", to_rfc3339(facts.not_before)},
          {"not_after", to_rfc3339(facts.not_after)},
          {"days_left", std::floor(trust::days_left(facts.not_after, now))},
          {"is_ca", facts.is_ca},
          {"self_signed", facts.self_signed},
          {"must_staple", facts.must_staple},
          {"key", facts.key},
          {"signature", facts.signature},
          {"key_usage", facts.usages},
          {"extended_key_usage", facts.extended_usages},
          {"crl", facts.crl_places},
          {"sha256", to_hex(facts.sha256)},
          {"pin", to_hex(facts.public_key)}};
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string when(WallTime ends, WallTime now) {
  const auto left = std::chrono::floor<std::chrono::seconds>(ends - now);
  return to_rfc3339(ends) + (left.count() < 0 ? " (ended)" : " (in " + spoken(left) + ")");
}

void print(Context& context, const trust::CertificateFacts& facts, WallTime now) {
  Details details;
  details.add("subject", facts.subject);
  details.add("issuer", facts.issuer + (facts.self_signed ? " (itself)" : ""));
  details.add("kind", facts.is_ca ? "CA certificate" : "leaf");
  details.add("DNS names", joined(facts.dns_names));
  details.add("URIs", joined(facts.uris));
  details.add("other names", joined(facts.other_names));
  details.add("usages", joined(facts.extended_usages) + (facts.usages.empty() ? "" : "; " + joined(facts.usages)));
  details.add("valid from", to_rfc3339(facts.not_before));
  details.add("ends", when(facts.not_after, now));
  details.add("key", facts.key);
  details.add("signature", facts.signature);
  details.add("serial", facts.serial);
  details.add("CRL", joined(facts.crl_places));
  details.add("must staple", facts.must_staple ? "yes" : "");
  details.add("SHA-256", to_hex(facts.sha256));
  details.add("pin", to_hex(facts.public_key));
  details.print(context.out);
}

int show_lists(Context& context, const std::string& path, const std::string& text, WallTime now) {
  const trust::CrlSource source{path, text, {}};
  const auto lists = trust::RevocationLists::make({&source, 1});
  auto all = nlohmann::json::array();
  for (const auto& facts : lists->facts()) {
    auto problems = nlohmann::json::array();
    for (const auto& problem : facts.problems)
      problems.push_back({{"reason", problem.id()}, {"detail", problem.detail}});
    all.push_back({{"issuer", facts.issuer},
                   {"this_update", to_rfc3339(facts.this_update)},
                   {"next_update", to_rfc3339(facts.next_update)},
                   {"revoked", facts.revoked},
                   {"problems", problems}});
    if (context.json()) continue;
    Details details;
    details.add("issuer", facts.issuer);
    details.add("kind", "revocation list");
    details.add("this update", to_rfc3339(facts.this_update));
    details.add("next update", when(facts.next_update, now));
    details.add("revoked", std::to_string(facts.revoked));
    for (const auto& problem : facts.problems) details.add("problem", problem.detail);
    details.print(context.out);
  }
  if (context.json()) print_json(context.out, {{"file", path}, {"revocation_lists", all}});
  return done;
}

int show(Context& context, const std::string& path) {
  const auto text = read_file(path, trust::RevocationLists::most_bytes);
  if (!text) return report(context, text.error());
  const auto now = system_clock().wall();
  const auto all = trust::all_certificate_facts(*text);
  if (!all) {
    if (text->contains("-----BEGIN X509 CRL-----") || text->starts_with('\x30'))
      return show_lists(context, path, *text, now);
    return report(context, all.error().in(path));
  }
  if (context.json()) {
    auto certificates = nlohmann::json::array();
    for (const auto& facts : *all) certificates.push_back(to_json(facts, now));
    print_json(context.out, {{"file", path}, {"certificates", certificates}});
    return done;
  }
  for (std::size_t i = 0; i < all->size(); ++i) {
    if (i != 0) context.out << '\n';
    print(context, (*all)[i], now);
  }
  return done;
}

void add_ca(CLI::App& pki, Context& context) {
  auto* verb = pki.add_subcommand("ca", "Make a CA: ca.crt to give to partners, ca.key to keep");
  verb->footer("Overwrites nothing. Keep ca.key off the gateway where you can: it is needed to issue only.");
  auto options = std::make_shared<Ca>();
  verb->add_option("--dir", options->directory, "Where to; made if need be")->required()->type_name("DIR");
  verb->add_option("--name", options->name, "The organisation, as others will read it")->required()->type_name("TEXT");
  verb->add_option("--lifetime", options->lifetime, "Default 3650d")->type_name("DURATION");
  add_output_option(*verb, context);
  verb->callback([&context, options] { context.chosen = [&context, options] { return make_ca(context, *options); }; });
}

void add_issue(CLI::App& pki, Context& context) {
  auto* verb = pki.add_subcommand("issue", "Issue a gateway's certificate with that CA");
  verb->footer("Overwrites nothing. Of a request (--csr) nothing but the key is taken.");
  auto options = std::make_shared<Issue>();
  verb->add_option("--dir", options->directory, "Where ca.crt and ca.key are")->required()->type_name("DIR");
  verb->add_option("--node-id", options->node_id, "The gateway's name, a DNS SAN of the certificate")
      ->required()
      ->type_name("ID");
  verb->add_option("--san", options->names, "A further DNS name; may be repeated")
      ->allow_extra_args(false)
      ->type_name("NAME");
  verb->add_option("--spiffe-id", options->spiffe_id, "A SPIFFE ID, as URI SAN")->type_name("URI");
  verb->add_option("--as", options->as, "client, server or both (default)")
      ->type_name("SIDE")
      ->check(CLI::IsMember({"client", "server", "both"}));
  verb->add_option("--lifetime", options->lifetime, "Default 90d")->type_name("DURATION");
  verb->add_option("--csr", options->csr, "PKCS 10 request in PEM: certify its key instead of making one")
      ->type_name("FILE");
  verb->add_option("--out", options->out, "Write PREFIX.crt and PREFIX.key; default DIR/ID")->type_name("PREFIX");
  add_output_option(*verb, context);
  verb->callback([&context, options] { context.chosen = [&context, options] { return issue(context, *options); }; });
}

}  // namespace

void add_pki_verbs(CLI::App& root, Context& context) {
  auto* pki = root.add_subcommand("pki", "Certificates: make, show and judge them");
  pki->require_subcommand(1);
  add_ca(*pki, context);
  add_issue(*pki, context);
  auto* verb = pki->add_subcommand("show", "Print what certificates or revocation lists say");
  auto file = std::make_shared<std::string>();
  verb->add_option("file", *file, "PEM; a revocation list also in DER")->required()->type_name("FILE");
  add_output_option(*verb, context);
  verb->callback([&context, file] { context.chosen = [&context, file] { return show(context, *file); }; });
  add_pki_verify(*pki, context);
}

}  // namespace fedgate::cli
