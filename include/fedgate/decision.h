// SPDX-License-Identifier: Apache-2.0
//
// What policy decided and why. Made by policy alone, read by everybody else; audit records it as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fedgate {

enum class Verdict : std::uint8_t { deny, allow };

/// Which side or part turned a call down.
enum class DecidedBy : std::uint8_t { none, origin, target, upstream };
std::string_view to_string(DecidedBy who);

struct Decision {
  Verdict verdict = Verdict::deny;
  std::string rule;    ///< id of the rule that matched; `default` when none did
  std::string reason;  ///< for operators
  [[nodiscard]] bool allowed() const { return verdict == Verdict::allow; }
};

}  // namespace fedgate
