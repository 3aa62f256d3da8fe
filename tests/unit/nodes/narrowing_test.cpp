// SPDX-License-Identifier: Apache-2.0
//
// What takes something away from a node is in force whatever the database does, and stays in force until it has it.
#include <filesystem>
#include <future>

#include "unit/nodes/registry_fixture.h"

namespace fedgate::nodes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Narrowed : public RegistryTest {
 protected:
  void out_of_order(bool so) { store_->reads_fail = store_->writes_fail = so; }
  [[nodiscard]] bool usable(std::string_view name) { return now(name).usable(); }
};

TEST_F(Narrowed, DuringAnOutageItIsInForceAndStaysSo) {
  load({configured("orgb.example"), configured("orgc.example")});
  ASSERT_TRUE(registry_->add(offered("orgd.example")));
  std::vector<std::string> cut_off;
  registry_->on_change([&](const NodeTable& before, const NodeTable& after, ChangedBy) {
    for (const auto& one : differences(before, after))
      if (one.cut_off) cut_off.push_back(one.before->id.str());
  });
  out_of_order(true);
  ASSERT_TRUE(registry_->narrow("orgb.example", disabled));
  ASSERT_TRUE(registry_->narrow("orgc.example", {.level = TrustLevel::untrusted}));
  ASSERT_TRUE(registry_->narrow("orgd.example", removed));
  EXPECT_THAT(cut_off, ElementsAre("orgb.example", "orgc.example", "orgd.example"));
  EXPECT_THAT(registry_->waiting(), ElementsAre(id("orgb.example"), id("orgc.example"), id("orgd.example")));
  EXPECT_EQ(registry_->refresh().error().code, Code::store_unavailable);

  const auto still_narrow = [&] {
    EXPECT_FALSE(now("orgb.example").enabled);
    EXPECT_EQ(now("orgc.example").trust_level, TrustLevel::untrusted);
    EXPECT_EQ(registry_->table().load()->find(id("orgd.example")), nullptr);
  };
  still_narrow();
  // What would widen it fails, a reload of the same configuration too, and publications about others leave it alone.
  EXPECT_EQ(registry_->change("orgb.example", {.enable = true}).error().code, Code::store_unavailable);
  EXPECT_EQ(load_error({configured("orgb.example"), configured("orgc.example")}).code, Code::store_unavailable);
  still_narrow();
  store_->reads_fail = false;
  EXPECT_FALSE(registry_->refresh()) << "the rows can be read, and still say otherwise";
  EXPECT_FALSE(registry_->add(offered("orge.example")));
  still_narrow();
  EXPECT_TRUE(store_->nodes().value().front().enabled) << "not stored yet";

  out_of_order(false);
  ASSERT_TRUE(registry_->add(offered("orge.example"))) << "stored with the next thing that is";
  EXPECT_THAT(registry_->waiting(), IsEmpty());
  still_narrow();
  EXPECT_FALSE(at("orgb.example").enabled);
  EXPECT_EQ(at("orgc.example").trust_level, TrustLevel::untrusted);
  EXPECT_TRUE(usable("orge.example"));
  restart();
  load({configured("orgb.example"), configured("orgc.example")});
  EXPECT_FALSE(now("orgb.example").enabled);
  EXPECT_EQ(registry_->table().load()->find(id("orgd.example")), nullptr);
}

TEST_F(Narrowed, ItWaitsForNobodyWhoWaitsForTheDatabase) {
  load({configured("orgb.example"), configured("orgc.example")});
  store_->hang();
  auto hanging = std::async(std::launch::async, [&] { return registry_->add(offered("orgd.example")); });
  ASSERT_TRUE(store_->wait_for_waiters(1));
  auto cut_off = std::async(std::launch::async, [&] { return registry_->narrow("orgb.example", disabled); });
  const bool at_once = cut_off.wait_for(std::chrono::seconds(5)) == std::future_status::ready;
  if (at_once) {
    EXPECT_FALSE(usable("orgb.example"));
  }
  store_->release();
  EXPECT_TRUE(at_once);
  ASSERT_TRUE(hanging.get());
  EXPECT_FALSE(usable("orgb.example")) << "what was read before it is published after it";
  EXPECT_TRUE(usable("orgd.example"));
  ASSERT_TRUE(registry_->refresh());
  EXPECT_FALSE(at("orgb.example").enabled);
}

TEST_F(Narrowed, WhatIsTakenWhileTheFirstIsWrittenIsNotLost) {
  load({configured("orgb.example")});
  ASSERT_TRUE(registry_->narrow("orgb.example", disabled));
  store_->hang();
  auto writing = std::async(std::launch::async, [&] { return registry_->refresh(); });
  ASSERT_TRUE(store_->wait_for_waiters(1)) << "it reads";
  store_->let_one_pass();
  ASSERT_TRUE(store_->wait_for_waiters(2)) << "it writes";
  ASSERT_TRUE(registry_->narrow("orgb.example", {.level = TrustLevel::untrusted}));
  store_->release();
  ASSERT_TRUE(writing.get());
  EXPECT_EQ(now("orgb.example").trust_level, TrustLevel::untrusted);
  EXPECT_THAT(registry_->waiting(), ElementsAre(id("orgb.example")));
  ASSERT_TRUE(registry_->refresh());
  EXPECT_EQ(at("orgb.example").trust_level, TrustLevel::untrusted);
  EXPECT_FALSE(at("orgb.example").enabled);
  EXPECT_THAT(registry_->waiting(), IsEmpty());
}

