// SPDX-License-Identifier: Apache-2.0
//
// `fedgate init`: a commented starter configuration in an empty or new directory, with `--dev-pki` a CA, a node
// key and a certificate too. Overwrites nothing. Blocking, offline.
#pragma once

#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "fedgate/result.h"

namespace fedgate::config {

struct StarterOptions {
  NodeId node_id;
  std::string directory;
  bool dev_pki = false;
};
/// The files that were made, and what to do next, one line each.
struct Starter {
  std::vector<std::string> files;
  std::vector<std::string> next_steps;
};
Result<Starter> make_starter(const StarterOptions& options, const Clock& clock);

}  // namespace fedgate::config
