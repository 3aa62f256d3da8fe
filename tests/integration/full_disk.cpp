// SPDX-License-Identifier: Apache-2.0
//
// Promise: while the journal cannot be written, no call is answered as done and nothing with effects begins; when
// there is space again, calls go on by themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "support/eventually.h"
#include "support/federation.h"

namespace fedgate {
namespace {

using test::call_of;

/// The real disk, until a test says that it is full: then everything fails that would take or fill space.
class FillableDisk final : public audit::Disk {
 public:
  std::atomic<bool> full{false};

  Result<void> make_directory(const std::string& path) override { return real_->make_directory(path); }
  Result<std::vector<std::string>> list(const std::string& directory) override { return real_->list(directory); }
  Result<std::unique_ptr<audit::DiskFile>> create(const std::string& path) override {
    if (full) return no_space();
    return watched(real_->create(path));
  }
  Result<std::unique_ptr<audit::DiskFile>> open(const std::string& path) override { return watched(real_->open(path)); }
  Result<void> remove(const std::string& path) override { return real_->remove(path); }
  Result<void> sync_directory(const std::string& path) override { return real_->sync_directory(path); }
  Result<std::unique_ptr<audit::DiskFile>> lock(const std::string& path) override { return real_->lock(path); }

 private:
  static std::unexpected<Error> no_space() { return fail(Code::io_error, "writing: No space left on device"); }

  class File final : public audit::DiskFile {
   public:
    File(std::unique_ptr<audit::DiskFile> real, const std::atomic<bool>& full) : real_(std::move(real)), full_(full) {}
    Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
      if (!full_) return real_->write_at(offset, bytes);
      // As a real one: some of it fits, so a torn record is what must be repaired.
      (void)real_->write_at(offset, bytes.substr(0, bytes.size() / 2));
      return no_space();
    }
    Result<std::string> read_at(std::uint64_t offset, std::size_t size) override {
      return real_->read_at(offset, size);
    }
    Result<void> sync() override { return real_->sync(); }
    Result<void> allocate(std::uint64_t size) override {
      return full_ ? Result<void>(no_space()) : real_->allocate(size);
    }
    Result<void> truncate(std::uint64_t size) override { return real_->truncate(size); }
    Result<std::uint64_t> size() override { return real_->size(); }

   private:
    std::unique_ptr<audit::DiskFile> real_;
    const std::atomic<bool>& full_;
  };
  Result<std::unique_ptr<audit::DiskFile>> watched(Result<std::unique_ptr<audit::DiskFile>> file) {
    if (!file) return file;
    return std::make_unique<File>(std::move(*file), full);
  }
  std::unique_ptr<audit::Disk> real_ = audit::real_disk();
};

class FullDisk : public ::testing::Test {
 protected:
  FullDisk()
      : orgs(2, [this](net::Request&, net::Response& response, DeadlineWheel&) -> Task<> {
          if (fill_during_a_call) disk_of_a.full = true;
          response.headers.add("Content-Type", "application/json");
          response.body = "{}";
          co_return;
        }) {
    orgs.a().environment.disk = &disk_of_a;
    orgs.b().environment.disk = &disk_of_b;
    orgs.start();
  }
  test::Answer call(const char* capability) { return orgs.a().invoke(orgs.client, call_of('b', capability)); }
  std::size_t acted() { return orgs.b().upstream->seen().size(); }
  void expect_unavailable(const test::Answer& answer, const char* decided_by) {
    EXPECT_EQ(answer.status, 503) << answer.text;
    EXPECT_EQ(answer.code(), "audit_unavailable");
    EXPECT_EQ(answer.body["decided_by"], decided_by);
    EXPECT_EQ(answer.body["retryable"], true);
  }
  void expect_recovery() {
    EXPECT_TRUE(test::eventually([this] { return call("order").status == 200; }));
  }