TEST_F(Narrowed, AConfigurationTakesAwayDuringAnOutageToo) {
  auto b = configured("orgb.example");
  b.trust_anchors = {"old", "new"};
  b.principal_domains = {domain("orgb.example"), domain("b.example")};
  auto c = configured("orgc.example");
  auto d = configured("orgd.example");
  load({b, c, d});
  out_of_order(true);
  auto narrower = b;
  narrower.trust_anchors = {"new", "newest"};
  narrower.pins = {std::string(64, 'a')};
  narrower.principal_domains = {domain("orgb.example")};
  auto off = c;
  off.enabled = false;
  EXPECT_EQ(load_error({narrower, off}).code, Code::store_unavailable);
  EXPECT_THAT(now("orgb.example").trust_anchors, ElementsAre("new")) << "nothing was given";
  EXPECT_THAT(now("orgb.example").pins, ElementsAre(std::string(64, 'a')));
  EXPECT_THAT(now("orgb.example").principal_domains, ElementsAre(domain("orgb.example")));
  EXPECT_FALSE(usable("orgc.example"));
  EXPECT_FALSE(usable("orgd.example")) << "YAML no longer names it";
  EXPECT_EQ(load_error({b, c, d}).code, Code::store_unavailable);
  EXPECT_FALSE(usable("orgc.example"));

  out_of_order(false);
  load({narrower, off});
  EXPECT_THAT(at("orgb.example").trust_anchors, ElementsAre("new", "newest"));
  EXPECT_FALSE(at("orgc.example").enabled);
  EXPECT_FALSE(at("orgd.example").enabled);
  load({b, c, d});
  for (const auto* name : {"orgb.example", "orgc.example", "orgd.example"}) EXPECT_TRUE(at(name).usable()) << name;
}

TEST_F(Narrowed, AWrongConfigurationTakesNothingAway) {
  load({configured("orgb.example"), configured("orgc.example")});
  EXPECT_EQ(load_error({configured("orgb.example"), configured("orga.example")}).code, Code::conflict);
  EXPECT_TRUE(usable("orgc.example"));
  EXPECT_THAT(registry_->waiting(), IsEmpty());
}

TEST_F(Narrowed, WhatAnotherReplicaChangedIsNotUndone) {
  load({});
  ASSERT_TRUE(registry_->add(offered("orgb.example")));
  ASSERT_TRUE(registry_->add(offered("orgc.example")));
  store_->reads_fail = true;
  ASSERT_TRUE(registry_->narrow("orgb.example", disabled));
  ASSERT_TRUE(registry_->narrow("orgc.example", removed));
  store_->reads_fail = false;
  auto b = now("orgb.example");
  b.enabled = true;
  b.metadata.clear();
  b.trust_anchors.emplace_back("another");
  ASSERT_TRUE(store_->put_node(b));
  auto c = offered("orgc.example");
  c.trust_level = TrustLevel::revoked;
  ASSERT_TRUE(store_->put_node(c));
  ASSERT_TRUE(registry_->refresh());
  EXPECT_FALSE(at("orgb.example").enabled);
  EXPECT_EQ(at("orgb.example").trust_anchors.size(), 2U);
  EXPECT_EQ(at("orgc.example").trust_level, TrustLevel::revoked) << "not forgotten by removing it";
}

TEST_F(Narrowed, NothingIsNarrowedTwiceOrInVain) {
  load({configured("orgb.example")});
  EXPECT_EQ(registry_->narrow("orgc.example", disabled).error().code, Code::node_not_found);
  EXPECT_THAT(registry_->narrow("orgb.example", removed).error().detail, HasSubstr("/etc/fedgate/fedgate.yaml:12"));
  ASSERT_TRUE(cut("orgb.example", disabled));
  const int writes = store_->writes;
  ASSERT_TRUE(cut("orgb.example", disabled));
  EXPECT_EQ(store_->writes, writes);
  EXPECT_EQ(registry_->change("orgb.example", {.trust_level = TrustLevel::untrusted}).error().code, Code::internal);
}

class Revoked : public Narrowed {
 protected:
  void SetUp() override { load({configured("orgb.example")}); }
  void expect_revoked() {
    const auto table = registry_->table().load();
    const auto* node = table->find(id("orgb.example"));
    ASSERT_NE(node, nullptr);
    EXPECT_EQ(node->trust_level, TrustLevel::revoked);
    EXPECT_THAT(store_->nodes().value(), testing::Contains(*node));
  }
  void copy_database(const std::string& from, const std::string& to) {
    registry_.reset();
    store_.reset();
    for (const auto* more : {"", "-wal", "-shm"}) {
      std::filesystem::remove(to + more);
      if (std::filesystem::exists(from + more)) std::filesystem::copy_file(from + more, to + more);
    }
    restart();
  }
};

