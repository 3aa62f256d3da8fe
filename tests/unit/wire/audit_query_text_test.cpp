// SPDX-License-Identifier: Apache-2.0
#include "wire/audit_query_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fedgate::wire {
namespace {

const CorrelationId some_id = CorrelationId::make(WallTime(std::chrono::milliseconds(1'795'442'400'000)), {1});

TrailRecord full_record() {
  TrailRecord record;
  record.log = "orgb.example/fedgate/log/a/1";
  record.index = 41;
  record.leaf_hash.fill(7);
  record.time = WallTime(std::chrono::microseconds(1'795'442'400'123'456));
  record.correlation_id = some_id;
  record.attempt = 2;
  record.phase = Phase::outcome;
  record.origin = "orga.example";
  record.target = "orgb.example";
  record.principal = "alice@orga.example";
  record.actor = "agent@orga.example";
  record.resource = "inventory";
  record.capability = "lookup";
  record.access = "read";
  record.outcome = "failed";
  record.code = "upstream_failed";
  record.call_hash = std::string(64, 'c');
  record.counterparty = LeafReference{"orga.example/fedgate/log/a/1", 9, {}};
  return record;
}

TEST(TrailPage, ComesBackAsItWas) {
  const auto record = full_record();
  const auto text = trail_record_text(record);
  const auto body = trail_page_body({text, text}, "cursor", false);
  const auto page = parse_trail_page(body);
  ASSERT_TRUE(page) << page.error().detail;
  EXPECT_EQ(page->next_cursor, "cursor");
  EXPECT_FALSE(page->complete);
  ASSERT_EQ(page->records.size(), 2U);
  EXPECT_EQ(trail_record_text(page->records[0]), text);
  EXPECT_EQ(page->records[0].time, record.time);
  EXPECT_EQ(page->records[0].counterparty->index, 9U);
  const auto last = parse_trail_page(trail_page_body({}, "", true));
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->complete);
  EXPECT_EQ(last->next_cursor, "");
}

TEST(TrailPage, NothingIsToldBeyondWhatBothKnow) {
  const auto json = nlohmann::json::parse(trail_record_text(full_record()));
  for (const char* own : {"rule", "reason", "credential", "decision", "leaf", "duration_us", "peer_key"})
    EXPECT_FALSE(json.contains(own)) << own;
}

TEST(TrailPage, HostileOnesAreRefused) {
  const auto good = nlohmann::json::parse(trail_page_body({trail_record_text(full_record())}, "c", true));
  ASSERT_TRUE(parse_trail_page(good.dump()));
  const auto refused = [&](const char* member, nlohmann::json value) {
    auto bad = good;
    bad["records"][0][member] = std::move(value);
    const auto page = parse_trail_page(bad.dump());
    EXPECT_FALSE(page) << member;
    if (!page) EXPECT_EQ(page.error().code, Code::peer_protocol_error);
  };
  refused("index", -1);
  refused("index", 1ULL << 60);
  refused("attempt", 1ULL << 33);
  refused("log", "");
  refused("log", std::string(400, 'x'));
  refused("leaf_hash", "abc");
  refused("time", "yesterday");
  refused("time", "2026-11-23T14:00:00.12345Z");
  refused("correlation_id", "x");
  refused("phase", "event");
  refused("outcome", "splendid");
  refused("access", "all");
  refused("principal", 5);
  refused("principal", std::string(321, 'p'));
  refused("counterparty", {{"log", "x"}});
  for (const char* body : {"", "[]", "{}", R"({"records":{}})", R"({"records":[1]})",
                           R"({"records":[],"next_cursor":5})", R"({"records":[],"records":[]})"})
    EXPECT_FALSE(parse_trail_page(body)) << body;
  auto many = good;
  for (std::size_t i = 0; i < most_trail_records; ++i) many["records"].push_back(good["records"][0]);
  EXPECT_FALSE(parse_trail_page(many.dump()));
}

TEST(TrailQuestion, ComesBackAsItWas) {
  TrailQuestion by_ids;
  by_ids.correlation_ids = {some_id, some_id};
  by_ids.cursor = "x";
  auto read = parse_trail_question(trail_question_body(by_ids));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->correlation_ids, by_ids.correlation_ids);
  EXPECT_EQ(read->cursor, "x");
  TrailQuestion by_time;
  by_time.from = some_id.time();
  by_time.to = some_id.time() + std::chrono::microseconds(1);
  by_time.principal = "alice@orga.example";
  read = parse_trail_question(trail_question_body(by_time));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->from, by_time.from);
  EXPECT_EQ(read->to, by_time.to);
  EXPECT_EQ(read->principal, by_time.principal);
}

TEST(TrailQuestion, OddOnesAreRefused) {
  nlohmann::json ids = nlohmann::json::array();
  for (std::size_t i = 0; i <= most_correlation_ids; ++i) ids.push_back(some_id.str());
  const auto id = some_id.str();
  for (const auto& body : std::vector<std::string>{
           "", "[]", "{}", R"({"correlation_ids":[]})", R"({"correlation_ids":["x"]})", R"({"correlation_ids":[1]})",
           R"({"correlation_ids":{}})", nlohmann::json{{"correlation_ids", ids}}.dump(),
           R"({"from":"2026-11-23T14:00:00.000000Z"})",
           R"({"from":"2026-11-23T14:00:00.000000Z","to":"2026-11-23T14:00:00.000000Z"})",
           R"({"from":"2026-11-23","to":"2026-11-24"})",
           R"({"correlation_ids":[")" + id +
               R"("],"from":"2026-11-23T14:00:00.000000Z","to":"2026-11-23T15:00:00.000000Z"})",
           R"({"correlation_ids":[")" + id + R"("],"principal":"a@b.example"})",
           R"({"correlation_ids":[")" + id + R"("],"cursor":")" + std::string(longest_cursor + 1, 'c') + R"("})"}) {
    EXPECT_FALSE(parse_trail_question(body)) << body;
  }
}

}  // namespace
}  // namespace fedgate::wire
