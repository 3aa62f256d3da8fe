// SPDX-License-Identifier: Apache-2.0
#include "app/cut_off.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/worker.h"
#include "support/fake_clock.h"

namespace fedgate::app {
namespace {

using namespace std::chrono_literals;

class CuttingOff : public testing::Test {
 protected:
  CuttingOff() {
    worker.start([](const std::exception& error) { ADD_FAILURE() << error.what(); });
    cut_offs.wake_on(worker.executor());
  }
  ~CuttingOff() override {
    cut_offs.stop();
    worker.stop();
  }
  api::GatewayFace::CutOff ended(SteadyTime since, const std::function<void()>& meanwhile = [] {}) {
    api::GatewayFace::CutOff seen;
    worker.run_and_wait([&]() -> Task<> {
      asio::post(worker.executor(), meanwhile);
      seen = co_await cut_offs.ended(node, since);
    });
    return seen;
  }
  NodeId node = NodeId::parse("orgb.example").value();
  test::FakeClock clock;
  Metrics metrics;
  CutOffs cut_offs{clock, metrics, log::silent()};
  Worker worker{0, clock};
};

TEST_F(CuttingOff, LastsUntilTheLastWhoHoldsItLetsGo) {
  const auto since = clock.steady();
  auto lane = cut_offs.begin(node);
  std::shared_ptr<void> connection = lane;
  lane->closing(3);
  lane.reset();
  const auto seen = ended(since, [&] {
    clock.advance(40ms);
    connection.reset();
  });
  EXPECT_TRUE(seen.complete);
  EXPECT_EQ(seen.connections, 3U);
  EXPECT_EQ(seen.took, 40ms);
  EXPECT_THAT(metrics.text(), testing::HasSubstr("federation_cut_off_connections_total 3"));
  EXPECT_THAT(metrics.text(), testing::HasSubstr("federation_cut_off_seconds_sum 0.04"));
}

TEST_F(CuttingOff, WhatWasOverBeforeTheCommandIsNotItsDoing) {
  cut_offs.begin(node)->closing(3);
  clock.advance(1s);
  const auto seen = ended(clock.steady());
  EXPECT_TRUE(seen.complete);
  EXPECT_EQ(seen.connections, 0U);
  EXPECT_EQ(seen.took, 0us);
}

TEST_F(CuttingOff, AnotherNodesIsNoneOfOurs) {
  const auto other = cut_offs.begin(NodeId::parse("orgc.example").value());
  other->closing(7);
  const auto seen = ended(clock.steady());
  EXPECT_TRUE(seen.complete);
  EXPECT_EQ(seen.connections, 0U);
}

TEST_F(CuttingOff, MayOutliveThoseWhoAsked) {
  auto left = std::make_unique<CutOffs>(clock, metrics, log::silent());
  left->wake_on(worker.executor());
  const auto held = left->begin(node);
  left->stop();
  left.reset();
  held->closing(1);
}

}  // namespace
}  // namespace fedgate::app
