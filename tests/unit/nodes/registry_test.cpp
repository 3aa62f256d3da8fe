// SPDX-License-Identifier: Apache-2.0
#include "nodes/registry.h"

#include "unit/nodes/registry_fixture.h"

namespace fedgate::nodes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(RegistryTest, ConfiguredNodesAreTrusted) {
  auto bare = configured("orgc.example");
  bare.trust_anchors.clear();
  auto b = configured("orgb.example");
  b.trust_level = TrustLevel::untrusted;  // whatever the caller left there
  load({b, bare});
  EXPECT_TRUE(at("orgb.example").usable());
  EXPECT_EQ(at("orgb.example").trusted_since, clock_.wall());
  EXPECT_EQ(at("orgb.example").created_at, clock_.wall());
  EXPECT_EQ(at("orgc.example").trust_level, TrustLevel::untrusted) << "no anchor, no decision";

  const auto before = at("orgb.example");
  const int writes = store_->writes;
  clock_.advance(std::chrono::hours(1));
  restart();
  load({b, bare});
  EXPECT_EQ(at("orgb.example"), before) << "nothing has changed";
  EXPECT_EQ(store_->writes, 0);
  EXPECT_EQ(writes, 2);
}

TEST_F(RegistryTest, ChangedFieldsAreTakenFromYaml) {
  auto b = configured("orgb.example");
  b.metadata = {{"contact", "old"}};
  load({b});
  const auto created = clock_.wall();
  clock_.advance(std::chrono::hours(1));
  b.endpoints = {"https://new.orgb.example:8443"};
  b.trust_anchors = {"another"};
  b.pins = {std::string(64, 'a')};
  b.alias = "orgb";
  b.rate_limit_per_hour = 7;
  b.metadata = {{"contact", "new"}};
  load({b});
  const auto now = at("orgb");
  EXPECT_EQ(now.endpoints, b.endpoints);
  EXPECT_EQ(now.trust_anchors, b.trust_anchors);
  EXPECT_EQ(now.pins, b.pins);
  EXPECT_EQ(now.rate_limit_per_hour, 7U);
  EXPECT_EQ(now.metadata, b.metadata);
  EXPECT_EQ(now.created_at, created);
  EXPECT_EQ(now.updated_at, clock_.wall());
  EXPECT_EQ(now.trusted_since, created);

  clock_.advance(std::chrono::hours(1));
  b.defined_at = "/etc/fedgate/fedgate.yaml:99";
  load({b});
  EXPECT_EQ(at("orgb").defined_at, b.defined_at);
  EXPECT_EQ(at("orgb").updated_at, now.updated_at) << "the node itself is the same";
}

TEST_F(RegistryTest, RevokedBeatsYaml) {
  const auto b = configured("orgb.example");
  load({b});
  ASSERT_TRUE(cut("orgb.example", revoked));
  EXPECT_FALSE(at("orgb.example").usable());
  EXPECT_EQ(at("orgb.example").trusted_since, std::nullopt);
  auto edited = b;
  edited.endpoints = {"https://elsewhere.example:1"};
  for (int i = 0; i < 2; ++i) {
    load({edited});
    EXPECT_EQ(at("orgb.example").trust_level, TrustLevel::revoked);
    restart();
  }
  load({});  // out of YAML and back
  EXPECT_EQ(cut("orgb.example", removed).error().code, Code::conflict);
  load({b});
  EXPECT_EQ(at("orgb.example").trust_level, TrustLevel::revoked);
  const auto lifted = registry_->change("orgb.example", {.trust_level = TrustLevel::trusted});
  ASSERT_FALSE(lifted);
  EXPECT_EQ(lifted.error().code, Code::conflict);
  EXPECT_THAT(lifted.error().detail, HasSubstr("--reinstate"));
  ASSERT_TRUE(registry_->change("orgb.example", {.trust_level = TrustLevel::trusted, .reinstate = true}));
  EXPECT_TRUE(at("orgb.example").usable());
}

