// SPDX-License-Identifier: Apache-2.0
//
// Promise: one call is one story of both sides, which says where they do not agree, and nobody learns of calls that
// were not theirs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/time_text.h"
#include "support/command_line.h"
#include "wire/audit_query_text.h"

namespace fedgate {
namespace {

using test::call_of;
using test::run_at;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// What somebody with hands in a database does.
void tamper(test::Organisation& at, const std::string& sql, const std::string& correlation_id) {
  ASSERT_FALSE(at.trail(correlation_id).empty());
  std::int64_t changed = 0;
  const auto done = at.gateway->store().transact("tampering", [&](store::Transaction& open) -> Result<void> {
    changed = open.run(sql, std::vector<store::Parameter>{correlation_id});
    return {};
  });
  ASSERT_TRUE(done) << done.error().detail;
  ASSERT_EQ(changed, 1);
}

nlohmann::json story_at(test::Federation& orgs, test::Organisation& at, const std::string& id,
                        const std::string& more = "") {
  const auto answer = at.operate(orgs.client, "GET", "/api/v2/audit/calls/" + id + more);
  EXPECT_EQ(answer.status, 200) << answer.text;
  return answer.body;
}

std::vector<std::string> steps_of(const nlohmann::json& story) {
  std::vector<std::string> steps;
  for (const auto& entry : story["entries"])
    steps.push_back(entry["side"].get<std::string>().substr(0, 4) + " " + entry["phase"].get<std::string>() + " " +
                    (entry["standing"].is_string() ? entry["standing"].get<std::string>() : "-"));
  return steps;
}

/// A question on the peers listener, as another organisation's gateway asks it.
test::Answer ask(test::Federation& orgs, const test::Organisation& whom, const test::Organisation& as,
                 const std::string& body) {
  const auto address = net::parse_address(whom.gateway->peers_address());
  net::Request request;
  request.method = "POST";
  request.target = "/api/v2/federation/audit/query";
  request.headers.add("Content-Type", "application/json");
  request.body = body;
  return orgs.client.send({.pool_key = as.id.str() + " to " + whom.id.str(),
                           .host = address->host,
                           .port = address->port,
                           .host_header = whom.id.str(),
                           .tls = as.client_tls(),
                           .server_name = whom.id.str()},
                          request);
}

std::string question_of(const std::string& correlation_id) {
  wire::TrailQuestion question;
  question.correlation_ids = {CorrelationId::parse(correlation_id).value()};
  return wire::trail_question_body(question);
}

TEST(BothSides, AWriteIsOneStoryInTheOrderInWhichItHappened) {
  test::Federation orgs(2);
  orgs.start();
  const auto answer = orgs.a().invoke(orgs.client, call_of('b', "order"));
  ASSERT_EQ(answer.status, 200) << answer.text;
  const auto id = answer.correlation_id();
  const std::vector<std::string> story{"orga intent agrees", "orgb intent agrees", "orgb outcome agrees",
                                       "orga outcome agrees"};
  const auto at_a = story_at(orgs, orgs.a(), id);
  EXPECT_EQ(steps_of(at_a), story) << at_a.dump(1);
  EXPECT_EQ(at_a["parties"][0]["state"], "answered");
  EXPECT_EQ(at_a["entries"][3]["counterparty"]["hash"], at_a["entries"][2]["leaf_hash"]);
  EXPECT_EQ(steps_of(story_at(orgs, orgs.b(), id)), story) << "the same from the other end";

  const auto shown = run_at(orgs.a(), {"audit", "show", id});
  ASSERT_EQ(shown.status, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("orgb.example remembers the same."));
  EXPECT_THAT(shown.out, HasSubstr("all-out"));
  EXPECT_THAT(shown.out, Not(HasSubstr("all-in"))) << "their rule is theirs";

  EXPECT_THAT(steps_of(story_at(orgs, orgs.a(), id, "?local=true")), ElementsAre("orga intent -", "orga outcome -"));
  EXPECT_THAT(run_at(orgs.a(), {"audit", "show", id, "--local"}).out, HasSubstr("orgb.example was not asked"));
  EXPECT_EQ(run_at(orgs.a(), {"audit", "show", "019a9f5c-7c00-7000-8000-000000000001"}).status, 1);
}

TEST(BothSides, APeerThatIsAwayIsSaidToBe) {
  test::Federation orgs(2);
  orgs.start();
  const auto id = orgs.a().invoke(orgs.client, call_of('b', "order")).correlation_id();
  ASSERT_FALSE(orgs.a().trail(id).empty());
  orgs.b().stop();
  const auto story = story_at(orgs, orgs.a(), id);
  EXPECT_THAT(steps_of(story), ElementsAre("orga intent -", "orga outcome -"));
  EXPECT_EQ(story["parties"][0]["state"], "unreachable");
  EXPECT_NE(story["parties"][0]["detail"], "");
  const auto shown = run_at(orgs.a(), {"audit", "show", id});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("orgb.example could not be asked: "));
  EXPECT_THAT(shown.out, HasSubstr("not compared"));
}

TEST(BothSides, ATamperedRecordDiffersAndADeletedOneIsMissing) {
  test::Federation orgs(2);
  for (auto* one : {&orgs.a(), &orgs.b()})
    one->environment.reconciliation = {.interval = std::chrono::milliseconds(0),
                                       .settling = std::chrono::milliseconds(0)};
  // Our own watch over the database would find it first, and stop shipping.
  for (auto* one : {&orgs.a(), &orgs.b()}) one->environment.compare_database_each = std::chrono::hours(1);
  orgs.start();
  const auto changed = orgs.a().invoke(orgs.client, call_of('b', "order")).correlation_id();
  const auto forged = orgs.a().invoke(orgs.client, call_of('b', "lookup")).correlation_id();
  const auto deleted = orgs.a().invoke(orgs.client, call_of('b', "lookup")).correlation_id();
  tamper(orgs.b(), "UPDATE audit_events SET outcome = 'failed' WHERE phase = 'outcome' AND correlation_id = $1",
         changed);
  tamper(orgs.b(),
         "UPDATE audit_events SET leaf = replace(leaf, '\"access\":\"read\"', '\"access\":\"rean\"') "
         "WHERE correlation_id = $1",
         forged);
  tamper(orgs.b(), "DELETE FROM audit_events WHERE correlation_id = $1", deleted);

  const auto story = story_at(orgs, orgs.a(), changed);
  EXPECT_THAT(steps_of(story), ElementsAre("orga intent differs", "orgb intent differs", "orgb outcome differs",
                                           "orga outcome differs"));
  EXPECT_EQ(story["parties"][0]["verdicts"][0]["fields"], nlohmann::json({"outcome"})) << story.dump(1);
  EXPECT_THAT(run_at(orgs.a(), {"audit", "show", changed}).out,
              HasSubstr("differs: outcome: here succeeded, there failed"));
  const auto leaf = story_at(orgs, orgs.a(), forged);
  EXPECT_THAT(leaf["parties"][0]["verdicts"][0]["fields"].get<std::vector<std::string>>(), testing::Contains("leaf"))
      << leaf.dump(1);
  const auto gone = story_at(orgs, orgs.a(), deleted);
  EXPECT_THAT(steps_of(gone), ElementsAre("orga outcome missing_there"));
  EXPECT_THAT(run_at(orgs.a(), {"audit", "show", deleted}).out, HasSubstr("ONE-SIDED"));
}

TEST(BothSides, APeerLearnsOfItsOwnCallsOnlyAndWhatItKnowsAnyway) {
  test::Federation orgs(3);
  orgs.start();
  const auto id = orgs.a().invoke(orgs.client, call_of('b', "order")).correlation_id();
  const auto denied = orgs.a().invoke(orgs.client, call_of('b', "secret")).correlation_id();
  ASSERT_EQ(orgs.a().trail(id).size(), 2U);
  ASSERT_EQ(orgs.a().trail(denied).size(), 1U);

  const auto told = ask(orgs, orgs.a(), orgs.b(), question_of(id));
  ASSERT_EQ(told.status, 200) << told.text << told.problem;
  ASSERT_EQ(told.body["records"].size(), 2U);
  for (const auto& record : told.body["records"])
    for (const char* own : {"rule", "reason", "credential", "decision", "leaf"})
      EXPECT_FALSE(record.contains(own)) << own;
  EXPECT_THAT(told.text, Not(HasSubstr("all-out")));

  const auto stranger = ask(orgs, orgs.a(), orgs[2], question_of(id));
  ASSERT_EQ(stranger.status, 200) << stranger.text;
  EXPECT_THAT(stranger.body["records"], IsEmpty());
  EXPECT_THAT(ask(orgs, orgs.a(), orgs.b(), question_of(denied)).body["records"], IsEmpty())
      << "what we denied ourselves never left";

  // What an operator did about b is not b's either, whenever it is looked for.
  ASSERT_EQ(
      orgs.a()
          .operate(orgs.client, "PATCH", "/api/v2/federation/nodes/orgb.example", {{"rate_limit_per_hour", 1'000'000U}})
          .status,
      200);
  wire::TrailQuestion all;
  all.from = system_clock().wall() - std::chrono::hours(1);
  all.to = system_clock().wall() + std::chrono::hours(1);
  const auto window = ask(orgs, orgs.a(), orgs.b(), wire::trail_question_body(all));
  ASSERT_EQ(window.status, 200) << window.text;
  ASSERT_EQ(window.body["records"].size(), 2U) << window.text;
  for (const auto& record : window.body["records"]) EXPECT_EQ(record["correlation_id"], id);
  EXPECT_THAT(ask(orgs, orgs.a(), orgs[2], wire::trail_question_body(all)).body["records"], IsEmpty());
  all.principal = "bob@orga.example";
  EXPECT_THAT(ask(orgs, orgs.a(), orgs.b(), wire::trail_question_body(all)).body["records"], IsEmpty());
}

TEST(BothSides, QuestionsAreCheckedAndCounted) {
  test::Federation orgs(2);
  orgs.start();
  for (const char* bad : {"", "{}", "[]", R"({"correlation_ids":["x"]})", R"({"correlation_ids":[],"cursor":"x"})"}) {
    const auto refused = ask(orgs, orgs.a(), orgs.b(), bad);
    EXPECT_EQ(refused.status, 400) << bad << refused.text;
  }
  wire::TrailQuestion forged;
  forged.correlation_ids = {CorrelationId::make(system_clock().wall(), {})};
  forged.cursor = "Zm9yZ2Vk";
  EXPECT_EQ(ask(orgs, orgs.a(), orgs.b(), wire::trail_question_body(forged)).status, 400);
  test::Answer last;
  for (unsigned i = 0; i <= federation::Trail::questions_a_minute && last.status != 429; ++i)
    last = ask(orgs, orgs.a(), orgs.b(), "{}");
  EXPECT_EQ(last.status, 429);
  EXPECT_EQ(last.header("Retry-After"), "1");
}

TEST(BothSides, EventsAreFilteredAndPagedWithoutHolesOrDoubles) {
  test::Federation orgs(2);
  orgs.start();
  for (int i = 0; i < 7; ++i) ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 200);
  ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('b', "forbidden")).code(), "policy_denied");
  for (const std::string order : {"newest", "oldest"}) {
    std::vector<std::string> seen;
    std::string cursor;
    do {
      const auto page = orgs.a().operate(orgs.client, "GET",
                                         "/api/v2/audit/events?peer=orgb&capability=lookup&limit=3&order=" + order +
                                             (cursor.empty() ? "" : "&cursor=" + cursor));
      ASSERT_EQ(page.status, 200) << page.text;
      for (const auto& event : page.body["events"]) seen.push_back(event["time"]);
      cursor = page.body["next_cursor"].is_string() ? page.body["next_cursor"].get<std::string>() : "";
    } while (!cursor.empty() && seen.size() < 100);
    EXPECT_EQ(seen.size(), 7U) << order;
    EXPECT_TRUE(order == "oldest" ? std::ranges::is_sorted(seen)
                                  : std::ranges::is_sorted(seen, std::ranges::greater()));
  }
  const auto listed = run_at(orgs.a(), {"audit", "list", "--code", "policy_denied", "--organisation", "orga.example"});
  EXPECT_EQ(listed.status, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("forbidden"));
  EXPECT_THAT(listed.out, Not(HasSubstr("lookup")));
  const auto wrong = run_at(orgs.a(), {"audit", "list", "--type", "nonsense"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.err, HasSubstr("filter type"));
}

}  // namespace
}  // namespace fedgate
