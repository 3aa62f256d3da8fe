// SPDX-License-Identifier: Apache-2.0
#include "trust/proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/hash.h"
#include "base/json.h"
#include "support/certificate_builder.h"

namespace fedgate::trust {
namespace {

using testing::HasSubstr;

Bytes32 bytes(std::uint8_t value) {
  Bytes32 out{};
  out.fill(value);
  return out;
}

ProofInput input() {
  return {.purpose = TrustPurpose::invite,
          .client = NodeId::parse("orga.example").value(),
          .server = NodeId::parse("orgb.example").value(),
          .client_leaf = bytes(1),
          .server_leaf = bytes(2),
          .client_bundle = bytes(3),
          .server_bundle = bytes(4),
          .client_nonce = bytes(5),
          .challenge = bytes(6),
          .invite_id = "invite",
          .channel = {bytes(7), false}};
}

struct Change {
  const char* what;
  std::function<void(ProofInput&)> make;
};
const std::vector<Change>& changes() {
  static const std::vector<Change> all = {
      {"purpose", [](ProofInput& i) { i.purpose = TrustPurpose::request; }},
      {"client", [](ProofInput& i) { i.client = NodeId::parse("orgc.example").value(); }},
      {"server", [](ProofInput& i) { i.server = NodeId::parse("orgc.example").value(); }},
      {"client_leaf", [](ProofInput& i) { i.client_leaf.back() ^= 1; }},
      {"server_leaf", [](ProofInput& i) { i.server_leaf.front() ^= 1; }},
      {"client_bundle", [](ProofInput& i) { i.client_bundle.back() ^= 1; }},
      {"server_bundle", [](ProofInput& i) { i.server_bundle.back() ^= 1; }},
      {"client_nonce", [](ProofInput& i) { i.client_nonce.back() ^= 1; }},
      {"challenge", [](ProofInput& i) { i.challenge.back() ^= 1; }},
      {"invite_id", [](ProofInput& i) { i.invite_id += "x"; }},
      {"no_invite_id", [](ProofInput& i) { i.invite_id.clear(); }},
      {"exporter", [](ProofInput& i) { i.channel.exporter.back() ^= 1; }},
      {"nodes_swapped", [](ProofInput& i) { std::swap(i.client, i.server); }},
      {"leaves_swapped", [](ProofInput& i) { std::swap(i.client_leaf, i.server_leaf); }},
      {"bundles_swapped", [](ProofInput& i) { std::swap(i.client_bundle, i.server_bundle); }},
      {"nonces_swapped", [](ProofInput& i) { std::swap(i.client_nonce, i.challenge); }},
  };
  return all;
}

TEST(Proof, SignsWhatTheProtocolSays) {
  const auto message = proof_message(ProofBy::client, input());
  const std::string head = std::string(64, ' ') + "fedgate trust v1, client" + std::string(1, '\0');
  ASSERT_EQ(message.size(), head.size() + 32);
  EXPECT_EQ(message.substr(0, head.size()), head);
  EXPECT_THAT(proof_message(ProofBy::server, input()), HasSubstr("fedgate trust v1, server"));
  EXPECT_THAT(proof_message(ProofBy::invite, input()), HasSubstr("fedgate trust v1, invite"));
  // Written out once, so that another implementation can be held against it.
  const auto hex = [](char digit) { return std::string(1, '0') + digit; };
  const auto repeated = [&](char digit) {
    std::string text;
    for (int i = 0; i < 32; ++i) text += hex(digit);
    return text;
  };
  const std::string json = R"({"purpose":"invite","client_node_id":"orga.example","server_node_id":"orgb.example",)"
                           R"("client_leaf_sha256":")" +
                           repeated('1') + R"(","server_leaf_sha256":")" + repeated('2') +
                           R"(","client_bundle_sha256":")" + repeated('3') + R"(","server_bundle_sha256":")" +
                           repeated('4') + R"(","client_nonce":")" + repeated('5') + R"(","challenge":")" +
                           repeated('6') + R"(","invite_id":"invite","exporter":")" + repeated('7') + "\"}";
  const auto digest = sha256(json::Parser().canonical(json).value());
  EXPECT_EQ(message.substr(head.size()), std::string(digest.begin(), digest.end()));
}

class ProofKey : public testing::TestWithParam<const char*> {
 protected:
  static KeyPtr key() {
    const std::string name = GetParam();
    if (name == "RSA") return KeyPtr(EVP_RSA_gen(2048));
    return name == "ED25519" ? plain_key("ED25519") : ec_key(name.c_str());
  }
};

TEST_P(ProofKey, HoldsForItsInputAndNoOther) {
  const auto mine = key();
  const auto signature = sign_proof(mine.get(), ProofBy::client, input()).value();
  EXPECT_TRUE(verify_proof(mine.get(), ProofBy::client, input(), signature));
  for (const auto& change : changes()) {
    auto other = input();
    change.make(other);
    const auto judged = verify_proof(mine.get(), ProofBy::client, other, signature);
    ASSERT_FALSE(judged) << change.what;
    EXPECT_EQ(judged.error().code, Code::identity_mismatch);
  }
  for (const auto by : {ProofBy::server, ProofBy::invite})
    EXPECT_FALSE(verify_proof(mine.get(), by, input(), signature)) << "reflected";
  EXPECT_FALSE(verify_proof(key().get(), ProofBy::client, input(), signature)) << "another's key";
  for (std::size_t at = 0; at < signature.size(); at += 7) {
    auto damaged = signature;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(verify_proof(mine.get(), ProofBy::client, input(), damaged)) << at;
  }
  for (const auto& wrong : {std::string(), signature.substr(1), signature + "x"})
    EXPECT_FALSE(verify_proof(mine.get(), ProofBy::client, input(), wrong));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ProofKey, testing::Values("RSA", "P-256", "P-384", "P-521", "ED25519"),
                         [](const auto& at) {
                           std::string name = at.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(Proof, IsNeitherMadeNorBelievedOnAResumedConnection) {
  const auto key = ec_key("P-256");
  const auto signature = sign_proof(key.get(), ProofBy::client, input()).value();
  auto resumed = input();
  resumed.channel.resumed = true;
  EXPECT_FALSE(sign_proof(key.get(), ProofBy::client, resumed));
  const auto judged = verify_proof(key.get(), ProofBy::client, resumed, signature);
  ASSERT_FALSE(judged);
  EXPECT_THAT(judged.error().detail, HasSubstr("resumed"));
}

TEST(Proof, OtherKeysProveNothing) {
  for (const auto& key : {ec_key("secp256k1"), plain_key("ED448"), plain_key("X25519"), KeyPtr()}) {
    const auto made = sign_proof(key.get(), ProofBy::client, input());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::invalid_certificate);
    EXPECT_EQ(verify_proof(key.get(), ProofBy::client, input(), "x").error().code, Code::identity_mismatch);
  }
  EXPECT_EQ(ERR_peek_error(), 0U);
}

}  // namespace
}  // namespace fedgate::trust
