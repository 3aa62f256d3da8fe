// SPDX-License-Identifier: Apache-2.0
//
// Which generation of its log this replica writes: `generation` in the journal's directory. Generation 1 has its
// segments there, a later one in `generation-N` below it; those that ended stay as they are. Plain values and the
// file; blocking, the composition root's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "fedgate/audit_event.h"
#include "fedgate/clock.h"
#include "fedgate/result.h"

namespace fedgate::audit {

struct Generation {
  std::uint64_t number = 1;
  // Of the beginning of a generation above 1.
  std::string who, reason;
  std::string last;             ///< the checkpoint with which the one before ended, as signed note; empty: it had none
  std::uint64_t unshipped = 0;  ///< records of the one before that the database did not have when it ended
  /// Asked for: begins at the next start.
  struct Wanted {
    std::string who, reason;
    bool operator==(const Wanted&) const = default;
  };
  std::optional<Wanted> wanted;
  bool operator==(const Generation&) const = default;
};

/// The first where there is no file. Code::io_error, naming it.
Result<Generation> read_generation(const std::string& journal_directory);
Result<void> write_generation(const std::string& journal_directory, const Generation& generation);
/// Where the segments of this generation are.
std::string directory_of_generation(const std::string& journal_directory, std::uint64_t number);

/// The first leaf of a generation above 1: who, why, and as `counterparty` the last checkpoint of the one before (log:
/// its origin; index: its size; hash: its root). Code::io_error where that cannot be read.
Result<AuditEvent> first_leaf(const Generation& generation, WallTime now);

}  // namespace fedgate::audit
