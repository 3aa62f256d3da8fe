// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "unit/store/store_cases.h"

namespace fedgate::store {
namespace {

using testing::HasSubstr;

struct Directory {
  Directory() {
    char name[] = "/tmp/fedgate-sqlite-XXXXXX";
    path = ::mkdtemp(name);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

class Sqlite : public testing::TestWithParam<Case> {};

TEST_P(Sqlite, Does) {
  const Directory directory;
  GetParam().run("sqlite:" + (directory.path / "fedgate.db").string());
}
INSTANTIATE_TEST_SUITE_P(What, Sqlite, testing::ValuesIn(store_cases()), [](const auto& at) { return at.param.name; });

unsigned mode_of(const std::filesystem::path& file) {
  struct stat status{};
  EXPECT_EQ(::stat(file.c_str(), &status), 0) << file;
  return status.st_mode & 0777U;
}

TEST(SqliteFile, IsItsOwnersOnly) {
  const Directory directory;
  const auto old = ::umask(0);
  const auto file = directory.path / "var" / "lib" / "fedgate.db";
  auto store = open({.url = "sqlite:" + file.string()});
  ::umask(old);
  ASSERT_TRUE(store) << store.error().detail;
  ASSERT_TRUE(ok((*store)->append_audit(std::array{audit_row("a", 0, some_time)})));
  EXPECT_EQ(mode_of(file), 0600U);
  EXPECT_EQ(mode_of(file.string() + "-wal"), 0600U);
  EXPECT_EQ(mode_of(file.string() + "-shm"), 0600U);
  EXPECT_EQ(mode_of(directory.path / "var"), 0700U);
  EXPECT_EQ(mode_of(directory.path / "var" / "lib"), 0700U);
}

TEST(SqliteFile, ForeignFileIsRefusedAndLeftAlone) {
  const Directory directory;
  const auto file = directory.path / "letter.txt";
  const std::string text(5000, 'x');
  std::ofstream(file) << text;
  const auto store = open({.url = "sqlite:" + file.string()});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::store_unavailable);
  EXPECT_THAT(store.error().detail, HasSubstr(file.string()));
  EXPECT_THAT(store.error().detail, HasSubstr("no SQLite database"));
  std::ifstream in(file);
  EXPECT_EQ((std::string{std::istreambuf_iterator<char>(in), {}}), text);
}

TEST(SqliteFile, PathsThatCannotBe) {
  const Directory directory;
  std::ofstream(directory.path / "file") << "";
  const auto below_a_file = open({.url = "sqlite:" + (directory.path / "file" / "x.db").string()});
  ASSERT_FALSE(below_a_file);
  EXPECT_EQ(below_a_file.error().code, Code::store_unavailable);
  EXPECT_THAT(below_a_file.error().detail, HasSubstr("cannot"));
  const auto a_directory = open({.url = "sqlite:" + directory.path.string()});
  ASSERT_FALSE(a_directory);
  for (const auto* url : {"sqlite:", "sqlite:relative.db", "sqlite::memory:", "sqlite:/tmp/", "mysql://x", ""}) {
    const auto refused = open({.url = url});
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().code, Code::invalid_configuration) << url;
  }
}

TEST(SqliteCost, DISABLED_Append) {
  const Directory directory;
  measure_append("sqlite:" + (directory.path / "fedgate.db").string());
  std::printf("%.1f MB on disk\n",
              static_cast<double>(std::filesystem::file_size(directory.path / "fedgate.db")) / 1e6);
}

}  // namespace
}  // namespace fedgate::store
