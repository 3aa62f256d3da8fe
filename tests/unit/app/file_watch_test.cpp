// SPDX-License-Identifier: Apache-2.0
#include "app/file_watch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/temp_directory.h"

namespace fedgate::app {
namespace {

class FileWatching : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) { std::ofstream(at(name)) << text; }
  [[nodiscard]] std::string at(const std::string& name) const { return folder.path(name); }
  test::TempDirectory folder;
};

TEST_F(FileWatching, AChangeIsToldOnceItHasSettled) {
  write("a", "1");
  FileWatch watch({at("a")});
  EXPECT_FALSE(watch.settled_change());
  write("a", "22");
  EXPECT_FALSE(watch.settled_change()) << "somebody may still be writing";
  write("a", "333");
  EXPECT_FALSE(watch.settled_change()) << "and was";
  EXPECT_TRUE(watch.settled_change());
  EXPECT_FALSE(watch.settled_change()) << "it was told already";
}

TEST_F(FileWatching, WhatWasPutBackIsNoChange) {
  write("a", "1");
  std::filesystem::rename(at("a"), at("kept"));
  FileWatch watch({at("a"), at("b")});
  write("b", "");
  EXPECT_FALSE(watch.settled_change());
  std::filesystem::remove(at("b"));
  EXPECT_FALSE(watch.settled_change());
  EXPECT_FALSE(watch.settled_change());
}

TEST_F(FileWatching, FilesThatComeGoAndAreRenamedInto) {
  FileWatch watch({at("a")});
  write("a", "1");
  EXPECT_FALSE(watch.settled_change());
  EXPECT_TRUE(watch.settled_change());
  write("next", "1");
  std::filesystem::rename(at("next"), at("a"));
  EXPECT_FALSE(watch.settled_change());
  EXPECT_TRUE(watch.settled_change());
  std::filesystem::remove(at("a"));
  EXPECT_FALSE(watch.settled_change());
  EXPECT_TRUE(watch.settled_change());
}

TEST_F(FileWatching, ASymbolicLinkThatIsSwapped) {
  std::filesystem::create_directory(at("v1"));
  std::filesystem::create_directory(at("v2"));
  write("v1/a", "1");
  write("v2/a", "1");
  std::filesystem::create_symlink("v1", at("now"));
  FileWatch watch({at("now/a")});
  std::filesystem::create_symlink("v2", at("later"));
  std::filesystem::rename(at("later"), at("now"));
  EXPECT_FALSE(watch.settled_change());
  EXPECT_TRUE(watch.settled_change());
}

TEST_F(FileWatching, AFolderThatGetsAFile) {
  std::filesystem::create_directory(at("conf.d"));
  FileWatch watch({at("conf.d")});
  write("conf.d/a.yaml", "");
  EXPECT_FALSE(watch.settled_change());
  EXPECT_TRUE(watch.settled_change());
}

TEST_F(FileWatching, AReloadThatSomebodyElseAskedForIsNotRepeated) {
  write("a", "1");
  FileWatch watch({at("a")});
  write("a", "22");
  watch.accept();
  watch.follow({at("a"), at("b")});
  EXPECT_FALSE(watch.settled_change());
  EXPECT_FALSE(watch.settled_change());
}

TEST_F(FileWatching, AChangeDuringAReloadIsNotMissed) {
  write("a", "1");
  FileWatch watch({at("a")});
  watch.accept();
  write("a", "22");  // after the reload has read it
  watch.follow({at("a"), at("b")});
  EXPECT_FALSE(watch.settled_change());
  EXPECT_TRUE(watch.settled_change());
}

}  // namespace
}  // namespace fedgate::app
