// SPDX-License-Identifier: Apache-2.0
#include "app/expiry_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fedgate::app {
namespace {

using std::chrono::days;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using trust::Expiring;

constexpr WallTime now{std::chrono::seconds(1'795'442'400)};
const std::vector<std::chrono::seconds> marks{days(30), days(7)};

Expiring anchor(const std::string& node, std::chrono::hours left) {
  return {Expiring::Kind::anchor, node, "trust anchor \"CN=" + node + "\"", now + left};
}

TEST(ExpiryWatch, SaysWhatEndsSoonestFirstAndNotMoreThanAScreenHolds) {
  Metrics metrics;
  ExpiryWatch watch(metrics, log::silent());
  watch.look(std::vector{anchor("b", days(20)), anchor("c", days(31)), anchor("a", -days(1)), anchor("d", days(1))},
             marks, now);
  EXPECT_THAT(watch.attention(), ElementsAre("a: trust anchor \"CN=a\" ended on 2026-11-22T14:00:00Z",
                                             "d: trust anchor \"CN=d\" ends on 2026-11-24T14:00:00Z, in 1 day",
                                             "b: trust anchor \"CN=b\" ends on 2026-12-13T14:00:00Z, in 20 days"));
  std::vector<Expiring> many;
  for (char c = 'a'; c < 'k'; ++c) many.push_back(anchor(std::string(1, c), days(2)));
  watch.look(many, marks, now);
  ASSERT_EQ(watch.attention().size(), 6U);
  EXPECT_THAT(watch.attention().back(), HasSubstr("5 more"));
  watch.look(std::vector{anchor("a", days(1))}, {}, now);
  EXPECT_TRUE(watch.attention().empty()) << "without marks only what has ended is worth a line";
}

TEST(ExpiryWatch, MeasuresTheSoonestOfAKindAndForgetsWhatIsGone) {
  Metrics metrics;
  ExpiryWatch watch(metrics, log::silent());
  watch.look(std::vector{anchor("a", days(20)), anchor("a", days(10)), anchor("b", days(5))}, marks, now);
  EXPECT_EQ(metrics.certificate_expiry_days("a", "anchor").Value(), 10.0);
  EXPECT_THAT(metrics.text(), HasSubstr("subject=\"b\""));
  watch.look(std::vector{anchor("a", days(10))}, marks, now);
  EXPECT_THAT(metrics.text(), Not(HasSubstr("subject=\"b\"")));
  EXPECT_THAT(metrics.text(), HasSubstr("subject=\"a\""));
}

}  // namespace
}  // namespace fedgate::app
