// SPDX-License-Identifier: Apache-2.0
//
// Promise: whatever happens to the database under load (it is slow, full, replaced by an empty one, edited), no call
// fails, and what the journal has stands in the database once, or the difference is named and nothing overwritten.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/eventually.h"
#include "support/federation.h"
#include "support/postgres_server.h"

namespace fedgate {
namespace {

using test::call_of;
using test::PostgresServer;
using testing::HasSubstr;

class DatabaseTrouble : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = PostgresServer::unavailable(); !why.empty()) GTEST_SKIP() << why;
    for (auto* one : {&orgs.a(), &orgs.b()}) {
      one->settings.store.url = PostgresServer::shared().new_database();
      one->environment.compare_database_each = std::chrono::milliseconds(20);
    }
  }
  void TearDown() override {
    enough_ = true;
    if (caller_.joinable()) caller_.join();
  }
  /// Calls without a pause, until expect_no_call_failed().
  void start_calling() {
    orgs.start();
    caller_ = std::thread([this] {
      test::TestClient client;
      while (!enough_) {
        const auto answer = orgs.a().invoke(client, call_of('b', "order"));
        if (answer.status != 200 && failed_++ == 0) first_failure_ = answer.text + answer.problem;
        ++calls_;
      }
    });
    more_calls(30);
  }
  void more_calls(int wanted) {
    const int enough_then = calls_ + wanted;
    EXPECT_TRUE(test::eventually([&] { return calls_ >= enough_then; }, std::chrono::seconds(60)));
  }
  void expect_no_call_failed() {
    enough_ = true;
    caller_.join();
    EXPECT_EQ(failed_, 0) << first_failure_;
  }
  static std::int64_t number(const std::string& url, const std::string& sql) {
    pqxx::connection connection(url);
    return pqxx::nontransaction(connection).exec(sql)[0][0].as<std::int64_t>();
  }
  static void change(const std::string& url, const std::string& sql) {
    pqxx::connection connection(url);
    pqxx::nontransaction(connection).exec(sql);
  }
  /// All that the journal has, each once, whole.
  void expect_complete(const test::Organisation& at, const std::string& url) {
    const auto durable = at.gateway->journal().state().durable;
    ASSERT_TRUE(at.gateway->shipper().wait_for(durable, std::chrono::seconds(60))) << at.id.str();
    const auto rows = at.gateway->journal().read(0, durable, 1 << 30);
    ASSERT_TRUE(rows);
    pqxx::connection connection(url);
    pqxx::nontransaction read(connection);
    const auto found = read.exec(
        "SELECT log_index, leaf FROM audit_events WHERE log = " + read.quote(at.gateway->journal().log_name()) +
        " AND log_index < " + std::to_string(durable) + " ORDER BY log_index");
    ASSERT_EQ(found.size(), durable) << at.id.str();
    for (std::uint64_t i = 0; i < durable; ++i) {
      const auto row = found[static_cast<pqxx::result::size_type>(i)];
      ASSERT_EQ(row[0].as<std::uint64_t>(), i);
      ASSERT_EQ(row[1].as<std::string>(), (*rows)[i]) << i;
    }
    EXPECT_GE(number(url, "SELECT count(*) FROM audit_events WHERE phase = 'outcome' AND outcome = 'succeeded'"),
              calls_);
  }
  void expect_both_complete() {
    for (const auto* one : {&orgs.a(), &orgs.b()})
      ASSERT_NO_FATAL_FAILURE(expect_complete(*one, one->settings.store.url));
  }
  [[nodiscard]] nlohmann::json status_of(const test::Organisation& at) {
    return at.operate(orgs.client, "GET", "/api/v2/status").body;
  }
  /// What each statement that adds to the trail meets.
  void let_inserts(const std::string& body) {
    for (const auto* one : {&orgs.a(), &orgs.b()})
      change(one->settings.store.url,
             "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + body +
                 " RETURN NULL; END $$; CREATE TRIGGER trouble BEFORE INSERT ON audit_events FOR EACH STATEMENT "
                 "EXECUTE FUNCTION trouble()");
  }
  void end_trouble() {
    for (const auto* one : {&orgs.a(), &orgs.b()}) change(one->settings.store.url, "DROP FUNCTION trouble() CASCADE");
  }

  test::Federation orgs{2};
  std::atomic<bool> enough_{false};
  std::atomic<int> calls_{0}, failed_{0};
  std::string first_failure_;  // the caller's, until it has ended
  std::thread caller_;
};

