// SPDX-License-Identifier: Apache-2.0
//
// The keys that sign checkpoints: where they are when nobody says, and what is refused.
#include "audit/signing_key.h"
#include "base/entropy.h"
#include "unit/config/folder.h"

namespace fedgate::config {
namespace {

struct SigningKeys : testing::Test {
  Folder folder;
  const std::string key = audit::make_signing_key(system_entropy());

  Loaded with(const std::string& audit) {
    return folder.load_whole(
        "node: { id: orga.example }\ntls: { certificate: tls/node.crt, key: tls/node.key }\n"
        "store: { url: \"sqlite:state.db\" }\n" +
        audit);
  }
  std::vector<std::string> findings(const std::string& audit) {
    return folder.texts(with("audit: { journal: journal" + audit + " }\n"));
  }
};

TEST_F(SigningKeys, StandBesideTheJournalAndAreMadeLater) {
  const auto made = with("audit: { journal: journal, checkpoint_every: 250ms }\n");
  ASSERT_NE(made.settings, nullptr);
  EXPECT_EQ(made.settings->audit.signing_key_file, folder.at("signer/audit.key"));
  EXPECT_EQ(made.settings->audit.witness_key_file, folder.at("signer/witness.key"));
  EXPECT_EQ(made.settings->audit.checkpoint_every, std::chrono::milliseconds(250));
}

TEST_F(SigningKeys, ThatAreThereAreJudged) {
  folder.write("keys/audit.key", key, 0600);
  EXPECT_EQ(findings(", signing_key_file: keys/audit.key"), std::vector<std::string>{});
  folder.write("keys/audit.key", key, 0644);
  const auto lax = findings(", signing_key_file: keys/audit.key");
  ASSERT_EQ(lax.size(), 1U);
  EXPECT_NE(lax[0].find("`audit.signing_key_file`"), std::string::npos) << lax[0];
  EXPECT_NE(lax[0].find("chmod 600"), std::string::npos) << lax[0];
  folder.write("keys/witness.key", pki().node_a.key_pem, 0600);  // not Ed25519
  const auto wrong = findings(", witness_key_file: keys/witness.key");
  ASSERT_EQ(wrong.size(), 1U);
  EXPECT_NE(wrong[0].find("`audit.witness_key_file`"), std::string::npos) << wrong[0];
  EXPECT_NE(wrong[0].find("openssl genpkey -algorithm ed25519"), std::string::npos) << wrong[0];
}

TEST_F(SigningKeys, AreTwoFilesInAFolderThatCanBeWritten) {
  const auto same = findings(", signing_key_file: a.key, witness_key_file: a.key");
  ASSERT_EQ(same.size(), 1U);
  EXPECT_NE(same[0].find("same file"), std::string::npos) << same[0];
  const auto credential = findings(", signing_key_file: 'credential:audit.key'");
  ASSERT_EQ(credential.size(), 1U);
  EXPECT_NE(credential[0].find("cannot be a credential"), std::string::npos) << credential[0];
  const auto nowhere = findings(", signing_key_file: none/signer/audit.key");
  ASSERT_FALSE(nowhere.empty());
  EXPECT_NE(nowhere[0].find("mkdir -p"), std::string::npos) << nowhere[0];
}

}  // namespace
}  // namespace fedgate::config
