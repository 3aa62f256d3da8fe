// SPDX-License-Identifier: Apache-2.0
//
// Which keys a bundle states, whose word counts for them, and how replicas share one bundle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "federation/own_trust.h"
#include "federation/peer_log_keys.h"
#include "store/migrations.h"
#include "store/store.h"
#include "support/temp_directory.h"
#include "trust/rotation_rules.h"
#include "wire/bundle_text.h"

namespace fedgate::federation {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const NodeId orga = NodeId::parse("orga.example").value();

std::string vkey(const std::string& name, std::uint8_t fill,
                 wire::NoteAlgorithm algorithm = wire::NoteAlgorithm::ed25519) {
  std::array<std::uint8_t, 32> seed{};
  seed.fill(fill);
  return wire::NoteSigner(name, algorithm, seed).vkey().text();
}
std::string log_key(const std::string& replica, int generation, std::uint8_t fill = 1) {
  return vkey("orga.example/fedgate/log/" + replica + "/" + std::to_string(generation), fill);
}

StatedBundle with_keys(std::vector<std::string> logs, std::string witness) {
  StatedBundle bundle;
  bundle.value.node = orga;
  bundle.value.log_vkeys = std::move(logs);
  bundle.value.witness_vkey = std::move(witness);
  bundle.sha256 = Sha256{1};
  return bundle;
}

TEST(PeerLogKeys, OnlyKeysInTheNodesOwnNameCount) {
  const auto own = log_key("a", 1);
  const auto witness = vkey("orga.example/fedgate/witness", 3, wire::NoteAlgorithm::cosignature_v1);
  const auto known = keys_in(with_keys(
      {own, vkey("orgb.example/fedgate/log/a/1", 2), vkey("orga.example.evil/x", 2), "nonsense", witness}, witness));
  ASSERT_EQ(known.logs.size(), 1U);
  EXPECT_EQ(known.logs[0].text(), own);
  ASSERT_TRUE(known.witness);
  EXPECT_EQ(known.witness->text(), witness);
  EXPECT_FALSE(keys_in(with_keys({}, own)).witness);
  EXPECT_FALSE(keys_in(with_keys({}, vkey("orga.example/fedgate/witness", 3))).witness);  // a log's algorithm
  EXPECT_FALSE(
      keys_in(with_keys({}, vkey("orgb.example/fedgate/witness", 3, wire::NoteAlgorithm::cosignature_v1))).witness);
}

TEST(PeerLogKeys, AnswersFromWhatWasPublished) {
  PeerLogKeys keys;
  EXPECT_THAT(keys.log_keys(orga), IsEmpty());
  EXPECT_FALSE(keys.witness_key(orga));
  keys.publish({{orga, keys_in(with_keys({log_key("a", 2, 2), log_key("a", 2, 1), log_key("b", 1)}, ""))}});
  EXPECT_EQ(keys.log_keys(orga).size(), 3U);
  const auto of_a = keys.keys_of(orga, "orga.example/fedgate/log/a/2");
  ASSERT_EQ(of_a.size(), 2U);
  EXPECT_EQ(of_a[0].text(), log_key("a", 2, 2));
}

TEST(BegunAnew, IsAGenerationThatFollowsOrALogThatIsGone) {
  const auto bundle = [](std::vector<std::string> keys) { return with_keys(std::move(keys), "").value; };
  const auto known = bundle({log_key("a", 1), log_key("b", 4)});
  EXPECT_EQ(trust::begun_anew(bundle({}), known), "");
  EXPECT_EQ(trust::begun_anew(known, known), "");
  EXPECT_EQ(trust::begun_anew(known, bundle({log_key("a", 1, 9), log_key("a", 1), log_key("b", 4)})), "");  // rotated
  EXPECT_EQ(trust::begun_anew(known, bundle({log_key("a", 1), log_key("b", 4), log_key("c", 1)})), "");     // a replica
  EXPECT_EQ(trust::begun_anew(known, bundle({log_key("a", 2), log_key("a", 1), log_key("b", 4)})),
            "orga.example/fedgate/log/a");
  EXPECT_EQ(trust::begun_anew(known, bundle({log_key("a", 1)})), "orga.example/fedgate/log/b");
  EXPECT_EQ(trust::begun_anew(known, bundle({log_key("a", 1), log_key("b", 3)})), "orga.example/fedgate/log/b");
}

struct OwnBundle : testing::Test {
  test::TempDirectory directory;
  std::unique_ptr<store::Store> store = opened();
  store::TrustRecords records{*store};

