// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <fstream>

#include "fedgate/version.h"
#include "running.h"

namespace fedgate::cli {
namespace {

using testing::HasSubstr;

class WrongUsage : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(WrongUsage, ExitsWith2AndPointsToHelp) {
  const auto ran = run_words(GetParam());
  EXPECT_EQ(ran.status, 2) << ran.out << ran.err;
  EXPECT_THAT(ran.err, testing::StartsWith("fedgate: "));
  EXPECT_EQ(ran.out, "");
}

INSTANTIATE_TEST_SUITE_P(
    Each, WrongUsage,
    testing::Values(
        std::vector<std::string>{}, std::vector<std::string>{"frobnicate"}, std::vector<std::string>{"--wrong"},
        std::vector<std::string>{"status", "--wrong"}, std::vector<std::string>{"status", "--output", "xml"},
        std::vector<std::string>{"status", "surplus"}, std::vector<std::string>{"init"},
        std::vector<std::string>{"init", "--node-id", "orga.example"}, std::vector<std::string>{"token"},
        std::vector<std::string>{"token", "issue"}, std::vector<std::string>{"nodes"},
        std::vector<std::string>{"nodes", "show"}, std::vector<std::string>{"nodes", "show", "../status"},
        std::vector<std::string>{"nodes", "remove", "a/b"}, std::vector<std::string>{"nodes", "add", "orgb.example"},
        std::vector<std::string>{"nodes", "add", "orgb.example", "--anchor", "/nonexistent"},
        std::vector<std::string>{"migrate", "down"}, std::vector<std::string>{"migrate", "down", "0"},
        std::vector<std::string>{"migrate", "down", "x"}, std::vector<std::string>{"invoke", "r"},
        std::vector<std::string>{"invoke", "r", "c"}, std::vector<std::string>{"invoke", "r", "c", "--args", "[]"},
        std::vector<std::string>{"audit", "list", "--limit", "0"},
        std::vector<std::string>{"audit", "list", "--from", "once"},
        std::vector<std::string>{"audit", "show", "not-an-id"}, std::vector<std::string>{"audit", "reconcile"},
        std::vector<std::string>{"audit", "export", "/tmp/x", "--format", "xml"},
        std::vector<std::string>{"audit", "export", "/tmp/x", "--format", "tlog", "--principal", "a@b.example"},
        std::vector<std::string>{"policy", "test"},
        std::vector<std::string>{"policy", "test", "--direction", "up", "--node", "a.b", "--principal", "a@a.b",
                                 "--resource", "r", "--capability", "c"}));

TEST(Usage, AMisspeltWordIsNamed) {
  EXPECT_THAT(run_words({"statsu"}).err, HasSubstr("`statsu` is not a verb"));
  EXPECT_THAT(run_words({"nodes", "lsit"}).err, HasSubstr("`lsit` is not a verb"));
  EXPECT_THAT(run_words({"status", "--sokcet"}).err, HasSubstr("--sokcet"));
}

TEST(Usage, HelpNamesEveryVerb) {
  const auto ran = run_words({"--help"});
  EXPECT_EQ(ran.status, 0);
  for (const char* verb : {"serve", "check", "init", "config-reference", "token", "migrate", "status", "reload",
                           "version", "nodes", "routes", "invoke", "audit", "policy"}) {
    EXPECT_THAT(ran.out, HasSubstr(std::string("\n  ") + verb)) << verb;
  }
  EXPECT_THAT(ran.out, HasSubstr("Exit status: 0 done"));
  EXPECT_EQ(ran.err, "");
}

TEST(Usage, EveryVerbHasHelp) {
  for (const std::vector<std::string>& verb : {std::vector<std::string>{"serve"},
                                               {"token", "issue"},
                                               {"nodes", "add"},
                                               {"invoke"},
                                               {"audit", "list"},
                                               {"policy", "test"}}) {
    auto words = verb;
    words.emplace_back("--help");
    const auto ran = run_words(words);
    EXPECT_EQ(ran.status, 0) << verb.back();
    EXPECT_THAT(ran.out, HasSubstr("--config FILE")) << verb.back();
  }
}

TEST(Usage, ServeGetsTheConfigurationAndItsStatusIsOurs) {
  std::string file;
  const Serve serve = [&](const std::string& given) {
    file = given;
    return 7;
  };
  EXPECT_EQ(run_words({"serve", "--config", "/some/file.yaml"}, serve).status, 7);
  EXPECT_EQ(file, "/some/file.yaml");
  EXPECT_EQ(run_words({"serve"}, serve).status, 7);
  EXPECT_EQ(file, "/etc/fedgate/fedgate.yaml");
}

TEST(Usage, AnExceptionIsAFailureNotACrash) {
  const auto ran = run_words({"serve"}, [](const std::string&) -> int { throw std::runtime_error("boom\x1b"); });
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("internal error: boom\\x1b"));
}

TEST(Usage, VersionSaysWhatWasBuilt) {
  const auto ran = run_words({"version"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.out, HasSubstr("fedgate " + std::string(version()) + " (" + std::string(commit()) + ")"));
  EXPECT_FALSE(version().empty());
  EXPECT_FALSE(commit().empty());
  EXPECT_THAT(run_words({"version", "--output", "json"}).out, HasSubstr("\"commit\""));
  EXPECT_THAT(run_words({"--version"}).out, HasSubstr(version()));
}

TEST(Usage, AFullDiskIsNoticed) {
  std::ofstream full("/dev/full");
  std::ostringstream err;
  const char* words[] = {"fedgate", "version"};
  EXPECT_EQ(run(2, words, {}, full, err), 1);
  EXPECT_THAT(err.str(), HasSubstr("standard output"));
}

TEST(Usage, WhatIsTypedIsEscapedInMessages) {
  const auto ran = run_words({"\x1b[2J"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.err.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace fedgate::cli
