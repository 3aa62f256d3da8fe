// SPDX-License-Identifier: Apache-2.0
#include "audit/principal_salts.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <string>

#include "support/temp_directory.h"

namespace fedgate::audit {
namespace {

class PrincipalSaltsTest : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<PrincipalSalts> open() const {
    auto opened = PrincipalSalts::open(file, system_entropy());
    EXPECT_TRUE(opened) << opened.error().detail;
    return opened ? std::move(*opened) : nullptr;
  }
  [[nodiscard]] std::string text() const {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static CorrelationId call(std::uint8_t n) { return CorrelationId::make(WallTime{}, {n}); }

  test::TempDirectory directory;
  std::string file = directory.path() + "/principals.salts";
};

TEST_F(PrincipalSaltsTest, APrincipalHasOnePseudonymThatSurvivesARestart) {
  auto salts = open();
  const auto alice = salts->pseudonym("alice@orga.example");
  EXPECT_TRUE(alice.starts_with("hmac:") && alice.ends_with("@orga.example")) << alice;
  EXPECT_EQ(alice.size(), 50U);
  EXPECT_EQ(salts->pseudonym("alice@orga.example"), alice);
  EXPECT_EQ(salts->pseudonym(alice), alice);
  EXPECT_NE(salts->pseudonym("bob@orga.example"), alice);
  ASSERT_TRUE(salts->flush());
  const auto nonce = salts->call_nonce("alice@orga.example", call(1), 0);

  salts = open();
  EXPECT_EQ(salts->known_pseudonym("alice@orga.example"), alice);
  EXPECT_EQ(salts->principal_of(alice), "alice@orga.example");
  EXPECT_EQ(salts->call_nonce("alice@orga.example", call(1), 0), nonce);
  EXPECT_NE(salts->call_nonce("alice@orga.example", call(2), 0), nonce);
  EXPECT_NE(salts->call_nonce("alice@orga.example", call(1), 1), nonce);
  EXPECT_NE(salts->call_nonce("bob@orga.example", call(1), 0), nonce);
}

TEST_F(PrincipalSaltsTest, WhatIsNotFlushedIsNotThereAndAskingMakesNothing) {
  auto salts = open();
  EXPECT_EQ(salts->known_pseudonym("alice@orga.example"), std::nullopt);
  (void)salts->pseudonym("alice@orga.example");
  salts = open();
  EXPECT_EQ(salts->known_pseudonym("alice@orga.example"), std::nullopt);
}

TEST_F(PrincipalSaltsTest, ErasingLeavesNothingOfThePrincipalAndKeepsTheOthers) {
  auto salts = open();
  const auto alice = salts->pseudonym("alice@orga.example");
  const auto bob = salts->pseudonym("bob@orga.example");
  ASSERT_TRUE(salts->flush());
  const auto carol = salts->pseudonym("carol@orga.example");  // not flushed yet
  auto erased = salts->erase("alice@orga.example");
  ASSERT_TRUE(erased) << erased.error().detail;
  EXPECT_TRUE(*erased);
  EXPECT_EQ(text().find("alice"), std::string::npos);
  EXPECT_EQ(salts->principal_of(alice), std::nullopt);
  EXPECT_NE(salts->pseudonym("alice@orga.example"), alice);
  erased = salts->erase("mallory@orga.example");
  ASSERT_TRUE(erased);
  EXPECT_FALSE(*erased);
  ASSERT_TRUE(salts->flush());
  salts = open();
  EXPECT_EQ(salts->known_pseudonym("bob@orga.example"), bob);
  EXPECT_EQ(salts->known_pseudonym("carol@orga.example"), carol);
}

TEST_F(PrincipalSaltsTest, ATornLastLineIsCutAndADamagedOneIsNamed) {
  auto salts = open();
  const auto alice = salts->pseudonym("alice@orga.example");
  ASSERT_TRUE(salts->flush());
  std::ofstream(file, std::ios::app) << "AAAA";
  salts = open();
  EXPECT_EQ(salts->known_pseudonym("alice@orga.example"), alice);
  EXPECT_EQ(text().find("AAAA"), std::string::npos);
  std::ofstream(file, std::ios::app) << "no salt at all\n";
  const auto damaged = PrincipalSalts::open(file, system_entropy());
  ASSERT_FALSE(damaged);
  EXPECT_NE(damaged.error().detail.find("principals.salts:2"), std::string::npos) << damaged.error().detail;
}

TEST_F(PrincipalSaltsTest, OthersMayNotReadIt) {
  auto salts = open();
  struct stat facts{};
  ASSERT_EQ(::stat(file.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  EXPECT_FALSE(PrincipalSalts::open(file, system_entropy()));
}

TEST_F(PrincipalSaltsTest, AnEventIsVeiledWherePeopleAreNamed) {
  auto salts = open();
  AuditEvent event;
  event.principal = "alice@orga.example";
  event.actor = "uid:0";
  event.reason = "alice@orga.example may not: alice@orga.example";
  event.decision = Decision{Verdict::deny, "rule", "not for alice@orga.example"};
  const auto veiled = salts->veiled(event);
  const auto alice = salts->pseudonym("alice@orga.example");
  EXPECT_EQ(veiled.principal, alice);
  EXPECT_EQ(veiled.actor, "uid:0");
  EXPECT_EQ(veiled.reason, alice + " may not: " + alice);
  EXPECT_EQ(veiled.decision->reason, "not for " + alice);
  EXPECT_EQ(salts->veiled(veiled).principal, alice);
}

}  // namespace
}  // namespace fedgate::audit
