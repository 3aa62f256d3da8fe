// SPDX-License-Identifier: Apache-2.0
//
// Finds out from the indexes that leaves state, and from where they stand, which leaf was taken out, put in or moved.
// Sees each entry together with the one that follows it. Owned by one LogAudit.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "verify/report.h"

namespace fedgate::verify {

class Order {
 public:
  struct Entry {
    std::optional<std::uint64_t> key;     ///< where its source says that it stands (a database's key)
    std::optional<std::uint64_t> stated;  ///< what the leaf says; nothing: pruned or damaged
    bool pruned = false;
  };

  explicit Order(Findings& findings) : findings_(findings) {}
  /// The index at which the entry belongs; nothing: it is one too many. `next`: null at the end.
  std::optional<std::uint64_t> place(const Entry& here, const Entry* next);
  void finish();
  /// One past the last that was placed.
  [[nodiscard]] std::uint64_t size() const { return expected_; }

 private:
  /// False: its key stands here already.
  bool take_key(std::uint64_t key);
  std::optional<std::uint64_t> shifted(std::uint64_t stated);
  std::uint64_t misplaced(std::uint64_t stated);
  void missing(std::uint64_t first, std::uint64_t end);

  static constexpr std::size_t misplaced_at_most = 10'000;

  Findings& findings_;
  std::uint64_t expected_ = 0;
  std::optional<std::uint64_t> next_key_;
  std::map<std::uint64_t, std::uint64_t> misplaced_;  // where it stands → what it states
};

}  // namespace fedgate::verify
