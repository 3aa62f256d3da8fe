// SPDX-License-Identifier: Apache-2.0
#include "app/serve.h"
#include "cli/cli.h"

int main(int argc, char** argv) { return fedgate::cli::run(argc, argv, fedgate::app::serve); }
