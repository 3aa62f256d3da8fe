// SPDX-License-Identifier: Apache-2.0
#include "fedgate/levels.h"

#include <gtest/gtest.h>

#include <set>

namespace fedgate {
namespace {

constexpr TrustLevel levels[] = {TrustLevel::untrusted, TrustLevel::pending, TrustLevel::trusted, TrustLevel::revoked};
constexpr Act acts[] = {Act::ask, Act::connect, Act::call_us, Act::be_called};

TEST(Levels, TheTableStandsInTheOrderOfTheLevels) {
  for (const auto level : levels) EXPECT_EQ(trust_levels.at(static_cast<std::size_t>(level)).level, level);
}

TEST(Levels, WhatEachMayDo) {
  std::set<std::pair<TrustLevel, Act>> allowed;
  for (const auto level : levels)
    for (const auto act : acts)
      if (may(level, act)) allowed.emplace(level, act);
  const std::set<std::pair<TrustLevel, Act>> wanted = {
      {TrustLevel::untrusted, Act::ask},   {TrustLevel::pending, Act::ask},     {TrustLevel::trusted, Act::ask},
      {TrustLevel::trusted, Act::connect}, {TrustLevel::trusted, Act::call_us}, {TrustLevel::trusted, Act::be_called}};
  EXPECT_EQ(allowed, wanted);
}

TEST(Levels, ADisabledNodeMayDoNothingAndUsableIsTheSameTable) {
  for (const auto level : levels) {
    Node node;
    node.trust_level = level;
    for (const auto act : {Act::connect, Act::call_us, Act::be_called}) EXPECT_EQ(may(node, act), node.usable());
    node.enabled = false;
    for (const auto act : acts) EXPECT_FALSE(may(node, act));
  }
}

}  // namespace
}  // namespace fedgate