TEST_F(RegistryTest, DisabledByACommandStaysSo) {
  const auto b = configured("orgb.example");
  load({b});
  ASSERT_TRUE(cut("orgb.example", disabled));
  EXPECT_FALSE(at("orgb.example").usable());
  load({b});
  EXPECT_FALSE(at("orgb.example").enabled);
  restart();
  load({b});
  EXPECT_FALSE(at("orgb.example").enabled);
  ASSERT_TRUE(registry_->change("orgb.example", {.enable = true}));
  EXPECT_THAT(at("orgb.example").metadata, IsEmpty());
  restart();
  load({b});
  EXPECT_TRUE(at("orgb.example").usable());
}

TEST_F(RegistryTest, DisabledInYamlIsYamls) {
  auto b = configured("orgb.example");
  b.enabled = false;
  load({b});
  EXPECT_FALSE(at("orgb.example").enabled);
  const auto enabled = registry_->change("orgb.example", {.enable = true});
  ASSERT_FALSE(enabled);
  EXPECT_THAT(enabled.error().detail, HasSubstr("/etc/fedgate/fedgate.yaml:12"));
  b.enabled = true;
  restart();
  load({b});
  EXPECT_TRUE(at("orgb.example").enabled);

  ASSERT_TRUE(cut("orgb.example", disabled));  // both: the operator's outlives YAML's
  b.enabled = false;
  load({b});
  b.enabled = true;
  load({b});
  EXPECT_FALSE(at("orgb.example").enabled);
}

TEST_F(RegistryTest, DroppedFromYamlIsKeptAndDisabled) {
  const auto b = configured("orgb.example");
  load({b, configured("orgc.example")});
  load({configured("orgc.example")});
  const auto kept = at("orgb.example");
  EXPECT_FALSE(kept.enabled);
  EXPECT_EQ(kept.source, NodeSource::operator_command);
  EXPECT_EQ(kept.defined_at, "");
  EXPECT_EQ(kept.trust_anchors, b.trust_anchors);
  EXPECT_TRUE(at("orgc.example").usable());

  auto successor = configured("newb.example");  // the same organisation under a new id
  successor.principal_domains = b.principal_domains;
  load({configured("orgc.example"), successor});
  EXPECT_TRUE(at("newb.example").usable());
  EXPECT_EQ(registry_->change("orgb.example", {.enable = true}).error().code, Code::conflict) << "the domain is taken";

  load({configured("orgc.example"), b});
  EXPECT_TRUE(at("orgb.example").usable()) << "back in YAML";
  load({configured("orgc.example")});
  ASSERT_TRUE(cut("orgb.example", removed));
  EXPECT_EQ(registry_->table().load()->find(id("orgb.example")), nullptr);
}

TEST_F(RegistryTest, BadConfigurationLeavesTheTable) {
  load({configured("orgb.example")});
  auto second = configured("orgc.example");
  second.principal_domains = {domain("orgb.example")};
  second.defined_at = "/etc/fedgate/conf.d/c.yaml:3";
  const auto taken = load_error({configured("orgb.example"), second});
  EXPECT_EQ(taken.code, Code::conflict);
  EXPECT_THAT(taken.detail, HasSubstr("/etc/fedgate/fedgate.yaml:12"));
  EXPECT_THAT(taken.detail, HasSubstr("/etc/fedgate/conf.d/c.yaml:3"));
  EXPECT_EQ(load_error({configured("orga.example")}).code, Code::conflict) << "our own id";
  auto ours = configured("orgc.example");
  ours.principal_domains = {domain("people.orga.example")};
  EXPECT_THAT(load_error({configured("orgb.example"), ours}).detail, HasSubstr("node.principal_domains"));
  EXPECT_EQ(load_error({configured("orgb.example"), configured("orgb.example")}).code, Code::conflict);
  EXPECT_EQ(count(), 1U);
  EXPECT_THAT(store_->nodes().value(), SizeIs(1)) << "checked whole before the first write";
}

TEST_F(RegistryTest, AddKeepsAfterRestart) {
  load({});
  auto node = offered("orgb.example");
  node.alias = "orgb";
  node.created_at = node.updated_at = WallTime{};
  node.last_seen = node.trusted_since = WallTime{};
  node.source = NodeSource::configuration;
  node.defined_at = "forged";
  const auto added = registry_->add(node);
  ASSERT_TRUE(added) << added.error().detail;
  EXPECT_EQ(*added, at("orgb"));
  EXPECT_EQ(added->source, NodeSource::operator_command);
  EXPECT_EQ(added->defined_at, "");
  EXPECT_EQ(added->created_at, clock_.wall());
  EXPECT_EQ(added->trusted_since, clock_.wall());
  EXPECT_EQ(added->last_seen, std::nullopt);
  restart();
  EXPECT_EQ(count(), 0U);
  load({});
  EXPECT_EQ(at("orgb"), *added);
}

