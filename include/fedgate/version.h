// SPDX-License-Identifier: Apache-2.0
//
// What was built. Only version.cpp knows the commit, so that a new commit compiles one small file. Constants.
#pragma once

#include <string_view>

namespace fedgate {

/// `0.1.0`.
std::string_view version();
/// As `git describe --always --dirty` saw the tree that was built; `unknown` outside a repository.
std::string_view commit();

}  // namespace fedgate
