// SPDX-License-Identifier: Apache-2.0
//
// Files that commands make for people: never over something that is there. Blocking.
#pragma once

#include <sys/types.h>

#include <string>

#include "fedgate/result.h"

namespace fedgate::config {

struct NewFile {
  std::string path, text;
  ::mode_t mode = 0644;
};

/// Never replaces, never follows a link. Code::io_error, Code::conflict where it exists.
Result<void> write_new(const NewFile& file);
/// With its parents; readable by its owner only where it is new.
Result<void> make_directory(const std::string& path);

}  // namespace fedgate::config