  std::unique_ptr<store::Store> opened() {
    store::Options options;
    options.url = "sqlite:" + directory.path("fedgate.db");
    auto made = store::open(options);
    if (!made) throw std::runtime_error(made.error().detail);
    return std::move(*made);
  }
  static OwnTrust replica(std::vector<std::string> keys, std::string witness = "") {
    OwnTrust own;
    own.id = orga;
    own.anchors = {"an anchor"};
    own.log_vkeys = std::move(keys);
    own.witness_vkey = std::move(witness);
    return own;
  }
  StatedBundle bundle(const OwnTrust& own) {
    auto made = bundle_with_log_keys(records, own, WallTime{});
    if (!made) throw std::runtime_error(made.error().detail);
    return *made;
  }
};

TEST_F(OwnBundle, ReplicasDoNotTakeEachOthersKeysOut) {
  const auto a = replica({log_key("a", 1)});
  const auto b = replica({log_key("b", 1)});
  EXPECT_EQ(bundle(b).value.seq, 1U);
  EXPECT_THAT(bundle(a).value.log_vkeys, ElementsAre(log_key("a", 1), log_key("b", 1)));
  EXPECT_EQ(bundle(b).value.seq, 2U);  // nothing new in it
  EXPECT_EQ(bundle(a).value.seq, 2U);
  EXPECT_EQ(own_bundle(records, b, WallTime{})->value.seq, 2U);
}

TEST_F(OwnBundle, AKeyThatIsNewMakesTheNextOneAndNothingElseDoes) {
  auto own = replica({log_key("a", 1)});
  const auto first = bundle(own);
  own.endpoints = {"https://else.example"};
  own.anchors.push_back("another");
  EXPECT_EQ(bundle(own).sha256, first.sha256);
  EXPECT_TRUE(states_log_keys(first.value, own));
  own.log_vkeys.insert(own.log_vkeys.begin(), log_key("a", 1, 7));
  EXPECT_FALSE(states_log_keys(first.value, own));
  const auto second = bundle(own);
  EXPECT_EQ(second.value.seq, 2U);
  EXPECT_EQ(second.value.previous, first.sha256);
  EXPECT_EQ(second.value.anchors, first.value.anchors);
  EXPECT_THAT(second.value.log_vkeys, ElementsAre(log_key("a", 1, 7), log_key("a", 1)));
}

TEST_F(OwnBundle, AnotherWitnessKeyWaitsForAnAnnouncement) {
  const auto one = vkey("orga.example/fedgate/witness", 3, wire::NoteAlgorithm::cosignature_v1);
  const auto two = vkey("orga.example/fedgate/witness", 4, wire::NoteAlgorithm::cosignature_v1);
  EXPECT_EQ(bundle(replica({}, one)).value.witness_vkey, one);
  EXPECT_EQ(bundle(replica({}, two)).value.witness_vkey, one);
  EXPECT_EQ(own_bundle(records, replica({}, two), WallTime{})->value.witness_vkey, one);
  EXPECT_EQ(own_bundle(records, replica({}, two), WallTime{}, WitnessKey::ours)->value.witness_vkey, two);
}

TEST_F(OwnBundle, TheOldestKeysOfOursGoWhereTheyDoNotFit) {
  std::vector<std::string> many;
  for (int generation = 30; generation >= 1; --generation) many.push_back(log_key("a", generation));
  (void)bundle(replica({log_key("b", 1)}));
  const auto keys = bundle(replica(many)).value.log_vkeys;
  ASSERT_EQ(keys.size(), wire::most_bundle_keys);
  EXPECT_EQ(keys.front(), log_key("a", 30));
  EXPECT_EQ(keys.back(), log_key("b", 1));
  EXPECT_TRUE(states_log_keys(bundle(replica(many)).value, replica(many)));
}

}  // namespace
}  // namespace fedgate::federation
