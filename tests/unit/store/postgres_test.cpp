// SPDX-License-Identifier: Apache-2.0
//
// Few, large tests: each runs in a process of its own and starts a server, which takes a second or two.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <set>

#include "store/change_listener.h"
#include "support/eventually.h"
#include "support/postgres_server.h"
#include "unit/store/store_cases.h"

namespace fedgate::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Postgres : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = test::PostgresServer::unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  static test::PostgresServer& server() { return test::PostgresServer::shared(); }
};

TEST_F(Postgres, DoesWhatEveryStoreDoes) {
  for (const auto& one : store_cases()) {
    SCOPED_TRACE(one.name);
    one.run(server().new_database());
    if (HasFatalFailure()) return;
  }
}

Node node_named(std::string_view id) {
  Node node;
  node.id = NodeId::parse(id).value();
  return node;
}

/// Ends every connection but the one that asks.
void terminate_all(test::PostgresServer& server) {
  ASSERT_FALSE(
      server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fedgate'")
          .empty());
}

TEST_F(Postgres, ComesBackAfterABrokenConnection) {
  auto& cluster = server();
  const auto store = open({.url = cluster.new_database()}).value();
  EXPECT_EQ(store->kind(), "postgresql");
  const auto node = node_named("b.example");
  terminate_all(cluster);
  EXPECT_TRUE(ok(store->put_node(node)));
  terminate_all(cluster);
  EXPECT_THAT(store->nodes().value(), ElementsAre(node));
  terminate_all(cluster);
  EXPECT_TRUE(ok(store->append_audit(std::array{audit_row("a", 0, some_time), audit_row("a", 1, some_time)})));
  terminate_all(cluster);
  EXPECT_EQ(store->audit_position("a").value(), 1U);
  terminate_all(cluster);
  EXPECT_TRUE(store->remove_node(node.id).value()) << "not twice, and not reported as absent";
  terminate_all(cluster);
  EXPECT_TRUE(ok(store->ping()));
  EXPECT_EQ(store->audit({}).value().size(), 2U);

  cluster.stop();
  for (int i = 0; i < 2; ++i) {
    const auto outage = store->put_node(node);
    ASSERT_FALSE(outage);
    EXPECT_EQ(outage.error().code, Code::store_unavailable);
    EXPECT_THAT(outage.error().detail, HasSubstr(cluster.directory()));
    EXPECT_FALSE(store->remove_node(node.id));
    EXPECT_FALSE(store->append_audit(std::array{audit_row("a", 2, some_time)}));
  }
  cluster.start();
  EXPECT_TRUE(ok(store->put_node(node)));
  EXPECT_EQ(store->audit({}).value().size(), 2U);
}

TEST_F(Postgres, NothingWaitsForEver) {
  auto& cluster = server();
  const auto url = cluster.new_database();
  const auto store = open({.url = url, .timeout = std::chrono::milliseconds(200)}).value();
  const auto took = [](auto&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::steady_clock::now() - start;
  };
  {
    pqxx::connection other(url);  // locks the table
    pqxx::work work(other);
    work.exec("LOCK TABLE audit_events");
    EXPECT_LT(took([&] {
                const auto blocked = store->append_audit(std::array{audit_row("a", 0, some_time)});
                ASSERT_FALSE(blocked);
                EXPECT_THAT(blocked.error().detail, HasSubstr("57014"));
              }),
              std::chrono::seconds(5));
  }
  EXPECT_TRUE(ok(store->append_audit(std::array{audit_row("a", 0, some_time)}))) << "the connection is still good";

  // A server that holds its connection and answers nothing: the watchdog's, and a new connection is taken.
  const auto backend =
      cluster.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'fedgate'")[0][0].as<pid_t>();
  ASSERT_EQ(::kill(backend, SIGSTOP), 0);
  EXPECT_LT(took([&] { EXPECT_EQ(store->audit({}).value().size(), 1U); }), std::chrono::seconds(15));
  ASSERT_EQ(::kill(backend, SIGCONT), 0);
}

TEST_F(Postgres, ABadRowStoresNothingOfItsBatch) {
  const auto store = open({.url = server().new_database()}).value();
  auto bad = audit_row("a", 1, some_time);
  bad.reason = "\xff";
  const auto refused = store->append_audit(std::array{audit_row("a", 0, some_time), bad});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::bad_request);
  EXPECT_THAT(refused.error().detail, HasSubstr("22021"));
  EXPECT_THAT(refused.error().detail, Not(HasSubstr("alice"))) << "no part of the row";
  EXPECT_THAT(store->audit({}).value(), IsEmpty());
}

