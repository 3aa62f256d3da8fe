// SPDX-License-Identifier: Apache-2.0
//
// Where the daemon listens for operators is known although its newest files are not valid, or not at all; never wrong.
#include "unit/config/folder.h"

namespace fedgate::config {
namespace {

class AdminAddress : public ::testing::Test {
 protected:
  Folder folder;
  const std::string stated = "listen: { admin: { address: \"unix:a.sock\" } }\n";
};

TEST_F(AdminAddress, IsKnownWhateverElseIsWrong) {
  const auto loaded = folder.load_whole(stated + "nonsense: 1\n");
  EXPECT_EQ(loaded.settings, nullptr);
  EXPECT_EQ(loaded.admin_address, "unix:" + folder.at("a.sock"));
  EXPECT_EQ(folder.load_whole("nonsense: 1\n").admin_address, "unix:/run/fedgate/admin.sock");
}

TEST_F(AdminAddress, IsKnownWhereTheFileThatSaysItCanBeRead) {
  folder.write("conf.d/20-broken.yaml", "nodes: [\n");
  const auto loaded = folder.load_whole(stated);
  EXPECT_EQ(loaded.settings, nullptr);
  EXPECT_EQ(loaded.admin_address, "unix:" + folder.at("a.sock"));
  EXPECT_EQ(loaded.findings.size(), 1U) << "what is missing may stand in the file that cannot be read";
}

TEST_F(AdminAddress, IsUnknownWhereItCouldStandInAFileThatCannotBeRead) {
  folder.write("conf.d/20-broken.yaml", "nodes: [\n");
  EXPECT_EQ(folder.load_whole("threads: 1\n").admin_address, "");
  EXPECT_EQ(folder.load_whole("nodes: [\n").admin_address, "");
}

TEST_F(AdminAddress, IsUnknownWhereItIsWrong) {
  EXPECT_EQ(folder.load_whole("listen: { admin: { address: [] } }\n").admin_address, "");
}

}  // namespace
}  // namespace fedgate::config
