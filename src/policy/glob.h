// SPDX-License-Identifier: Apache-2.0
//
// One pattern of a rule, split once when the rules are made, so that a decision compares and never parses.
// Immutable, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fedgate::policy {

class Glob {
 public:
  explicit Glob(std::string_view pattern);
  [[nodiscard]] bool matches(std::string_view text) const;
  [[nodiscard]] bool matches_anything() const { return !exact_ && first_.empty() && last_.empty() && middle_.empty(); }

 private:
  bool exact_;                       // no `*`: first_ is the whole text
  std::string first_, last_;         // before the first `*` and after the last one
  std::vector<std::string> middle_;  // between them, none empty
  std::size_t least_ = 0;            // what first_ and last_ take together
};

}  // namespace fedgate::policy
