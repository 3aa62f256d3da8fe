// SPDX-License-Identifier: Apache-2.0
//
// Promise: with `audit.principals: hashed` no name of a person reaches the log or the database, its records can be
// found by name all the same, and after an erasure they cannot, while every hash stays as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/leaf.h"
#include "support/command_line.h"

namespace fedgate {
namespace {

using test::call_of;
using test::run_at;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

struct HashedPrincipals : testing::Test {
  test::Federation orgs{2};
  test::Organisation& a = orgs.a();
  std::string name;  ///< of the caller

  std::string call() {
    const auto answer = a.invoke(orgs.client, call_of('b', "order"));
    EXPECT_EQ(answer.status, 200) << answer.text;
    return answer.correlation_id();
  }
  /// A call that says whose it was, recorded in the clear by B.
  void start() {
    a.settings.audit.principals = audit::Principals::hashed;
    orgs.start();
    name = orgs.b().trail(call()).at(0).principal;
    ASSERT_THAT(name, HasSubstr("@orga.example"));
  }
  nlohmann::json found_by_name() {
    return a.operate(orgs.client, "GET", "/api/v2/audit/events?principal=" + name).body["events"];
  }
};

TEST_F(HashedPrincipals, AreFoundByNameAndStandNowhere) {
  start();
  const auto id = call();
  const auto rows = a.trail(id);
  ASSERT_THAT(rows, SizeIs(2));
  for (const auto& row : rows) {
    EXPECT_THAT(row.leaf, Not(HasSubstr(name)));
    EXPECT_THAT(row.principal, StartsWith("hmac:"));
    EXPECT_EQ(row.principal_org, "orga.example");
  }
  EXPECT_EQ(rows[0].principal, rows[1].principal);
  const auto found = found_by_name();
  ASSERT_THAT(found, SizeIs(4));
  EXPECT_EQ(found[0]["principal"], name);
  // The other side keeps names; that is no difference.
  EXPECT_THAT(run_at(a, {"audit", "show", id}).out, HasSubstr("orgb.example remembers the same."));
}

TEST_F(HashedPrincipals, AreForgottenForGoodAndNothingElseChanges) {
  start();
  const auto id = call();
  const auto before = a.trail(id);
  const auto pseudonym = before.at(0).principal;
  EXPECT_EQ(run_at(a, {"audit", "erase", "nobody@orga.example", "--reason", "asked to"}).status, 1);
  const auto named = run_at(a, {"audit", "erase", name, "--reason", "because " + name + " asked"});
  EXPECT_EQ(named.status, 1);
  EXPECT_THAT(named.err, HasSubstr("leave the name out"));
  const auto erased = run_at(a, {"audit", "erase", name, "--reason", "asked to"});
  ASSERT_EQ(erased.status, 0) << erased.err;
  EXPECT_THAT(erased.out, HasSubstr(pseudonym));
  EXPECT_THAT(found_by_name(), SizeIs(0));
  const auto after = a.trail(id);
  ASSERT_THAT(after, SizeIs(2));
  EXPECT_EQ(after[0].leaf, before[0].leaf);
  // Across a restart, and a later call of the same person is somebody else's.
  a.stop();
  a.start();
  EXPECT_THAT(found_by_name(), SizeIs(0));
  EXPECT_NE(a.trail(call()).at(0).principal, pseudonym);
  EXPECT_THAT(found_by_name(), SizeIs(2));
}

}  // namespace
}  // namespace fedgate
