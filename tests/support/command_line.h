// SPDX-License-Identifier: Apache-2.0
//
// The command line in this process, against an organisation's gateway, with its output caught.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "cli/cli.h"
#include "support/federation.h"

namespace fedgate::test {

struct Ran {
  int status = -1;
  std::string out, err;
};

inline Ran run_at(const Organisation& at, std::vector<std::string> words) {
  words.insert(words.end(), {"--socket", at.settings.admin.address.substr(5)});
  std::vector<const char*> argv{"fedgate"};
  for (const auto& word : words) argv.push_back(word.c_str());
  std::ostringstream out, err;
  const int status =
      cli::run(static_cast<int>(argv.size()), argv.data(), [](const std::string&) { return 99; }, out, err);
  return {status, out.str(), err.str()};
}

}  // namespace fedgate::test
