// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include "config/resolver.h"
#include "config/scalars.h"
#include "net/address.h"

namespace fedgate::config {
namespace {

constexpr std::string_view der_sequence = "\x30";

bool is_short_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

/// `user:secret@` or `password=` in a libpq URI.
bool holds_password(std::string_view url) {
  const auto begin = url.find("//") + 2;
  const auto authority = url.substr(begin, url.find_first_of("/?", begin) - begin);
  const auto at = authority.rfind('@');
  const bool in_authority = at != std::string_view::npos && authority.substr(0, at).find(':') != std::string_view::npos;
  return in_authority || url.find("?password=") != std::string_view::npos ||
         url.find("&password=") != std::string_view::npos;
}

}  // namespace

void Resolver::resolve() {
  own_node();
  tls();
  trust();
  listeners();
  store();
  limits();
  places_on_disk();
  signing_keys();
  nodes();
  clients();
  resources();
  rules();
}

void Resolver::own_node() {
  const auto& from = root_.node.value;
  auto& own = out_.node;
  own.id = *from.id;
  own.name = *from.name;
  own.endpoint = *from.endpoint;
  own.replica = *from.replica;
  own.spiffe_id = spiffe_id(from.spiffe_id, "node.spiffe_id");
  if (from.endpoint.bound() && !own.endpoint.empty() && !own.endpoint.starts_with("https://")) {
    report_.error(from.endpoint.place, "`node.endpoint` must begin with https://: peers speak mutual TLS only");
  }
  if (from.replica.bound() && !is_short_name(own.replica)) {
    report_.error(from.replica.place, "`node.replica` must be 1 to 32 of a-z, 0-9 and hyphen");
  }
  for (const auto& domain : *from.principal_domains) {
    own.principal_domains.push_back(*domain);
    if (!domains_.emplace(domain->str(), "this gateway").second) {
      report_.error(domain.place, "`node.principal_domains` holds `" + domain->str() + "` twice; remove one");
    }
  }
  if (from.principal_domains.bound() && from.principal_domains->empty()) {
    report_.error(from.principal_domains.place,
                  "`node.principal_domains` must not be empty; remove the key for [node.id]");
  }
  if (from.principal_domains.state == draft::List<Domain>::State::absent && from.id.bound()) {
    if (auto domain = Domain::parse(own.id.view())) own.principal_domains.push_back(std::move(*domain));
    domains_.emplace(own.id.str(), "this gateway");
  }
}

std::string Resolver::address(const draft::Text& from, std::string_view key) {
  constexpr std::string_view unix_prefix = "unix:";
  if (!from.usable()) return {};
  auto text = *from;
  if (text.starts_with(unix_prefix) && text.size() > unix_prefix.size())
    text = "unix:" + files_.absolute(text.substr(unix_prefix.size()));
  const auto parsed = net::parse_address(text);
  if (!parsed) {
    report_.error(from.place, "`" + std::string(key) + "`: " + parsed.error().detail);
    return {};
  }
  return text;
}

void Resolver::listeners() {
  const auto& peers = root_.listen->peers.value;
  if (!peers.off) {
    out_.peers.address = address(peers.address, "listen.peers.address");
    if (out_.peers.address.starts_with("unix:")) {
      report_.error(peers.address.place, "`listen.peers.address` must be host:port: peers come over the network");
    }
    for (const auto& text : *peers.proxy_protocol_from) {
      auto network = net::parse_network(*text);
      if (network) {
        out_.peers.proxy_protocol_from.push_back(std::move(*network));
      } else {
        report_.error(text.place, "`listen.peers.proxy_protocol_from`: " + network.error().detail);
      }
    }
  }
  clients_listener();
  admin_listener();
  std::map<std::string, std::string_view> taken;
  const auto claim = [&](const std::string& where, const draft::Text& at, std::string_view key) {
    if (where.empty() || where.ends_with(":0")) return;
    if (const auto [first, fresh] = taken.emplace(where, key); !fresh) {
      report_.error(at.place, "`" + std::string(key) + "` is " + where + ", and so is `" + std::string(first->second) +
                                  "`; choose another");
    }
  };
  claim(out_.peers.address, peers.address, "listen.peers.address");
  claim(out_.clients.address, root_.listen->clients->address, "listen.clients.address");
  claim(out_.admin.address, root_.listen->admin->address, "listen.admin.address");
}

void Resolver::clients_listener() {
  const auto& clients = root_.listen->clients.value;
  if (clients.off) return;
  out_.clients.address = address(clients.address, "listen.clients.address");
  if (clients.tls.given) {
    out_.clients_tls.emplace();
    const auto facts = certificate_and_key(clients.tls.value, "listen.clients.tls", *out_.clients_tls);
    if (facts && !facts->server_auth) {
      report_.error(clients.tls->certificate.place,
                    "`listen.clients.tls.certificate` lacks the extended key usage serverAuth; issue it with that");
    }
    return;
  }
  if (out_.clients.address.empty()) return;
  const auto parsed = net::parse_address(out_.clients.address);
  if (parsed && !parsed->loopback()) {
    report_.error(clients.address.place,
                  "`listen.clients.address` is not on loopback, and plain text is refused off loopback; give "
                  "`listen.clients.tls`, or "
                  "listen on 127.0.0.1 or a unix socket");
  }
}

void Resolver::admin_listener() {
  const auto& admin = root_.listen->admin.value;
  out_.admin.address = address(admin.address, "listen.admin.address");
  if (!out_.admin.address.empty()) {
    const auto parsed = net::parse_address(out_.admin.address);
    if (parsed && !parsed->is_unix) {
      report_.error(
          admin.address.place,
          "`listen.admin.address` must be a unix socket, as in unix:/run/fedgate/admin.sock: operators are known by "
          "their local user");
    }
  }
  for (const auto& entry : admin.operators) {
    const bool uid = entry->uid.state != draft::Number::State::absent;
    const bool gid = entry->gid.state != draft::Number::State::absent;
    if (uid == gid) {
      report_.error(entry.place, "an operator is known by either `uid` or `gid`; give one of them");
      continue;
    }
    using By = trust::OperatorEntry::By;
    const auto id = static_cast<std::uint32_t>(uid ? *entry->uid : *entry->gid);
    out_.operators.push_back({uid ? By::uid : By::gid, id, *entry->role});
  }
}

std::optional<trust::CertificateFacts> Resolver::certificate_and_key(const draft::TlsPaths& from,
                                                                     std::string_view prefix, TlsFiles& into) {
  const auto certificate_name = std::string(prefix) + ".certificate";
  const auto key_name = std::string(prefix) + ".key";
  auto certificate = files_.read(from.certificate, certificate_name, Secrecy::open);
  auto key = files_.read(from.key, key_name, Secrecy::secret);
  if (key) into.key_file = files_.locate(from.key, key_name);
  if (!certificate) return std::nullopt;
  into.certificate_file = files_.locate(from.certificate, certificate_name);
  auto facts = trust::certificate_facts(*certificate);
  if (!facts) {
    report_.error(from.certificate.place,
                  "`" + certificate_name + "`: " + into.certificate_file + ": " + facts.error().detail);
    return std::nullopt;
  }
  if (key) {
    if (const auto match = trust::key_matches(*certificate, *key); !match) {
      report_.error(from.key.place, "`" + key_name + "`: " + into.key_file + ": " + match.error().detail);
    }
    into.key_pem = std::move(*key);
  }
  into.certificate_pem = std::move(*certificate);
  validity(*facts, from.certificate.place, certificate_name);
  return *facts;
}

void Resolver::validity(const trust::CertificateFacts& facts, Place place, std::string_view key) {
  const auto now = clock_.wall();
  const auto name = "`" + std::string(key) + "`: the certificate ";
  if (now < facts.not_before) {
    report_.error(place,
                  name + "is not valid before " + date_text(facts.not_before) + "; is this machine's clock right?");
  } else if (now >= facts.not_after) {
    report_.error(place, name + "expired on " + date_text(facts.not_after) + "; issue a new one");
  } else if (facts.not_after - now < std::chrono::days(14)) {
    report_.warning(place,
                    name + "expires on " + date_text(facts.not_after) + ", in less than 14 days; issue a new one");
  }
}

void Resolver::tls() {
  const auto& from = root_.tls.value;
  crls(from.crl, "tls.crl", {});
  expiry_warnings();
  const bool both = !from.client.given;
  if (const auto facts = certificate_and_key({from.certificate, from.key}, "tls", out_.tls)) {
    own_certificate(*facts, from.certificate.place, "tls.certificate", both ? Usage::both : Usage::server);
    own_flaws(*facts, out_.tls.certificate_pem, from.certificate.place, "tls.certificate");
  }
  if (!both) {
    out_.tls_client.emplace();
    const auto facts = certificate_and_key(from.client.value, "tls.client", *out_.tls_client);
    const auto place = from.client->certificate.place;
    if (facts) own_certificate(*facts, place, "tls.client.certificate", Usage::client);
    if (facts) own_flaws(*facts, out_.tls_client->certificate_pem, place, "tls.client.certificate");
  }
  if (!from.ocsp_staple.bound() || from.ocsp_staple->empty()) return;
  auto staple = files_.read(from.ocsp_staple, "tls.ocsp_staple", Secrecy::open);
  if (!staple) return;
  if (!staple->starts_with(der_sequence)) {
    return report_.error(from.ocsp_staple.place,
                         "`tls.ocsp_staple`: " + files_.locate(from.ocsp_staple, "tls.ocsp_staple") +
                             " is not an OCSP response in DER; store what `openssl ocsp "
                             "-respout` writes");
  }
  out_.ocsp_staple = std::move(*staple);
}

/// A certificate that stands for this gateway before its peers.
void Resolver::own_certificate(const trust::CertificateFacts& facts, Place place, std::string_view key, Usage usage) {
  const std::string name = "`" + std::string(key) + "`";
  if (facts.is_ca)
    report_.error(place,
                  name + " is a CA certificate, which peers refuse; issue a certificate for this gateway with it");
  const auto lacks = [&](const char* what) {
    const std::string why =
        usage == Usage::both
            ? "the gateway is both server and client to its peers: issue it with serverAuth and clientAuth"
            : std::string("issue it with that");
    report_.error(place, name + " lacks the extended key usage " + what + "; " + why);
  };
  if (!facts.server_auth && usage != Usage::client) lacks("serverAuth");
  if (!facts.client_auth && usage != Usage::server) lacks("clientAuth");
  if (!root_.node->id.bound() || names_us(facts)) return;
  const auto held = [](const std::vector<std::string>& names) { return names.empty() ? "none" : listed(names); };
  if (!out_.node.spiffe_id.empty())
    return report_.error(place, name + " does not hold `node.spiffe_id` " + out_.node.spiffe_id +
                                    " as its one URI SAN (it holds " + held(facts.uris) +
                                    "); peers would refuse it: issue it for that URI");
  const bool has_spiffe_id = facts.uris.size() == 1 && facts.uris.front().starts_with("spiffe://");
  report_.error(
      place, name + " does not hold `node.id` " + out_.node.id.str() + " as a DNS SAN (it holds " +
                 held(facts.dns_names) + "); peers would refuse it: issue it for that name" +
                 (has_spiffe_id ? ", or give `node.spiffe_id` if every peer knows this gateway by " + facts.uris.front()
                                : ""));
}

void Resolver::store() {
  const auto& from = root_.store.value;
  constexpr std::string_view sqlite = "sqlite:";
  out_.store.migrate = *from.migrate == draft::Migrate::automatic;
  if (!from.url.usable()) return;
  const auto place = from.url.place;
  out_.store.url = *from.url;
  if (from.url->starts_with(sqlite)) {
    const auto path = from.url->substr(sqlite.size());
    if (path.empty()) return report_.error(place, "`store.url` names no file; write sqlite:PATH");
    const auto absolute = files_.absolute(path);
    out_.store.url = "sqlite:" + absolute;
    files_.demand_parent(absolute, place, "store.url");
    if (from.password_file.bound() && !from.password_file->empty()) {
      report_.error(from.password_file.place, "`store.password_file` is for postgresql:// only; remove it");
    }
    return;
  }
  if (!from.url->starts_with("postgresql://") && !from.url->starts_with("postgres://")) {
    return report_.error(place, "`store.url` must begin with sqlite: or postgresql://");
  }
  if (holds_password(*from.url)) {
    report_.error(place,
                  "`store.url` holds a password; secrets come from files: remove it and give `store.password_file`");
  }
  if (from.password_file.bound() && !from.password_file->empty() &&
      files_.read(from.password_file, "store.password_file", Secrecy::secret)) {
    out_.store.password_file = files_.locate(from.password_file, "store.password_file");
  }
}

void Resolver::limits() {
  const auto& from = root_.limits.value;
  out_.threads = static_cast<unsigned>(*root_.threads);
  out_.node_limits.rate_per_hour = *root_.node_defaults->rate_limit_per_hour;
  out_.node_limits.burst = static_cast<std::uint32_t>(*root_.rate_limits->burst);
  out_.node_limits.concurrency_per_peer = static_cast<std::uint32_t>(*from.concurrency_per_peer);
  out_.server_limits.header = *from.header;
  out_.server_limits.body = *from.body;
  out_.server_limits.connections = *from.connections;
  out_.json_depth = static_cast<unsigned>(*from.json_depth);
  out_.call_timeout = *root_.routing->timeout;
  out_.shutdown = {*root_.shutdown->announce, *root_.shutdown->drain};
}

void Resolver::places_on_disk() {
  const auto& audit = root_.audit.value;
  out_.audit.journal_max = *audit.journal_max;
  out_.audit.retention = *audit.retention;
  out_.audit.principals = *audit.principals;
  out_.audit.reconciliation_interval = *audit.reconciliation_interval;
  out_.audit.journal = files_.locate(audit.journal, "audit.journal");
  if (!out_.audit.journal.empty()) {
    std::error_code ignored;
    const auto status = std::filesystem::status(out_.audit.journal, ignored);
    if (std::filesystem::exists(status) && !std::filesystem::is_directory(status)) {
      report_.error(audit.journal.place, "`audit.journal`: " + out_.audit.journal + " is not a directory");
    } else if (!std::filesystem::exists(status)) {
      files_.demand_parent(out_.audit.journal, audit.journal.place, "audit.journal");
    }
  }
  const auto& log = root_.log.value;
  out_.log = {*log.level, *log.format, files_.locate(log.file, "log.file")};
  if (!out_.log.file.empty()) files_.demand_parent(out_.log.file, log.file.place, "log.file");
}

}  // namespace fedgate::config
