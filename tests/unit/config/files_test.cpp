// SPDX-License-Identifier: Apache-2.0
//
// Secrets that others could read or change, files that are none, systemd credentials.
#include <stdlib.h>
#include <unistd.h>

#include "unit/config/folder.h"

namespace fedgate::config {
namespace {

class SecretFiles : public ::testing::Test {
 protected:
  [[nodiscard]] std::string sole(const Loaded& loaded) const {
    const auto texts = folder.texts(loaded);
    return texts.size() == 1 ? texts[0] : std::to_string(texts.size()) + " findings";
  }
  Folder folder;
};

TEST_F(SecretFiles, PermissionsOfKeys) {
  const auto& key = pki().node_a.key_pem;
  for (const ::mode_t fine : {0600U, 0400U, 0640U, 0440U, 0700U}) {
    folder.write("tls/node.key", key, fine);
    EXPECT_NE(folder.load("").settings, nullptr) << std::oct << fine;
  }
  for (const ::mode_t readable : {0604U, 0644U, 0601U, 0641U}) {
    folder.write("tls/node.key", key, readable);
    EXPECT_EQ(
        sole(folder.load("")),
        "fedgate.yaml:2:40: error: `tls.key`: tls/node.key is a secret that others can read: chmod 600 tls/node.key")
        << std::oct << readable;
  }
  for (const ::mode_t writable : {0660U, 0620U, 0602U, 0666U}) {
    folder.write("tls/node.key", key, writable);
    EXPECT_EQ(
        sole(folder.load("")),
        "fedgate.yaml:2:40: error: `tls.key`: tls/node.key is a secret that others can change: chmod 600 tls/node.key")
        << std::oct << writable;
  }
}

TEST_F(SecretFiles, EverySecretIsChecked) {
  folder.write("auth", "Bearer x\n", 0644);
  folder.write("password", "x\n", 0644);
  folder.write("tokens/alice", trust::token_file_text("fgt_alice"), 0644);
  folder.write("tls/clients.key", pki().node_a.key_pem, 0644);
  const auto loaded = folder.load_whole(
      "node: { id: orga.example }\n"
      "tls: { certificate: tls/node.crt, key: tls/node.key }\n"
      "store: { url: \"postgresql://db/fedgate\", password_file: password }\n"
      "audit: { journal: journal }\n"
      "clients: [ { principal: alice@orga.example, token_file: tokens/alice } ]\n"
      "resources: [ { id: r, adapter: { type: http, url: \"http://h\", authorization_file: auth }, capabilities: [ { "
      "id: c, request: GET / } ] } ]\n"
      "listen: { clients: { tls: { certificate: tls/node.crt, key: tls/clients.key } } }\n");
  const auto line = [](const std::string& place, const std::string& key, const std::string& file) {
    return "fedgate.yaml:" + place + ": error: `" + key + "`: " + file +
           " is a secret that others can read: chmod 600 " + file;
  };
  EXPECT_EQ(folder.texts(loaded),
            (std::vector<std::string>{line("3:57", "store.password_file", "password"),
                                      line("5:57", "clients[].token_file", "tokens/alice"),
                                      line("6:83", "resources[].adapter.authorization_file", "auth"),
                                      line("7:61", "listen.clients.tls.key", "tls/clients.key")}));
}

TEST_F(SecretFiles, ForeignOwners) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_EQ(::chown(folder.at("tls/node.key").c_str(), 12345, 0), 0);
  EXPECT_EQ(sole(folder.load("")),
            "fedgate.yaml:2:40: error: `tls.key`: tls/node.key is a secret but belongs to uid 12345, who could change "
            "it: chown root tls/node.key, or "
            "run as that user");
}

TEST_F(SecretFiles, OtherFilesMustNotBeWritableByAll) {
  folder.write("anchors/orgb.crt", pki().ca_b.certificate_pem, 0666);
  EXPECT_EQ(sole(folder.load("nodes: [ { node_id: orgb.example, trust_anchors: [anchors/orgb.crt] } ]\n")),
            "fedgate.yaml:5:51: error: `nodes[].trust_anchors`: anchors/orgb.crt can be written by everybody, who "
            "could then decide whom this gateway trusts: chmod o-w "
            "anchors/orgb.crt");
  folder.write("fedgate.yaml", Folder::enough, 0666);
  EXPECT_EQ(sole(load(folder.at("fedgate.yaml"), today())),
            "fedgate.yaml: error: fedgate.yaml can be written by everybody, who could then decide whom this gateway "
            "trusts: chmod o-w fedgate.yaml");
}

TEST_F(SecretFiles, OnlyRegularFiles) {
  std::filesystem::remove(folder.at("tls/node.key"));
  ASSERT_EQ(::mkfifo(folder.at("tls/node.key").c_str(), 0600), 0);
  EXPECT_EQ(sole(folder.load("")), "fedgate.yaml:2:40: error: `tls.key`: tls/node.key is not a regular file");
  std::filesystem::remove(folder.at("tls/node.key"));
  std::filesystem::create_directory(folder.at("tls/node.key"));
  EXPECT_EQ(sole(folder.load("")), "fedgate.yaml:2:40: error: `tls.key`: tls/node.key is not a regular file");
  std::filesystem::remove(folder.at("tls/node.key"));
  folder.write("tls/node.key", std::string((1U << 20) + 1, 'x'), 0600);
  EXPECT_EQ(sole(folder.load("")), "fedgate.yaml:2:40: error: `tls.key`: tls/node.key has more than 1 MiB");
}

TEST_F(SecretFiles, SystemdCredentials) {
  const std::string yaml =
      "node: { id: orga.example }\ntls: { certificate: tls/node.crt, key: \"credential:node.key\" }\nstore: { url: "
      "\"sqlite:state.db\" }\naudit: { journal: journal }\n";
  ::unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_EQ(sole(folder.load_whole(yaml)),
            "fedgate.yaml:2:40: error: `tls.key`: there is no credential `node.key`, because systemd has set no "
            "CREDENTIALS_DIRECTORY; add "
            "LoadCredential=node.key:PATH to the unit, or give a path");
  folder.write("credentials/node.key", pki().node_a.key_pem, 0400);
  ::setenv("CREDENTIALS_DIRECTORY", folder.at("credentials").c_str(), 1);
  const auto loaded = folder.load_whole(yaml);
  ASSERT_NE(loaded.settings, nullptr) << sole(loaded);
  EXPECT_EQ(loaded.settings->tls.key_file, folder.at("credentials/node.key"));
  EXPECT_EQ(sole(folder.load_whole("node: { id: orga.example }\ntls: { certificate: tls/node.crt, key: "
                                   "\"credential:../tls/node.key\" }\nstore: { url: \"sqlite:state.db\" }\naudit: "
                                   "{ journal: journal }\n")),
            "fedgate.yaml:2:40: error: `tls.key`: a credential's name is one word, as in credential:node.key");
  ::unsetenv("CREDENTIALS_DIRECTORY");
}

}  // namespace
}  // namespace fedgate::config