TEST_F(RegistryTest, IdentityRules) {
  auto b = configured("orgb.example");
  b.alias = "orgb";
  load({b});
  const auto refused = [&](Code code, auto change) {
    auto node = offered("orgc.example");
    change(node);
    const auto added = registry_->add(node);
    EXPECT_EQ(added ? Code::usage : added.error().code, code) << (added ? "was added" : added.error().detail);
    EXPECT_EQ(count(), 1U);
  };
  refused(Code::conflict, [](Node& node) { node.id = id("orga.example"); });
  refused(Code::conflict, [](Node& node) { node.id = id("orgb.example"); });
  refused(Code::conflict, [](Node& node) { node.alias = "orgb"; });
  refused(Code::conflict, [](Node& node) { node.principal_domains = {domain("orgb.example")}; });
  refused(Code::conflict, [](Node& node) { node.principal_domains = {domain("people.orga.example")}; });
  refused(Code::conflict,
          [](Node& node) { node.principal_domains = {domain("orgc.example"), domain("orga.example")}; });
  for (const auto* alias : {"orga.example", "a b", "x/y", "\u00e9"})
    refused(Code::bad_request, [&](Node& node) { node.alias = alias; });
  refused(Code::bad_request, [](Node& node) { node.trust_anchors.clear(); });
  refused(Code::bad_request, [](Node& node) { node.pins = {std::string(64, 'A')}; });
  for (const auto* read : {"", "lookup", "/lookup", "inventory/", "in ventory/lookup"})
    refused(Code::bad_request, [&](Node& node) { node.reads = {read}; });
  for (const auto key : {disabled_by, reinstated_at})
    refused(Code::bad_request, [&](Node& node) { node.metadata = {{std::string(key), "1"}}; });
  for (const auto* endpoint :
       {"http://gate.orgc.example:8443", "https://", "https://:8443", "https://h:0", "https://h:65536",
        "https://h:8443x", "https://user@h:8443", "https://h:8443/path", "https://h?x", "https://h#x", "https://h h",
        "https://[::1", "https://[]:1", "https://[::1]x", "ftp://h", "", "HTTPS://h"})
    refused(Code::bad_request, [&](Node& node) { node.endpoints = {endpoint}; });

  auto fine = offered("orgc.example");
  fine.endpoints = {"https://h", "https://h:1", "https://h:65535/", "https://[2001:db8::1]:8443",
                    "https://192.0.2.1:8443"};
  fine.reads = {"inventory/lookup", "mcp://orgc.example/notes/list"};
  fine.trust_anchors.clear();
  fine.trust_level = TrustLevel::untrusted;
  fine.enabled = false;
  const auto added = registry_->add(fine);
  ASSERT_TRUE(added) << added.error().detail;
  EXPECT_EQ(registry_->change("orgc.example", {.trust_level = TrustLevel::trusted}).error().code, Code::bad_request)
      << "no anchor";
  EXPECT_TRUE(registry_->change("orgc.example", {.enable = true}));
}

TEST_F(RegistryTest, ChangeAndRemove) {
  load({configured("orgb.example")});
  ASSERT_TRUE(registry_->add(offered("orgc.example")));
  clock_.advance(std::chrono::seconds(5));
  const auto changed = registry_->change("orgc.example", {.rate_limit_per_hour = 9});
  ASSERT_TRUE(changed) << changed.error().detail;
  EXPECT_EQ(changed->rate_limit_per_hour, 9U);
  EXPECT_EQ(changed->updated_at, clock_.wall());
  EXPECT_EQ(at("orgc.example"), *changed);
  clock_.advance(std::chrono::seconds(5));
  EXPECT_EQ(registry_->change("orgc.example", {}).value().updated_at, changed->updated_at) << "nothing was changed";
  EXPECT_EQ(registry_->change("orgb.example", {.rate_limit_per_hour = 9}).error().code, Code::conflict) << "YAML's";
  EXPECT_EQ(cut("orgd.example", disabled).error().code, Code::node_not_found);
  EXPECT_EQ(cut("orgd.example", removed).error().code, Code::node_not_found);
  const auto refused = cut("orgb.example", removed);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("/etc/fedgate/fedgate.yaml:12"));
  ASSERT_TRUE(cut("orgc.example", removed));
  EXPECT_EQ(count(), 1U);
  EXPECT_THAT(store_->nodes().value(), SizeIs(1));
}

