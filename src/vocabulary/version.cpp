// SPDX-License-Identifier: Apache-2.0
#include "fedgate/version.h"

#include "generated/version.h"  // made by cmake/Version.cmake

namespace fedgate {

std::string_view version() { return FEDGATE_VERSION; }
std::string_view commit() { return FEDGATE_COMMIT; }

}  // namespace fedgate
