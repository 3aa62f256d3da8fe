// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <regex>
#include <system_error>
#include <thread>

namespace fedgate::log {
namespace {

class LogFile : public ::testing::Test {
 protected:
  LogFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fedgate-log-XXXXXX").string();
    directory = ::mkdtemp(pattern.data());
    path = directory / "log";
  }
  ~LogFile() override { std::filesystem::remove_all(directory); }

  [[nodiscard]] Options options(Format format) const {
    return {.level = Level::info, .format = format, .file = path.string()};
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    std::ifstream in(path);
    std::vector<std::string> all;
    for (std::string text; std::getline(in, text);) all.push_back(text);
    return all;
  }

  std::filesystem::path directory;
  std::filesystem::path path;
};

TEST_F(LogFile, JsonLinesHaveTimeLevelEventAndFields) {
  const Logger logger(options(Format::json));
  logger.info(
      "call ended",
      {{"correlation_id", "c-1"}, {"duration", 1.5}, {"bytes", 430U}, {"ok", true}, {"low", -1}, {"no", std::nan("")}});
  logger.flush();
  ASSERT_EQ(lines().size(), 1U);
  const auto line = nlohmann::json::parse(lines()[0]);
  EXPECT_TRUE(
      std::regex_match(line["time"].get<std::string>(), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)")));
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["event"], "call ended");
  EXPECT_EQ(line["correlation_id"], "c-1");
  EXPECT_EQ(line["duration"], 1.5);
  EXPECT_EQ(line["bytes"], 430);
  EXPECT_EQ(line["ok"], true);
  EXPECT_EQ(line["low"], -1);
  EXPECT_TRUE(line["no"].is_null());
}

TEST_F(LogFile, TextLinesAreReadable) {
  const Logger logger(options(Format::text));
  logger.warning("peer refused", {{"node", "orgb.example"}, {"why", "no such \"thing\""}, {"empty", ""}, {"n", 3}});
  logger.flush();
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_TRUE(std::regex_match(
      lines()[0],
      std::regex(
          R"re(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z WARN  peer refused node=orgb\.example why="no such \\"thing\\"" empty="" n=3)re")))
      << lines()[0];
}

TEST_F(LogFile, NoLineCanBeForged) {
  const std::string hostile =
      "x\n2026 ERROR forged\r\x1b[2J\x7f\xC2\x9B\xE2\x80\xAE\xE2\x81\xA6\xE2\x80\xA8\xFF\xF0\x9F\x98\x80";
  for (const Format format : {Format::json, Format::text}) {
    std::filesystem::remove(path);
    const Logger logger(options(format));
    logger.info("seen", {{"value", hostile}});
    logger.flush();
    ASSERT_EQ(lines().size(), 1U);
    for (const char* mark :
         {"\r", "\x1b", "\x7f", "\xC2\x9B", "\xE2\x80\xAE", "\xE2\x81\xA6", "\xE2\x80\xA8", "\xFF"}) {
      EXPECT_EQ(lines()[0].find(mark), std::string::npos) << lines()[0];
    }
    EXPECT_NE(lines()[0].find("\\u202e"), std::string::npos);
    EXPECT_NE(lines()[0].find("\xF0\x9F\x98\x80"), std::string::npos);
  }
}

TEST_F(LogFile, LongValuesAreCutBetweenCharacters) {
  const Logger logger(options(Format::json));
  std::string text;
  while (text.size() < 100'000) text += "a\xE2\x82\xAC";
  logger.info("long", {{"value", text}});
  logger.flush();
  ASSERT_EQ(lines().size(), 1U);
  const auto value = nlohmann::json::parse(lines()[0])["value"].get<std::string>();
  EXPECT_LT(value.size(), 2100U);
  EXPECT_GT(value.size(), 2000U);
  EXPECT_TRUE(value.ends_with("..."));
}

TEST_F(LogFile, LevelsCanBeChanged) {
  Logger logger(options(Format::json));
  EXPECT_FALSE(logger.enabled(Level::debug));
  logger.debug("hidden");
  logger.set_level(Level::debug);
  EXPECT_TRUE(logger.enabled(Level::debug));
  logger.debug("shown");
  logger.flush();
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_EQ(nlohmann::json::parse(lines()[0])["event"], "shown");
}

TEST_F(LogFile, ThreadsDoNotMixTheirLinesAndTheEndWritesAll) {
  constexpr int each = 500;
  {
    const Logger logger(options(Format::json));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) logger.info("line", {{"thread", t}, {"i", i}});
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(logger.dropped(), 0U);
  }
  ASSERT_EQ(lines().size(), 4U * each);
  for (const auto& line : lines()) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
}

TEST_F(LogFile, AStuckReaderStopsNobody) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  // Opened by the test for both directions, so that the logger's open succeeds; nobody reads yet.
  std::fstream pipe(path);
  std::uint64_t lost = 0;
  std::size_t told = 0;
  std::thread reader;
  {
    const Logger logger({.level = Level::info, .format = Format::json, .file = path.string()});
    for (int i = 0; i < 20'000; ++i) logger.info("line", {{"i", i}});  // more than pipe and queue hold
    lost = logger.dropped();
    reader = std::thread([&] {
      for (std::string line; std::getline(pipe, line);) {
        if (line.find("log lines were dropped") != std::string::npos) ++told;
        if (line.find("the last line") != std::string::npos) return;
      }
    });
    logger.flush();
    logger.info("the last line");
  }
  reader.join();
  EXPECT_GT(lost, 0U);
  EXPECT_GT(told, 0U);
}

TEST(Log, AFileThatCannotBeOpenedIsSaidAtStart) {
  EXPECT_THROW(Logger({.level = Level::info, .format = Format::json, .file = "/nonexistent/fedgate.log"}),
               std::system_error);
}

TEST(Log, SilentSaysNothing) {
  EXPECT_FALSE(silent().enabled(Level::error));
  silent().error("nobody hears this");
  silent().flush();
  EXPECT_EQ(silent().dropped(), 0U);
}

TEST(Log, LevelNames) {
  for (const Level level : {Level::trace, Level::debug, Level::info, Level::warning, Level::error}) {
    EXPECT_EQ(level_from(to_string(level)).value(), level);
  }
  EXPECT_EQ(level_from("loud").error().code, Code::invalid_configuration);
}

}  // namespace
}  // namespace fedgate::log
