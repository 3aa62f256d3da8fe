// SPDX-License-Identifier: Apache-2.0
#include "trust/operators.h"

#include <gtest/gtest.h>

namespace fedgate::trust {
namespace {

using By = OperatorEntry::By;

TEST(Operators, RootAndTheDaemonsUserAreTrustAdmins) {
  const Operators operators(995, {{By::uid, 995, Role::viewer}});
  for (const std::uint32_t uid : {0U, 995U}) {
    const auto who = operators.authenticate(uid, 1234);
    ASSERT_TRUE(who.has_value());
    EXPECT_EQ(who->role, Role::trust_admin);
    EXPECT_EQ(who->name, "uid:" + std::to_string(uid));
  }
}

TEST(Operators, TheHighestRoleThatAppliesWins) {
  const Operators operators(995, {{By::gid, 50, Role::viewer},
                                  {By::uid, 1000, Role::operator_role},
                                  {By::gid, 51, Role::auditor},
                                  {By::gid, 50, Role::auditor}});
  EXPECT_EQ(operators.authenticate(1000, 50)->role, Role::operator_role);
  EXPECT_EQ(operators.authenticate(1001, 50)->role, Role::auditor);
  EXPECT_EQ(operators.authenticate(1001, 51)->name, "uid:1001");
}

TEST(Operators, NobodyElse) {
  const Operators operators(995, {{By::uid, 1000, Role::viewer}, {By::gid, 50, Role::viewer}});
  for (const auto& [uid, gid] : {std::pair{1001U, 51U}, {50U, 1000U}, {1001U, 0U}, {1001U, 995U}}) {
    const auto who = operators.authenticate(uid, gid);
    ASSERT_FALSE(who.has_value()) << uid << ":" << gid;
    EXPECT_EQ(who.error().code, Code::forbidden);
  }
}

TEST(May, EachRoleIncludesThoseBelow) {
  const Role ladder[] = {Role::viewer, Role::auditor, Role::operator_role, Role::trust_admin};
  for (int who = 0; who < 4; ++who)
    for (int needed = 0; needed < 4; ++needed)
      EXPECT_EQ(may(Operator{"uid:1", ladder[who]}, ladder[needed]), who >= needed) << who << " " << needed;
}

}  // namespace
}  // namespace fedgate::trust
