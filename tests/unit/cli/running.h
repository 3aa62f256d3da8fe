// SPDX-License-Identifier: Apache-2.0
//
// Runs the command line in this process, with its output caught, and a folder that is removed afterwards.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "cli/cli.h"

namespace fedgate::cli {

struct Ran {
  int status = -1;
  std::string out, err;
};

inline Ran run_words(std::vector<std::string> words, const Serve& serve = [](const std::string&) { return 99; }) {
  std::vector<const char*> argv{"fedgate"};
  for (const auto& word : words) argv.push_back(word.c_str());
  std::ostringstream out;
  std::ostringstream err;
  const int status = run(static_cast<int>(argv.size()), argv.data(), serve, out, err);
  return {status, out.str(), err.str()};
}

class Folder : public testing::Test {
 protected:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "fedgate-cli-XXXXXX").string();
    folder_ = ::mkdtemp(name.data()) == nullptr ? std::string() : name;
  }
  ~Folder() override { std::filesystem::remove_all(folder_); }
  void SetUp() override { ASSERT_FALSE(folder_.empty()); }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void write(const std::string& name, const std::string& text, ::mode_t mode = 0600) const {
    std::ofstream(path(name), std::ios::binary | std::ios::trunc) << text;
    ASSERT_EQ(::chmod(path(name).c_str(), mode), 0);
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] ::mode_t mode(const std::string& name) const {
    struct stat facts{};
    return ::stat(path(name).c_str(), &facts) == 0 ? facts.st_mode & 07777 : 0;
  }

 private:
  std::string folder_;
};

}  // namespace fedgate::cli
