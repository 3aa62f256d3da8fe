// SPDX-License-Identifier: Apache-2.0
//
// The command line: a tree of verbs (`fedgate --help`). Verbs work offline on files, or as a client of a
// running daemon's admin socket or clients listener; only `serve`, which is handed in, is the daemon itself.
// One call per process; blocking.
#pragma once

#include <functional>
#include <ostream>
#include <string>

namespace fedgate::cli {

/// Runs the daemon with this configuration file until it has ended; its exit status.
using Serve = std::function<int(const std::string& config_file)>;

enum Exit : int {
  done = 0,
  failed = 1,       ///< or refused
  wrong_usage = 2,  ///< or invalid configuration
  unreachable = 3,  ///< the daemon
};

/// Parses, runs the verb, and returns the exit status. Never throws.
int run(int argc, const char* const* argv, const Serve& serve, std::ostream& out, std::ostream& err);
/// The same on the process's own standard streams.
int run(int argc, char** argv, const Serve& serve);

}  // namespace fedgate::cli
