// SPDX-License-Identifier: Apache-2.0
//
// The fingerprint that two operators compare, out of band and whole, before they approve each other: 160 bits of a
// hash over both bundles, the same on both sides. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "fedgate/id.h"
#include "fedgate/result.h"

namespace fedgate::trust {

/// Eight groups of four of A-Z and 2-7: `ABCD-EFGH-…`. The order in which the two are given does not matter.
std::string fingerprint(const NodeId& one, const Sha256& one_bundle, const NodeId& other, const Sha256& other_bundle);

/// Whether an operator typed this one: all of it, in either case, with or without hyphens and spaces. Takes the same
/// time wherever they differ. Code::bad_request where the text is not a whole fingerprint.
Result<bool> same_fingerprint(std::string_view typed, std::string_view fingerprint);

}  // namespace fedgate::trust
