// SPDX-License-Identifier: Apache-2.0
//
// docs/configuration.md is what the declarations say, and what they say about restarts is what is compared.
#include <functional>
#include <set>
#include <sstream>

#include "unit/config/folder.h"

namespace fedgate::config {
namespace {

std::string file_of_repository(const std::string& name) {
  std::ifstream in(std::filesystem::path(FEDGATE_REPOSITORY) / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Reference, FileIsUpToDate) {
  EXPECT_TRUE(file_of_repository("docs/configuration.md") == reference())
      << "make it again: fedgate config-reference > docs/configuration.md";
}

TEST(Reference, HoldsTypeDefaultAndMeaning) {
  const auto text = reference();
  EXPECT_NE(text.find("\n## `shutdown`\n"), std::string::npos);
  EXPECT_NE(text.find("\n| `drain` | duration, 0s to 1h | `30s` | restart | How long"), std::string::npos);
  EXPECT_NE(text.find("\n| `id` | DNS name | required | restart | This organisation's gateway"), std::string::npos);
  EXPECT_NE(text.find("\n## `resources[].capabilities[]`\n"), std::string::npos);
}

/// Dotted keys whose row says "restart".
std::set<std::string> restart_keys() {
  std::istringstream in(reference());
  std::set<std::string> keys;
  std::string section, line;
  while (std::getline(in, line)) {
    if (line.starts_with("## ")) {
      const auto begin = line.find('`');
      section = begin == std::string::npos ? "" : line.substr(begin + 1, line.rfind('`') - begin - 1) + ".";
    }
    if (line.starts_with("| `") && line.find(" | restart | ") != std::string::npos)
      keys.insert(section + line.substr(3, line.find('`', 3) - 3));
  }
  return keys;
}

TEST(Reference, RestartKeysAreThoseThatAreCompared) {
  const std::vector<std::pair<std::string, std::function<void(Settings&)>>> changes{
      {"node.id", [](Settings& s) { s.node.id = NodeId::parse("other.example").value(); }},
      {"node.name", [](Settings& s) { s.node.name = "other"; }},
      {"node.endpoint", [](Settings& s) { s.node.endpoint = "https://other"; }},
      {"node.replica", [](Settings& s) { s.node.replica = "b"; }},
      {"listen.peers.address", [](Settings& s) { s.peers.address = "127.0.0.1:1"; }},
      {"listen.peers.proxy_protocol_from",
       [](Settings& s) { s.peers.proxy_protocol_from = {net::parse_network("192.0.2.1").value()}; }},
      {"listen.clients.address", [](Settings& s) { s.clients.address = "127.0.0.1:1"; }},
      {"listen.admin.address", [](Settings& s) { s.admin.address = "127.0.0.1:1"; }},
      {"threads", [](Settings& s) { s.threads = 2; }},
      {"store.url", [](Settings& s) { s.store.url = "sqlite:/x"; }},
      {"store.password_file", [](Settings& s) { s.store.password_file = "/x"; }},
      {"store.migrate", [](Settings& s) { s.store.migrate = false; }},
      {"limits.header", [](Settings& s) { s.server_limits.header = 1; }},
      {"limits.body", [](Settings& s) { s.server_limits.body = 1; }},
      {"limits.connections", [](Settings& s) { s.server_limits.connections = 1; }},
      {"audit.journal", [](Settings& s) { s.audit.journal = "/x"; }},
      {"audit.journal_max", [](Settings& s) { s.audit.journal_max = 1; }},
      {"audit.signing_key_file", [](Settings& s) { s.audit.signing_key_file = "/x"; }},
      {"audit.witness_key_file", [](Settings& s) { s.audit.witness_key_file = "/x"; }},
      {"audit.checkpoint_every", [](Settings& s) { s.audit.checkpoint_every = {}; }},
      {"audit.principals", [](Settings& s) { s.audit.principals = audit::Principals::hashed; }},
      {"audit.retention", [](Settings& s) { s.audit.retention = std::chrono::hours(1); }},
      {"shutdown.announce", [](Settings& s) { s.shutdown.announce = {}; }},
      {"shutdown.drain", [](Settings& s) { s.shutdown.drain = {}; }},
      {"log.format", [](Settings& s) { s.log.format = log::Format::text; }},
      {"log.file", [](Settings& s) { s.log.file = "/x"; }},
  };
  std::set<std::string> compared;
  for (const auto& [key, change] : changes) {
    const Settings running;
    Settings next;
    change(next);
    EXPECT_EQ(needs_restart(running, next), std::vector<std::string>{key});
    EXPECT_EQ(needs_restart(running, running), std::vector<std::string>{});
    compared.insert(key);
  }
  EXPECT_EQ(restart_keys(), compared);
}

TEST(Reference, CertificatesAndOperatorsAreReloadedButTlsOnTheClientsListenerIsNotSwitched) {
  const Settings running;
  Settings next;
  next.operators.push_back({});
  next.clients_tls = TlsFiles{"/c", "/k", "", ""};
  EXPECT_EQ(needs_restart(running, next), std::vector<std::string>{"listen.clients.tls"});
  Settings renewed = next;
  renewed.clients_tls->certificate_pem = "renewed in place";
  EXPECT_EQ(needs_restart(next, renewed), std::vector<std::string>{});
}

}  // namespace
}  // namespace fedgate::config
