// SPDX-License-Identifier: Apache-2.0
#include "nodes/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "support/fake_clock.h"

namespace fedgate::nodes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

NodeId id(std::string_view text) { return NodeId::parse(text).value(); }
Domain domain(std::string_view text) { return Domain::parse(text).value(); }

Node configured(std::string_view name) {
  Node node;
  node.id = id(name);
  node.endpoints = {"https://gate." + std::string(name) + ":8443"};
  node.trust_anchors = {"anchor of " + std::string(name)};
  node.principal_domains = {domain(name)};
  node.source = NodeSource::configuration;
  node.defined_at = "/etc/fedgate/fedgate.yaml:12";
  node.trust_level = TrustLevel::trusted;
  return node;
}

Node offered(std::string_view name) {
  auto node = configured(name);
  node.source = NodeSource::operator_command;
  node.defined_at.clear();
  return node;
}

/// Passes everything on to a real store, unless told to fail.
class Flaky final : public store::Store {
 public:
  explicit Flaky(std::unique_ptr<store::Store> real) : real_(std::move(real)) {}
  bool reads_fail = false;
  bool writes_fail = false;
  int writes = 0;

  [[nodiscard]] std::string_view kind() const override { return real_->kind(); }
  Result<void> ping() override { return real_->ping(); }
  Result<std::vector<store::MigrationStatus>> migrations() override { return real_->migrations(); }
  Result<int> migrate_up() override { return real_->migrate_up(); }
  Result<int> migrate_down(int steps) override { return real_->migrate_down(steps); }
  Result<std::vector<Node>> nodes() override {
    if (reads_fail) return fail(Code::store_unavailable, "out of order");
    return real_->nodes();
  }
  Result<void> put_node(const Node& node) override {
    if (writes_fail) return fail(Code::store_unavailable, "out of order");
    ++writes;
    return real_->put_node(node);
  }
  Result<bool> remove_node(const NodeId& which) override {
    if (writes_fail) return fail(Code::store_unavailable, "out of order");
    return real_->remove_node(which);
  }
  Result<void> append_audit(std::span<const store::AuditRow> rows) override { return real_->append_audit(rows); }
  Result<std::optional<std::uint64_t>> audit_position(const std::string& log) override {
    return real_->audit_position(log);
  }
  Result<std::vector<store::AuditRow>> audit(const store::AuditQuery& query) override { return real_->audit(query); }

