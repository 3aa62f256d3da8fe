// SPDX-License-Identifier: Apache-2.0
//
// Promise: while the journal cannot be written, no call is answered as done and nothing with effects begins; when
// there is space again, calls go on by themselves.
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

TEST_F(FullDisk, ACallThatItInterruptsIsUnknownAndSettledAtTheNextStart) {
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
  orgs.a().stop();
  orgs.a().start();
  const auto at_a = orgs.a().trail(answer.correlation_id());
  ASSERT_EQ(at_a.size(), 2U);
  EXPECT_EQ(at_a[0].phase, "intent");
  EXPECT_EQ(at_a[1].outcome, "unknown");
  EXPECT_EQ(at_a[1].error_code, "outcome_unknown");
}

}  // namespace
}  // namespace fedgate