  FillableDisk disk_of_a, disk_of_b;
  std::atomic<bool> fill_during_a_call{false};
  test::Federation orgs;
};

TEST_F(FullDisk, AtTheOriginRefusesCallsBeforeAnythingActs) {
  ASSERT_EQ(call("order").status, 200);
  disk_of_a.full = true;
  for (int i = 0; i < 3; ++i) {
    const auto answer = call("order");
    expect_unavailable(answer, "origin");
    EXPECT_EQ(answer.body["outcome"], "not_sent");
  }
  EXPECT_EQ(acted(), 1U) << "it left without a record";
  const auto status = orgs.a().operate(orgs.client, "GET", "/api/v2/status").body;
  EXPECT_EQ(status["audit"]["failing"], true);
  EXPECT_NE(status["attention"].dump().find("No space left on device"), std::string::npos) << status;

  disk_of_a.full = false;
  expect_recovery();
  EXPECT_EQ(orgs.a().operate(orgs.client, "GET", "/api/v2/status").body["audit"]["failing"], false);
}

TEST_F(FullDisk, AtTheTargetRefusesCallsBeforeAnythingActs) {
  ASSERT_EQ(call("order").status, 200);
  disk_of_b.full = true;
  for (int i = 0; i < 3; ++i) {
    const auto answer = call("order");
    expect_unavailable(answer, "target");
    EXPECT_EQ(answer.body["outcome"], "not_sent");
    // The origin can write, and says what it was told.
    const auto trail = orgs.a().trail(answer.correlation_id());
    ASSERT_EQ(trail.size(), 2U);
    EXPECT_EQ(trail[1].outcome, "not_sent");
    EXPECT_EQ(trail[1].error_code, "audit_unavailable");
  }
  EXPECT_EQ(acted(), 1U) << "it acted without a record";
  disk_of_b.full = false;
  expect_recovery();
}

TEST_F(FullDisk, NoReadIsAnsweredWithoutItsRecord) {
  ASSERT_EQ(call("lookup").status, 200);
  disk_of_b.full = true;
  auto answer = call("lookup");
  expect_unavailable(answer, "target");
  EXPECT_FALSE(answer.body.contains("result"));
  disk_of_b.full = false;
  expect_recovery();
  disk_of_a.full = true;
  answer = call("lookup");
  expect_unavailable(answer, "origin");
  EXPECT_FALSE(answer.body.contains("result"));
  disk_of_a.full = false;
  expect_recovery();
}

TEST_F(FullDisk, ACallThatItInterruptsIsUnknownAndSettledWhenThereIsSpaceAgain) {
  fill_during_a_call = true;
  const auto answer = call("order");
  expect_unavailable(answer, "origin");
  EXPECT_EQ(answer.body["outcome"], "unknown");
  fill_during_a_call = false;
  disk_of_a.full = false;
  expect_recovery();
  const auto at_b = orgs.b().trail(answer.correlation_id());
  ASSERT_EQ(at_b.size(), 2U);
  EXPECT_EQ(at_b[1].outcome, "succeeded");
  EXPECT_TRUE(test::eventually([&] { return orgs.a().trail(answer.correlation_id()).size() == 2; }));
  const auto expect_settled = [&] {
    const auto at_a = orgs.a().trail(answer.correlation_id());
    ASSERT_EQ(at_a.size(), 2U);
    EXPECT_EQ(at_a[0].phase, "intent");
    EXPECT_EQ(at_a[1].outcome, "unknown");
    EXPECT_EQ(at_a[1].error_code, "outcome_unknown");
  };
  expect_settled();
  orgs.a().stop();
  orgs.a().start();
  expect_settled();  // once is enough
}

TEST_F(FullDisk, OperatorsMayTakeAwayButNotGive) {
  auto& a = orgs.a();
  auto configured = a.settings;
  a.environment.reload_source = [&configured] {
    return config::Loaded{
        .settings = std::make_shared<const config::Settings>(configured), .findings = {}, .admin_address = ""};
  };
  auto c = orgs.b().as_node();
  c.id = NodeId::parse("orgc.example").value();
  c.alias.clear();
  c.trust_anchors = {a.ca.certificate_pem};  // any but B's: an anchor that two nodes share identifies neither
  c.resources.clear();
  c.principal_domains = {Domain::parse("orgc.example").value()};
  c.source = NodeSource::configuration;
  c.defined_at = "fedgate.yaml:1";
  a.stop();
  a.start();
  configured.nodes = {c};
  ASSERT_EQ(a.operate(orgs.client, "POST", "/api/v2/reload", nlohmann::json::object()).status, 200);
  const auto usable = [&](const char* id) {
    const auto table = a.gateway->registry().table().load();
    const auto* node = table->find_named(id);
    return node != nullptr && node->usable();
  };
  ASSERT_TRUE(usable("orgb.example") && usable("orgc.example"));

  disk_of_a.full = true;
  expect_unavailable(call("order"), "origin");
  const auto node_b = "/api/v2/federation/nodes/orgb.example";
  const auto disabled = a.operate(orgs.client, "PATCH", node_b, {{"enabled", false}});
  EXPECT_EQ(disabled.status, 200) << disabled.text;
  EXPECT_EQ(disabled.body["recorded"], false);
  EXPECT_EQ(disabled.body["stored"], true);
  EXPECT_NE(disabled.body["note"].dump().find("not in the trail yet"), std::string::npos) << disabled.text;
  EXPECT_FALSE(usable("orgb.example"));
  auto refused = a.operate(orgs.client, "PATCH", node_b, {{"enabled", true}});
  EXPECT_EQ(refused.code(), "audit_unavailable") << refused.text;
  EXPECT_FALSE(usable("orgb.example"));
  refused = a.operate(orgs.client, "POST", "/api/v2/federation/nodes",
                      {{"node_id", "orgd.example"}, {"trust_anchors", c.trust_anchors}, {"trusted", true}});
  EXPECT_EQ(refused.code(), "audit_unavailable") << refused.text;
  EXPECT_FALSE(usable("orgd.example"));

  auto d = c;
  d.id = NodeId::parse("orgd.example").value();
  d.principal_domains = {Domain::parse("orgd.example").value()};
  configured.nodes = {d};
  refused = a.operate(orgs.client, "POST", "/api/v2/reload", nlohmann::json::object());
  EXPECT_EQ(refused.status, 422) << refused.text;
  EXPECT_NE(refused.text.find("in force already: orgc.example"), std::string::npos) << refused.text;
  EXPECT_FALSE(usable("orgc.example")) << "the new configuration does not name it";
  EXPECT_FALSE(usable("orgd.example")) << "not before it is on record";

  // What could not be recorded is recorded as soon as it can be.
  disk_of_a.full = false;
  store::AuditQuery acts;
  acts.event_type = "configuration_changed";
  const auto subjects = [&] {
    std::vector<std::string> found;
    for (const auto& row : a.trail(acts))
      if (row.action == "node_disable") found.push_back(row.target_node);
    return found;
  };
  EXPECT_TRUE(test::eventually([&] { return subjects().size() == 2; }));
  EXPECT_THAT(subjects(), ::testing::UnorderedElementsAre("orgb.example", "orgc.example"));
  EXPECT_EQ(a.operate(orgs.client, "PATCH", node_b, {{"enabled", true}}).status, 200);
  EXPECT_EQ(a.operate(orgs.client, "POST", "/api/v2/reload", nlohmann::json::object()).status, 200);
  EXPECT_TRUE(usable("orgd.example"));
  expect_recovery();
}

}  // namespace
}  // namespace fedgate