TEST_F(DatabaseTrouble, ASlowOneDelaysTheCopyAndNothingElse) {
  start_calling();
  let_inserts("PERFORM pg_sleep(1.5);");
  more_calls(60);
  EXPECT_GT(status_of(orgs.a())["audit"]["backlog"], 0);
  end_trouble();
  more_calls(10);
  expect_no_call_failed();
  expect_both_complete();
}

TEST_F(DatabaseTrouble, AFullOneDelaysTheCopyAndNothingElse) {
  start_calling();
  let_inserts("RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';");
  more_calls(60);
  EXPECT_TRUE(test::eventually([&] { return status_of(orgs.a())["audit"]["backlog"] > 0; }));
  end_trouble();
  more_calls(10);
  expect_no_call_failed();
  expect_both_complete();
}

// The URL names two servers; the second has a database of that name and nothing in it, not even tables.
TEST_F(DatabaseTrouble, AFailoverToAnEmptyOneLosesNothing) {
  PostgresServer first, second;
  std::map<std::string, std::string> after;
  for (auto* one : {&orgs.a(), &orgs.b()}) {
    const std::string name = one == &orgs.a() ? "trail_a" : "trail_b";
    for (const auto* server : {&first, &second}) server->execute("CREATE DATABASE " + name);
    one->settings.store.url = "postgresql://fedgate@/" + name + "?host=" + first.directory() + "," + second.directory();
    after[one->id.str()] = second.url(name);
  }
  start_calling();
  ASSERT_EQ(number(first.url("trail_a"), "SELECT count(*) FROM federation_nodes"), 1);
  first.stop();
  more_calls(60);
  for (const auto* one : {&orgs.a(), &orgs.b()}) {
    const auto& url = after[one->id.str()];
    ASSERT_TRUE(test::eventually(
        [&] { return number(url, "SELECT count(*) FROM pg_tables WHERE tablename = 'audit_events'") == 1; },
        std::chrono::seconds(60)))
        << "the gateway makes the tables";
    ASSERT_TRUE(test::eventually([&] { return number(url, "SELECT count(*) FROM federation_nodes") == 1; },
                                 std::chrono::seconds(60)))
        << "and remembers whom it trusts";
  }
  more_calls(30);
  expect_no_call_failed();
  for (const auto* one : {&orgs.a(), &orgs.b()}) ASSERT_NO_FATAL_FAILURE(expect_complete(*one, after[one->id.str()]));
}

TEST_F(DatabaseTrouble, AnEditedOneIsNamedAndCallsGoOn) {
  start_calling();
  auto& a = orgs.a();
  const auto& url = a.settings.store.url;
  ASSERT_TRUE(a.gateway->shipper().wait_for(20, std::chrono::seconds(20)));
  change(url, "UPDATE audit_events SET leaf = replace(leaf, 'succeeded', 'not_sent') WHERE log_index = 13");
  change(url, "UPDATE audit_events SET leaf = leaf || ' ' WHERE log_index = 14");
  ASSERT_TRUE(test::eventually([&] { return a.gateway->shipper().stopped(); }, std::chrono::seconds(30)));
  const auto status = status_of(a);
  EXPECT_EQ(status["audit"]["shipping"], "stopped") << status;
  EXPECT_EQ(status["audit"]["health"], "degraded");
  EXPECT_EQ(status["state"], "ready");
  EXPECT_THAT(status["attention"].dump(), HasSubstr("differs from the journal at record 1"));
  const auto edited = number(url, "SELECT max(log_index) FROM audit_events");
  const auto durable = a.gateway->journal().state().durable;
  more_calls(20);
  EXPECT_EQ(number(url, "SELECT max(log_index) FROM audit_events"), edited) << "nothing more is shipped";
  EXPECT_EQ(number(url, "SELECT count(*) FROM audit_events WHERE leaf LIKE '% '"), 1) << "nothing is overwritten";
  EXPECT_GE(a.gateway->journal().tree().size(), durable + 20) << "the log goes on";
  expect_no_call_failed();
  // Somebody takes what was edited away: the rest is shipped again.
  change(url, "DELETE FROM audit_events WHERE log_index >= 13");
  ASSERT_TRUE(test::eventually([&] { return !a.gateway->shipper().stopped(); }, std::chrono::seconds(30)));
  expect_both_complete();
  EXPECT_EQ(number(url, "SELECT count(*) FROM audit_events WHERE event_type = 'security_violation'"), 1);
  EXPECT_EQ(status_of(a)["audit"]["shipping"], "running");
}

}  // namespace
}  // namespace fedgate