TEST_F(Postgres, ErrorsSayWhatToTryAndNoPassword) {
  auto& cluster = server();
  const auto refused = [](const Options& options) {
    const auto store = open(options);
    EXPECT_FALSE(store);
    return store ? Error{} : store.error();
  };
  const auto absent = refused({.url = "postgresql://fedgate@127.0.0.1:1/fedgate"});
  EXPECT_EQ(absent.code, Code::store_unavailable);
  EXPECT_THAT(absent.detail, HasSubstr("127.0.0.1 port 1, database fedgate"));
  EXPECT_THAT(absent.detail, HasSubstr("Check that the server runs"));
  EXPECT_THAT(absent.detail, Not(HasSubstr("\n")));
  EXPECT_THAT(refused({.url = cluster.url("nowhere")}).detail, HasSubstr("database \"nowhere\" does not exist"));
  EXPECT_EQ(refused({.url = "postgresql://[broken"}).code, Code::invalid_configuration);

  const auto inline_password = refused({.url = "postgresql://u:s3cret@/db?host=" + cluster.directory()});
  EXPECT_EQ(inline_password.code, Code::invalid_configuration);
  EXPECT_THAT(inline_password.detail, HasSubstr("password_file"));
  EXPECT_THAT(inline_password.detail, Not(HasSubstr("s3cret")));

  cluster.execute("CREATE ROLE secured LOGIN PASSWORD 'it''s \\a s3cret'");
  cluster.execute("CREATE DATABASE owned OWNER secured");
  const auto file = cluster.directory() + "/password";
  const Options options{.url = cluster.url("owned", "secured"), .password_file = file};
  EXPECT_EQ(refused(options).code, Code::io_error);
  std::ofstream(file) << "wrong s3cret\n";
  const auto wrong = refused(options);
  EXPECT_EQ(wrong.code, Code::store_unavailable);
  EXPECT_THAT(wrong.detail, HasSubstr("password authentication failed"));
  EXPECT_THAT(wrong.detail, Not(HasSubstr("s3cret")));
  std::ofstream(file) << "it's \\a s3cret\n";
  const auto right = open(options);
  ASSERT_TRUE(right) << right.error().detail;

  cluster.execute("ALTER ROLE secured SET default_transaction_read_only = on");
  const auto reader = open(options);
  ASSERT_TRUE(reader) << reader.error().detail;
  const auto denied = (*reader)->put_node(node_named("b.example"));
  ASSERT_FALSE(denied);
  EXPECT_THAT(denied.error().detail, HasSubstr("25006"));
  EXPECT_THAT(denied.error().detail, HasSubstr("read-only"));
}

TEST_F(Postgres, ItsNodesHaveAnotherVersionAfterEachChangeWhoeverMadeIt) {
  const auto url = server().new_database();
  const auto writer = open({.url = url}).value();
  const auto reader = open({.url = url}).value();
  std::set<std::string> versions{reader->nodes_version().value()};
  const auto expect_another = [&](const char* after) {
    EXPECT_TRUE(versions.insert(reader->nodes_version().value()).second) << after;
    EXPECT_FALSE(versions.insert(reader->nodes_version().value()).second) << "and no other without a change";
  };
  auto node = node_named("b.example");
  ASSERT_TRUE(ok(writer->put_node(node)));
  expect_another("one was added");
  node.name = "B";
  ASSERT_TRUE(ok(writer->put_node(node)));
  expect_another("it was changed, but for its times");
  ASSERT_TRUE(ok(writer->put_node(node_named("c.example"))));
  expect_another("another was added");
  ASSERT_TRUE(writer->remove_node(node.id).value());
  expect_another("one was removed");
}

TEST_F(Postgres, TellsListenersOfChangedNodesAndComesBackToThem) {
  auto& cluster = server();
  const Options options{.url = cluster.new_database()};
  const auto store = open(options).value();
  std::atomic<int> heard{0};
  auto listener = ChangeListener::start(options, [&] { ++heard; }, log::silent()).value();
  ASSERT_NE(listener, nullptr);
  const auto hears = [&](int before) { return test::eventually([&] { return heard > before; }); };
  EXPECT_TRUE(hears(0)) << "once, for what came before";
  ASSERT_TRUE(ok(store->put_node(node_named("b.example"))));
  EXPECT_TRUE(hears(1));
  ASSERT_TRUE(store->remove_node(node_named("b.example").id).value());
  EXPECT_TRUE(hears(2));
  ASSERT_TRUE(ok(store->append_audit(std::array{audit_row("a", 0, some_time)})));
  EXPECT_EQ(heard, 3) << "of nodes only";
  for (const bool whole : {false, true}) {
    const int before = heard;
    if (whole)
      cluster.stop(), cluster.start();
    else
      cluster.execute(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fedgate listener'");
    EXPECT_TRUE(hears(before)) << "something may have been missed";
    ASSERT_TRUE(ok(store->put_node(node_named("c.example"))));
    EXPECT_TRUE(hears(before + 1));
  }
  cluster.stop();
  const auto begun = std::chrono::steady_clock::now();
  listener.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
  cluster.start();
  EXPECT_EQ(ChangeListener::start({.url = "sqlite:/tmp/none.db"}, [] {}, log::silent()).value(), nullptr);
}

using PostgresCost = Postgres;
TEST_F(PostgresCost, DISABLED_Append) { measure_append(server().new_database()); }

}  // namespace
}  // namespace fedgate::store
