// SPDX-License-Identifier: Apache-2.0
//
// The daemon as a process: configuration, signals, systemd. SIGTERM and SIGINT end it in order, a second one at
// once; SIGHUP reloads. Runs on the main thread and returns the exit status.
#pragma once

#include <string>

namespace fedgate::app {

int serve(const std::string& config_file);

}  // namespace fedgate::app
