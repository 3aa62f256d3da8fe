// SPDX-License-Identifier: Apache-2.0
//
// The whole configuration as plain options, after validation: every path is absolute, every secret has been
// read, every id is well-formed. Made by config/loader.h; no module sees YAML. Immutable once made.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/resource.h"
#include "audit/journal.h"
#include "audit/principal_salts.h"
#include "base/log.h"
#include "fedgate/node.h"
#include "fedgate/trust_messages.h"
#include "limits/node_limiter.h"
#include "net/address.h"
#include "net/http_server.h"
#include "policy/rules.h"
#include "store/store.h"
#include "trust/client_tokens.h"
#include "trust/operators.h"
#include "trust/revocation_lists.h"

namespace fedgate::config {

struct OwnNode {
  NodeId id;
  std::string name;
  std::string endpoint;                   ///< `https://…`, what peers are told; may be empty
  std::string spiffe_id;                  ///< by which peers know us; empty: by the DNS name `id`
  std::vector<Domain> principal_domains;  ///< default: the node id itself
  std::string replica = "a";
};

struct ListenerSettings {
  std::string address;                            ///< empty: this listener is off
  std::vector<net::Network> proxy_protocol_from;  ///< peers only
};

struct TlsFiles {
  std::string certificate_file, key_file;
  std::string certificate_pem, key_pem;  ///< key_pem is secret
};

struct Settings {
  std::string file;  ///< the main file
  OwnNode node;
  ListenerSettings peers, clients, admin;
  std::optional<TlsFiles> clients_tls;          ///< required off loopback
  std::vector<trust::OperatorEntry> operators;  ///< listen.admin.operators
  unsigned threads = 1;
  TlsFiles tls;                        ///< towards peers
  std::optional<TlsFiles> tls_client;  ///< for outgoing connections, where it is another one
  std::string ocsp_staple;             ///< DER; empty: none
  std::vector<trust::CrlSource> crls;  ///< of tls.crl and of nodes
  /// Before what ends, longest first.
  std::vector<std::chrono::seconds> expiry_warnings{std::chrono::days(30), std::chrono::days(14), std::chrono::days(7),
                                                    std::chrono::days(1)};
  struct Trust {
    Enrolment enrolment = Enrolment::invites;
    std::vector<std::string> anchors;  ///< PEM, our own CA's
  } trust;
  store::Options store;
  std::vector<Node> nodes;
  std::vector<trust::ClientEntry> clients_list;
  std::vector<adapters::Resource> resources;
  std::vector<policy::Rule> rules;
  limits::Options node_limits;
  net::ServerLimits server_limits;
  unsigned json_depth = 32;
  std::chrono::milliseconds call_timeout{30'000};  ///< routing.timeout
  struct Audit {
    std::string journal;  ///< directory
    std::uint64_t journal_max = 10ULL << 30;
    std::chrono::milliseconds retention{std::chrono::hours(24 * 400)};         ///< 0: for ever
    std::chrono::milliseconds reconciliation_interval{std::chrono::hours(1)};  ///< 0: never by itself
    std::string signing_key_file;  ///< signs this replica's log; empty: signer/audit.key beside the journal
    std::string witness_key_file;  ///< signs for others' logs; empty: witness.key beside that
    std::chrono::milliseconds checkpoint_every{5000};
    audit::Principals principals = audit::Principals::clear;
  } audit;
  struct Shutdown {
    std::chrono::milliseconds announce{5000};
    std::chrono::milliseconds drain{30'000};
  } shutdown;
  log::Options log;
};

/// Where the keys are that sign checkpoints, when the configuration does not say.
std::string default_signing_key(const std::string& journal);
std::string default_witness_key(const std::string& signing_key);

/// What changed between two that cannot take effect without a restart: dotted keys, for a clear message.
std::vector<std::string> needs_restart(const Settings& running, const Settings& next);

}  // namespace fedgate::config