TEST_F(RegistryTest, WhatWidensIsStoredFirstAndPublishedAfter) {
  store_->reads_fail = true;
  EXPECT_EQ(load_error({configured("orgb.example")}).code, Code::store_unavailable);
  EXPECT_EQ(count(), 0U);
  store_->reads_fail = false;

  std::vector<std::string> heard;
  registry_->on_change([&](const NodeTable& before, const NodeTable& after, ChangedBy) {
    heard.push_back(std::to_string(before.all().size()) + ">" + std::to_string(after.all().size()));
    EXPECT_EQ(&after, registry_->table().load().get()) << "published before it is told";
    EXPECT_EQ(store_->nodes().value(), after.all()) << "and stored before that";
  });
  auto bare = configured("orgb.example");
  bare.trust_anchors.clear();
  load({bare});
  store_->writes_fail = true;
  EXPECT_FALSE(registry_->add(offered("orgc.example")));
  EXPECT_FALSE(registry_->change("orgb.example", {.rate_limit_per_hour = 9}));
  EXPECT_EQ(load_error({configured("orgb.example")}).code, Code::store_unavailable);
  EXPECT_EQ(load_error({bare, configured("orgc.example")}).code, Code::store_unavailable);
  EXPECT_EQ(at("orgb.example").trust_level, TrustLevel::untrusted);
  EXPECT_THAT(heard, ElementsAre("0>1")) << "what failed is not published";
  store_->writes_fail = false;
  ASSERT_TRUE(registry_->add(offered("orgc.example")));
  EXPECT_THAT(heard, ElementsAre("0>1", "1>2"));
}

/// What another replica has changed may be first seen inside a command of ours, and is not the command's.
TEST_F(RegistryTest, WhatOthersHaveChangedIsToldApartFromACommandsOwnChange) {
  load({});
  ASSERT_TRUE(registry_->add(offered("orgb.example")));
  ASSERT_TRUE(registry_->add(offered("orgc.example")));
  std::vector<std::string> heard;
  registry_->on_change([&](const NodeTable& before, const NodeTable& after, ChangedBy by) {
    for (const auto& one : differences(before, after))
      heard.push_back((one.after != nullptr ? one.after : one.before)->id.str() + (one.cut_off ? " cut off" : "") +
                      (by == ChangedBy::us ? " by us" : " by others"));
  });
  const auto revoke_elsewhere = [&](const char* name) {
    auto row = at(name);
    row.trust_level = TrustLevel::revoked;
    ASSERT_TRUE(store_->put_node(row));
  };
  revoke_elsewhere("orgb.example");
  ASSERT_TRUE(registry_->change("orgc.example", {.rate_limit_per_hour = 9}));
  EXPECT_THAT(heard, ElementsAre("orgb.example cut off by others", "orgc.example by us"));
  heard.clear();
  revoke_elsewhere("orgc.example");
  ASSERT_TRUE(registry_->add(offered("orgd.example")));
  EXPECT_THAT(heard, ElementsAre("orgc.example cut off by others", "orgd.example by us"));
  heard.clear();
  revoke_elsewhere("orgd.example");
  load({configured("orge.example")});
  EXPECT_THAT(heard, ElementsAre("orgd.example cut off by others", "orge.example by us"));
  heard.clear();
  ASSERT_TRUE(cut("orge.example", disabled));
  EXPECT_THAT(heard, ElementsAre("orge.example cut off by us"));
}