 private:
  std::unique_ptr<store::Store> real_;
};

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() {
    char name[] = "/tmp/fedgate-nodes-XXXXXX";
    directory_ = ::mkdtemp(name);
    restart();
  }
  ~RegistryTest() override { std::filesystem::remove_all(directory_); }

  void restart() {
    registry_.reset();
    store_.reset();
    auto opened = store::open({.url = "sqlite:" + (directory_ / "fedgate.db").string()});
    if (!opened) throw std::runtime_error(opened.error().detail);
    store_ = std::make_unique<Flaky>(std::move(*opened));
    registry_ = std::make_unique<Registry>(*store_, id("orga.example"), clock_, log::silent());
  }
  void load(std::initializer_list<Node> nodes) {
    const auto loaded = registry_->load(std::vector<Node>(nodes));
    ASSERT_TRUE(loaded) << loaded.error().detail;
  }
  Error load_error(std::initializer_list<Node> nodes) {
    const auto loaded = registry_->load(std::vector<Node>(nodes));
    return loaded ? Error{Code::usage, "was loaded"} : loaded.error();
  }
  Node at(std::string_view name) {
    const auto table = registry_->table().load();
    const auto* node = table->find_named(name);
    if (node == nullptr) throw std::runtime_error("no node " + std::string(name));
    EXPECT_THAT(store_->nodes().value(), testing::Contains(*node)) << "what is published is what is stored";
    return *node;
  }
  std::size_t count() { return registry_->table().load()->all().size(); }

  test::FakeClock clock_;
  std::filesystem::path directory_;
  std::unique_ptr<Flaky> store_;
  std::unique_ptr<Registry> registry_;
};

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
  ASSERT_TRUE(registry_->change("orgb.example", {.trust_level = TrustLevel::revoked}));
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
  EXPECT_EQ(registry_->remove("orgb.example").error().code, Code::conflict);
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
  ASSERT_TRUE(registry_->change("orgb.example", {.enabled = false}));
  EXPECT_FALSE(at("orgb.example").usable());
  load({b});
  EXPECT_FALSE(at("orgb.example").enabled);
  restart();
  load({b});
  EXPECT_FALSE(at("orgb.example").enabled);
  ASSERT_TRUE(registry_->change("orgb.example", {.enabled = true}));
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
  const auto enabled = registry_->change("orgb.example", {.enabled = true});
  ASSERT_FALSE(enabled);
  EXPECT_THAT(enabled.error().detail, HasSubstr("/etc/fedgate/fedgate.yaml:12"));
  b.enabled = true;
  restart();
  load({b});
  EXPECT_TRUE(at("orgb.example").enabled);

  ASSERT_TRUE(registry_->change("orgb.example", {.enabled = false}));  // both: the operator's outlives YAML's
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
  EXPECT_EQ(registry_->change("orgb.example", {.enabled = true}).error().code, Code::conflict) << "the domain is taken";

  load({configured("orgc.example"), b});
  EXPECT_TRUE(at("orgb.example").usable()) << "back in YAML";
  load({configured("orgc.example")});
  ASSERT_TRUE(registry_->remove("orgb.example"));
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
  refused(Code::conflict,
          [](Node& node) { node.principal_domains = {domain("orgc.example"), domain("orga.example")}; });
  for (const auto* alias : {"orga.example", "a b", "x/y", "\u00e9"})
    refused(Code::bad_request, [&](Node& node) { node.alias = alias; });
  refused(Code::bad_request, [](Node& node) { node.trust_anchors.clear(); });
  refused(Code::bad_request, [](Node& node) { node.pins = {std::string(64, 'A')}; });
  refused(Code::bad_request, [](Node& node) { node.metadata = {{std::string(disabled_by), "operator"}}; });
  for (const auto* endpoint :
       {"http://gate.orgc.example:8443", "https://", "https://:8443", "https://h:0", "https://h:65536",
        "https://h:8443x", "https://user@h:8443", "https://h:8443/path", "https://h?x", "https://h#x", "https://h h",
        "https://[::1", "https://[]:1", "https://[::1]x", "ftp://h", "", "HTTPS://h"})
    refused(Code::bad_request, [&](Node& node) { node.endpoints = {endpoint}; });

  auto fine = offered("orgc.example");
  fine.endpoints = {"https://h", "https://h:1", "https://h:65535/", "https://[2001:db8::1]:8443",
                    "https://192.0.2.1:8443"};
  fine.trust_anchors.clear();
  fine.trust_level = TrustLevel::untrusted;
  fine.enabled = false;
  const auto added = registry_->add(fine);
  ASSERT_TRUE(added) << added.error().detail;
  EXPECT_EQ(registry_->change("orgc.example", {.trust_level = TrustLevel::trusted}).error().code, Code::bad_request)
      << "no anchor";
  EXPECT_TRUE(registry_->change("orgc.example", {.enabled = true}));
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
  EXPECT_EQ(registry_->change("orgd.example", {.enabled = false}).error().code, Code::node_not_found);
  EXPECT_EQ(registry_->remove("orgd.example").error().code, Code::node_not_found);
  const auto refused = registry_->remove("orgb.example");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("/etc/fedgate/fedgate.yaml:12"));
  ASSERT_TRUE(registry_->remove("orgc.example"));
  EXPECT_EQ(count(), 1U);
  EXPECT_THAT(store_->nodes().value(), SizeIs(1));
}

TEST_F(RegistryTest, StoredFirstPublishedAfter) {
  store_->reads_fail = true;
  EXPECT_EQ(load_error({configured("orgb.example")}).code, Code::store_unavailable);
  EXPECT_EQ(count(), 0U);
  store_->reads_fail = false;

  std::vector<std::string> heard;
  registry_->on_change([&](const NodeTable& before, const NodeTable& after) {
    heard.push_back(std::to_string(before.all().size()) + ">" + std::to_string(after.all().size()));
    EXPECT_EQ(&after, registry_->table().load().get()) << "published before it is told";
    EXPECT_EQ(store_->nodes().value(), after.all()) << "and stored before that";
  });
  load({configured("orgb.example")});
  store_->writes_fail = true;
  EXPECT_FALSE(registry_->add(offered("orgc.example")));
  EXPECT_FALSE(registry_->change("orgb.example", {.enabled = false}));
  EXPECT_FALSE(registry_->load(std::vector<Node>{}));
  EXPECT_TRUE(at("orgb.example").usable());
  EXPECT_THAT(heard, ElementsAre("0>1")) << "what failed is not published";
  store_->writes_fail = false;
  ASSERT_TRUE(registry_->add(offered("orgc.example")));
  store_->writes_fail = true;
  EXPECT_FALSE(registry_->remove("orgc.example"));
  store_->writes_fail = false;
  ASSERT_TRUE(registry_->remove("orgc.example"));
  EXPECT_THAT(heard, ElementsAre("0>1", "1>2", "2>1"));
}

TEST_F(RegistryTest, ReadersSeeAChangeAtTheirNextLook) {
  load({configured("orgb.example")});
  Snapshot<NodeTable>::Reader reader(registry_->table());
  const auto before = reader.get();
  EXPECT_TRUE(before->find(id("orgb.example"))->usable());
  ASSERT_TRUE(registry_->change("orgb.example", {.enabled = false}));
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