TEST_F(Revoked, OutlivesAGatewayThatNeverReachedTheDatabase) {
  out_of_order(true);
  ASSERT_TRUE(registry_->narrow("orgb.example", revoked));
  EXPECT_THAT(registry_->waiting(), ElementsAre(id("orgb.example")));
  restart();
  EXPECT_EQ(store_->nodes().value().at(0).trust_level, TrustLevel::trusted);
  load({configured("orgb.example")});
  expect_revoked();
}

TEST_F(Revoked, OutlivesADatabaseFromABackup) {
  copy_database(database_file(), directory_.path("backup"));
  load({configured("orgb.example")});
  ASSERT_TRUE(cut("orgb.example", revoked));
  copy_database(directory_.path("backup"), database_file());
  load({configured("orgb.example")});
  expect_revoked();

  // Or one that has never heard of the node.
  ASSERT_TRUE(store_->remove_node(id("orgb.example")));
  restart();
  load({});
  expect_revoked();
  EXPECT_EQ(registry_->add(offered("orgb.example")).error().code, Code::conflict);
  EXPECT_EQ(registry_->narrow("orgb.example", removed).error().code, Code::conflict);
  // While it runs, as well.
  auto row = offered("orgb.example");
  ASSERT_TRUE(store_->put_node(row));
  ASSERT_TRUE(registry_->refresh());
  expect_revoked();
}

TEST_F(Revoked, IsLiftedByAReinstatementAlone) {
  ASSERT_TRUE(cut("orgb.example", revoked));
  auto forged = configured("orgb.example");
  forged.metadata = {{std::string(reinstated_at), "9999999999999999"}};
  load({forged});
  expect_revoked();
  ASSERT_TRUE(registry_->refresh());
  EXPECT_TRUE(revocations_->all().contains(id("orgb.example"))) << "not YAML's to lift";
  EXPECT_EQ(when_reinstated(at("orgb.example")), std::nullopt);
  clock_.set_wall(WallTime{});  // the clock was wrong before, or is now
  EXPECT_EQ(registry_->change("orgb.example", {.trust_level = TrustLevel::trusted}).error().code, Code::conflict);
  ASSERT_TRUE(registry_->change("orgb.example", {.trust_level = TrustLevel::trusted, .reinstate = true}));
  EXPECT_TRUE(usable("orgb.example"));
  restart();
  load({configured("orgb.example")});
  EXPECT_TRUE(usable("orgb.example"));
  // And can be revoked again, which the reinstatement before it does not lift, whatever the clock says.
  out_of_order(true);
  ASSERT_TRUE(registry_->narrow("orgb.example", revoked));
  restart();
  load({configured("orgb.example")});
  expect_revoked();
}

TEST_F(Revoked, AnotherReplicasDecisionReachesOurFile) {
  ASSERT_TRUE(cut("orgb.example", revoked));
  auto row = at("orgb.example");
  ASSERT_TRUE(registry_->change("orgb.example", {.trust_level = TrustLevel::trusted, .reinstate = true}));
  const auto reinstated = at("orgb.example");
  clock_.advance(std::chrono::seconds(1));
  row.updated_at = clock_.wall();
  ASSERT_TRUE(store_->put_node(row));  // by the other one
  ASSERT_TRUE(registry_->refresh());
  expect_revoked();
  EXPECT_TRUE(revocations_->all().contains(row.id));
  EXPECT_THAT(registry_->waiting(), IsEmpty());

  row = reinstated;
  clock_.advance(std::chrono::seconds(1));
  set_reinstated(row, clock_.wall());
  ASSERT_TRUE(store_->put_node(row));
  ASSERT_TRUE(registry_->refresh());
  EXPECT_TRUE(usable("orgb.example"));
  EXPECT_THAT(revocations_->all(), IsEmpty());
}

TEST_F(Revoked, AFileThatCannotBeWrittenStopsNothingAndIsTriedAgain) {
  std::filesystem::create_directory(revocations_file() + ".new");
  ASSERT_TRUE(registry_->narrow("orgb.example", revoked));
  EXPECT_FALSE(usable("orgb.example"));
  EXPECT_FALSE(registry_->refresh());
  expect_revoked();
  EXPECT_THAT(registry_->waiting(), ElementsAre(id("orgb.example")));
  std::filesystem::remove(revocations_file() + ".new");
  ASSERT_TRUE(registry_->refresh());
  EXPECT_THAT(registry_->waiting(), IsEmpty());
  EXPECT_TRUE(Revocations::open(revocations_file()).value()->all().contains(id("orgb.example")));
}

}  // namespace
}  // namespace fedgate::nodes