TEST_F(RegistryTest, CredentialsAreExchangedAsAWhole) {
  auto yaml = configured("orgb.example");
  load({yaml});
  auto node = offered("orgc.example");
  node.trust_level = TrustLevel::untrusted;
  node.trust_anchors.clear();
  ASSERT_TRUE(registry_->add(node));
  const Credentials given{.endpoints = {"https://new.orgc.example:8443"},
                          .trust_anchors = {"another"},
                          .pins = {std::string(64, 'a')},
                          .principal_domains = {domain("orgc.example"), domain("c.example")}};
  EXPECT_EQ(registry_->change("orgb.example", {.credentials = given}).error().code, Code::conflict) << "YAML's";
  for (const auto* taken : {"orgb.example", "people.orga.example"}) {
    auto greedy = given;
    greedy.principal_domains = {domain(taken)};
    EXPECT_EQ(registry_->change("orgc.example", {.credentials = greedy}).error().code, Code::conflict) << taken;
  }
  auto wrong = given;
  wrong.endpoints = {"http://new.orgc.example"};
  EXPECT_EQ(registry_->change("orgc.example", {.credentials = wrong}).error().code, Code::bad_request);
  store_->writes_fail = true;
  EXPECT_FALSE(registry_->change("orgc.example", {.trust_level = TrustLevel::trusted, .credentials = given}));
  store_->writes_fail = false;
  EXPECT_THAT(at("orgc.example").trust_anchors, IsEmpty());
  ASSERT_TRUE(registry_->change("orgc.example", {.trust_level = TrustLevel::trusted, .credentials = given}));
  EXPECT_TRUE(at("orgc.example").usable());
  EXPECT_EQ(at("orgc.example").endpoints, given.endpoints);
  EXPECT_EQ(at("orgc.example").trust_anchors, given.trust_anchors);
  EXPECT_EQ(at("orgc.example").pins, given.pins);
  EXPECT_EQ(at("orgc.example").principal_domains, given.principal_domains);
}

// Our domains may grow, too: then whoever added the node must decide.
TEST_F(RegistryTest, ADomainThatBecomesOursIsTakenFromNobody) {
  load({});
  auto added = offered("orgb.example");
  added.principal_domains = {domain("new.orga.example")};
  ASSERT_TRUE(registry_->add(added));
  own_domains_.push_back(domain("new.orga.example"));
  EXPECT_EQ(load_error({}).code, Code::conflict);
  restart();
  EXPECT_EQ(load_error({}).code, Code::conflict);
  own_domains_.pop_back();
  load({});
  ASSERT_TRUE(cut("orgb.example", disabled));
  own_domains_.push_back(domain("new.orga.example"));
  load({});
  EXPECT_EQ(registry_->change("orgb.example", {.enable = true}).error().code, Code::conflict);
}

TEST_F(RegistryTest, ReadersSeeAChangeAtTheirNextLook) {
  load({configured("orgb.example")});
  Snapshot<NodeTable>::Reader reader(registry_->table());
  const auto before = reader.get();
  EXPECT_TRUE(before->find(id("orgb.example"))->usable());
  ASSERT_TRUE(cut("orgb.example", disabled));
  EXPECT_FALSE(reader.get()->find(id("orgb.example"))->usable());
  EXPECT_TRUE(before->find(id("orgb.example"))->usable()) << "an old table stays what it was";
}

TEST_F(RegistryTest, OurOwnIdInTheStoreIsNoPeer) {
  ASSERT_TRUE(store_->put_node(offered("orga.example")));
  load({});
  EXPECT_EQ(count(), 0U);
}

TEST(NodeTable, FindsByIdBeforeAlias) {
  auto a = offered("orga.example");
  auto b = offered("orgb.example");
  auto c = offered("orgc.example");
  b.alias = c.alias = "partner";
  b.enabled = false;
  a.alias = "orgb.example";
  const NodeTable table({c, b, a});
  EXPECT_EQ(table.all().front().id, a.id);
  EXPECT_EQ(table.find_named("orgb.example")->id, b.id);
  EXPECT_EQ(table.find_named("partner")->id, c.id) << "the enabled one";
  EXPECT_EQ(table.find_named(""), nullptr);
  EXPECT_EQ(table.find_named("orgd.example"), nullptr);
  EXPECT_EQ(table.find(id("orgc.example"))->id, c.id);
}

}  // namespace
}  // namespace fedgate::nodes
