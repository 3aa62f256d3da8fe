// SPDX-License-Identifier: Apache-2.0
#include "nodes/revocations.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "support/temp_directory.h"

namespace fedgate::nodes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const NodeId b = NodeId::parse("orgb.example").value();
const NodeId c = NodeId::parse("orgc.example").value();

WallTime at(std::int64_t micros) { return WallTime(std::chrono::microseconds(micros)); }

class RevocationsTest : public testing::Test {
 protected:
  std::unique_ptr<Revocations> opened() { return std::move(Revocations::open(file).value()); }
  void write(const std::string& text) const { std::ofstream(file) << text; }
  test::TempDirectory directory;
  const std::string file = directory.path("revoked");
};

TEST_F(RevocationsTest, KeepsTheLatestOfEachNode) {
  auto first = opened();
  EXPECT_THAT(first->all(), IsEmpty());
  EXPECT_THAT(first->unsaved(), IsEmpty());
  ASSERT_TRUE(first->save());
  EXPECT_FALSE(std::filesystem::exists(file)) << "nothing to say";
  first->add(b, at(5));
  first->add(c, at(7));
  first->add(b, at(3));
  EXPECT_THAT(first->unsaved(), ElementsAre(b, c));
  EXPECT_THAT(opened()->all(), IsEmpty()) << "not before it is saved";
  ASSERT_TRUE(first->save());
  EXPECT_THAT(first->unsaved(), IsEmpty());
  EXPECT_THAT(opened()->all(), ElementsAre(Pair(b, at(5)), Pair(c, at(7))));
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);

  first->lift(b, at(5));
  EXPECT_THAT(first->unsaved(), IsEmpty()) << "it was revoked after that";
  first->lift(b, at(6));
  EXPECT_THAT(first->unsaved(), ElementsAre(b));
  ASSERT_TRUE(first->save());
  EXPECT_THAT(opened()->all(), ElementsAre(Pair(c, at(7))));
}

TEST_F(RevocationsTest, AFileThatIsNotWholeIsRefused) {
  for (const auto* bad : {"", "orgb.example 5\n", "# x\norgb.example 5", "# x\norgb.example\n", "# x\nORGB.example 5\n",
                          "# x\norgb.example 5 \n", "# x\norgb.example x\n", "# x\n\n"}) {
    write(bad);
    const auto refused = Revocations::open(file);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, Code::io_error);
    EXPECT_THAT(refused.error().detail, HasSubstr(file + ":"));
  }
  write("# x\norgb.example 5\n");
  EXPECT_THAT(opened()->all(), ElementsAre(Pair(b, at(5))));
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  EXPECT_EQ(Revocations::open(file).error().code, Code::io_error);
}

TEST_F(RevocationsTest, AFailedWriteLeavesTheOldFile) {
  auto kept = opened();
  kept->add(b, at(5));
  ASSERT_TRUE(kept->save());
  std::filesystem::create_directory(file + ".new");
  kept->add(c, at(7));
  EXPECT_EQ(kept->save().error().code, Code::io_error);
  EXPECT_THAT(kept->unsaved(), ElementsAre(c));
  EXPECT_THAT(opened()->all(), ElementsAre(Pair(b, at(5))));
  std::filesystem::remove(file + ".new");
  ASSERT_TRUE(kept->save());
  EXPECT_THAT(opened()->all(), ElementsAre(Pair(b, at(5)), Pair(c, at(7))));
}

}  // namespace
}  // namespace fedgate::nodes
