// SPDX-License-Identifier: Apache-2.0
#include "config/settings.h"

#include <filesystem>

namespace fedgate::config {

std::string default_signing_key(const std::string& journal) {
  return (std::filesystem::path(journal).parent_path() / "signer" / "audit.key").string();
}

std::string default_witness_key(const std::string& signing_key) {
  return (std::filesystem::path(signing_key).parent_path() / "witness.key").string();
}

std::vector<std::string> needs_restart(const Settings& running, const Settings& next) {
  std::vector<std::string> changed;
  const auto compare = [&](bool same, const char* key) {
    if (!same) changed.emplace_back(key);
  };
  compare(running.node.id == next.node.id, "node.id");
  compare(running.node.name == next.node.name, "node.name");
  compare(running.node.endpoint == next.node.endpoint, "node.endpoint");
  compare(running.node.replica == next.node.replica, "node.replica");
  compare(running.peers.address == next.peers.address, "listen.peers.address");
  compare(running.peers.proxy_protocol_from == next.peers.proxy_protocol_from, "listen.peers.proxy_protocol_from");
  compare(running.clients.address == next.clients.address, "listen.clients.address");
  compare(running.clients_tls.has_value() == next.clients_tls.has_value(), "listen.clients.tls");
  compare(running.admin.address == next.admin.address, "listen.admin.address");
  compare(running.threads == next.threads, "threads");
  compare(running.store.url == next.store.url, "store.url");
  compare(running.store.password_file == next.store.password_file, "store.password_file");
  compare(running.store.migrate == next.store.migrate, "store.migrate");
  compare(running.server_limits.header == next.server_limits.header, "limits.header");
  compare(running.server_limits.body == next.server_limits.body, "limits.body");
  compare(running.server_limits.connections == next.server_limits.connections, "limits.connections");
  compare(running.audit.journal == next.audit.journal, "audit.journal");
  compare(running.audit.journal_max == next.audit.journal_max, "audit.journal_max");
  compare(running.audit.retention == next.audit.retention, "audit.retention");
  compare(running.audit.signing_key_file == next.audit.signing_key_file, "audit.signing_key_file");
  compare(running.audit.witness_key_file == next.audit.witness_key_file, "audit.witness_key_file");
  compare(running.audit.checkpoint_every == next.audit.checkpoint_every, "audit.checkpoint_every");
  compare(running.audit.principals == next.audit.principals, "audit.principals");
  compare(running.shutdown.announce == next.shutdown.announce, "shutdown.announce");
  compare(running.shutdown.drain == next.shutdown.drain, "shutdown.drain");
  compare(running.log.format == next.log.format, "log.format");
  compare(running.log.file == next.log.file, "log.file");
  return changed;
}

}  // namespace fedgate::config
