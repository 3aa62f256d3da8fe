// SPDX-License-Identifier: Apache-2.0
#include "policy/glob.h"

#include <cstring>

namespace fedgate::policy {

Glob::Glob(std::string_view pattern) {
  const auto star = pattern.find('*');
  exact_ = star == std::string_view::npos;
  first_ = pattern.substr(0, star);
  least_ = first_.size();
  if (exact_) return;
  const auto last_star = pattern.rfind('*');
  last_ = pattern.substr(last_star + 1);
  least_ += last_.size();
  for (auto at = star; at < last_star;) {
    const auto next = pattern.find('*', at + 1);
    if (next > at + 1) middle_.emplace_back(pattern.substr(at + 1, next - at - 1));
    at = next;
  }
}

bool Glob::matches(std::string_view text) const {
  if (exact_) return text == first_;
  if (text.size() < least_ || !text.starts_with(first_) || !text.ends_with(last_)) return false;
  text = text.substr(first_.size(), text.size() - least_);
  // The leftmost place for each piece leaves the most for the next, so there is nothing to go back for; memmem
  // (two-way search in glibc) keeps each step linear, where find() would not be.
  for (const auto& piece : middle_) {
    const void* found = memmem(text.data(), text.size(), piece.data(), piece.size());
    if (found == nullptr) return false;
    text.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) + piece.size());
  }
  return true;
}

}  // namespace fedgate::policy
