// SPDX-License-Identifier: Apache-2.0
//
// Promise: kill -9 of either gateway, at any moment under load, loses no call that was answered. Repeated
// FEDGATE_REPEAT times (20 unless told; scripts/soak does 200) from FEDGATE_SEED (1).
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "support/daemon.h"
#include "support/eventually.h"

namespace fedgate {
namespace {

using test::inventory_call;

constexpr int writers = 8;

int number_from_environment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  const int number = text == nullptr ? 0 : std::atoi(text);
  return number > 0 ? number : otherwise;
}

/// What one gateway's trail has of one call.
struct Record {
  int intents = 0;
  int outcomes = 0;
  std::string outcome;
};
using Records = std::map<std::string, Record>;

Records records_of(const std::vector<nlohmann::json>& trail) {
  Records calls;
  for (const auto& event : trail) {
    const auto id = event["correlation_id"].get<std::string>();
    if (id.empty()) continue;
    Record& one = calls[id];
    if (event["phase"] == "intent") ++one.intents;
    if (event["phase"] != "outcome") continue;
    ++one.outcomes;
    one.outcome = event["outcome"].get<std::string>();
  }
  return calls;
}

bool settled(const Records& calls) {
  return std::ranges::all_of(calls,
                             [](const auto& call) { return call.second.intents == 0 || call.second.outcomes > 0; });
}

/// Writers that call until they are told to stop, and what they were told happened.
class Load {
 public:
  explicit Load(const test::Installation& at) {
    for (int i = 0; i < writers; ++i)
      threads_.emplace_back([this, &at, i] { write(at, answered_[static_cast<std::size_t>(i)]); });
  }
  /// Correlation ids of the calls that were answered with 200.
  std::set<std::string> stop() {
    stopping_ = true;
    for (auto& thread : threads_) thread.join();
    std::set<std::string> all;
    for (auto& ids : answered_) all.merge(ids);
    return all;
  }

 private:
  void write(const test::Installation& at, std::set<std::string>& answered) {
    test::TestClient client;
    while (!stopping_) {
      const auto answer = at.invoke(client, inventory_call("order"));
      if (answer.status == 200) answered.insert(answer.correlation_id());
      if (answer.status == 0) return;  // A is gone
    }
  }

  std::atomic<bool> stopping_{false};
  std::array<std::set<std::string>, writers> answered_;
  std::vector<std::thread> threads_;
};

class KillNine : public ::testing::Test {
 protected:
  KillNine() : orgs(FEDGATE_BINARY, {.threads = 2}) { orgs.start(); }

  /// One repetition: load, a kill at this moment, a restart, and the look at both trails.
  void kill_under_load(test::Installation& victim, std::chrono::milliseconds moment) {
    const WallTime begin = std::chrono::floor<WallTime::duration>(std::chrono::system_clock::now());
    Load load(orgs.a);
    const auto end = std::chrono::steady_clock::now() + moment;
    test::eventually([&] { return std::chrono::steady_clock::now() >= end; });
    victim.kill_nine();
    const auto answered = load.stop();
    victim.start();
    answered_in_all += answered.size();

    const Records at_a = records_when_settled(orgs.a, begin);
    const Records at_b = records_when_settled(orgs.b, begin);
    for (const auto& id : answered) {
      ASSERT_TRUE(at_a.contains(id)) << "A has forgotten an answered call: " << id;
      ASSERT_TRUE(at_b.contains(id)) << "B has forgotten an answered call: " << id;
      EXPECT_EQ(at_a.at(id).outcome, "succeeded") << id;
      EXPECT_EQ(at_b.at(id).outcome, "succeeded") << id;
    }
    for (const auto* calls : {&at_a, &at_b}) {
      for (const auto& [id, one] : *calls) {
        EXPECT_LE(one.intents, 1) << id;
        EXPECT_EQ(one.outcomes, 1) << id << (calls == &at_a ? " at A" : " at B");
        if (one.outcome == "unknown") ++unknown_in_all;
      }
    }
    for (const auto& [id, one] : at_b) {
      ASSERT_TRUE(at_a.contains(id)) << "B knows a call that A does not: " << id;
      recorded.insert(id);
      if (one.outcome == "succeeded") EXPECT_NE(at_a.at(id).outcome, "not_sent") << id;
      if (at_a.at(id).outcome == "succeeded") EXPECT_EQ(one.outcome, "succeeded") << id;
    }
  }

  Records records_when_settled(const test::Installation& at, WallTime since) {
    Records calls;
    // The gateway that was not killed may still be noticing that the other one is gone.
    EXPECT_TRUE(test::eventually([&] { return settled(calls = records_of(at.trail(orgs.client, since))); })) << at.id();
    return calls;
  }

  test::Partners orgs;
  std::size_t answered_in_all = 0;
  std::size_t unknown_in_all = 0;
  std::set<std::string> recorded;  ///< at B
};

TEST_F(KillNine, OfEitherGatewayUnderLoadLosesNoAnsweredCall) {
  const int repetitions = number_from_environment("FEDGATE_REPEAT", 20);
  const int seed = number_from_environment("FEDGATE_SEED", 1);
  std::mt19937 random(static_cast<unsigned>(seed));
  for (int i = 0; i < repetitions && !HasFailure(); ++i) {
    auto& victim = i % 2 == 0 ? orgs.a : orgs.b;
    const std::chrono::milliseconds moment(50 + random() % 450);
    SCOPED_TRACE("repetition " + std::to_string(i) + " of seed " + std::to_string(seed) + ": " + victim.id() +
                 " after " + std::to_string(moment.count()) + " ms");
    ASSERT_NO_FATAL_FAILURE(kill_under_load(victim, moment));
  }
  // Nothing acted that is not in the trail of the side where it acted.
  for (const auto& request : orgs.upstream.seen()) {
    EXPECT_TRUE(recorded.contains(std::string(request.headers.find("Fedgate-Correlation-Id").value_or(""))));
  }
  EXPECT_GE(answered_in_all, static_cast<std::size_t>(repetitions)) << "that was no load";
  EXPECT_GT(unknown_in_all, 0U) << "no kill hit a call";
  RecordProperty("answered", static_cast<int>(answered_in_all));
  RecordProperty("unknown", static_cast<int>(unknown_in_all));
}

}  // namespace
}  // namespace fedgate
