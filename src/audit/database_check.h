// SPDX-License-Identifier: Apache-2.0
//
// Whether the database has the log that the journal is: each row's leaf against the hash that the tree holds, so that
// rows can be judged long after the journal has pruned their leaves. Owned by the shipper; its thread only; blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "audit/journal.h"
#include "fedgate/result.h"
#include "store/store.h"

namespace fedgate::audit {

struct Difference {
  std::uint64_t index = 0;  ///< of the first record that differs
  std::string what;         ///< a sentence for operators
};

class DatabaseCheck {
 public:
  DatabaseCheck(Journal& journal, store::Store& store) : journal_(journal), store_(store) {}

  /// The oldest row; nothing where there is none.
  Result<std::optional<std::uint64_t>> first();

  struct Seen {
    std::uint64_t next = 0;  ///< where to go on; all of `end` was seen where it is not below it
    std::optional<Difference> difference{};
    /// Rows [from, below) are missing and the journal no longer has them: nobody can say any more who lost them.
    struct Range {
      std::uint64_t from = 0, below = 0;
    };
    std::optional<Range> lacks{};
    bool cut = false;  ///< the rows end before `end`
  };
  /// What a page may begin with: rows that were pruned are missing in front.
  enum class Beginning : std::uint8_t { anywhere, exactly };
  /// Rows from `from` on, below `end`, at most `most` of them.
  Result<Seen> compare(std::uint64_t from, std::uint64_t end, std::size_t most, Beginning beginning);

 private:
  std::optional<Difference> judge(const store::AuditRow& row, const Sha256& known) const;
  void judge_gap(std::uint64_t from, std::uint64_t below, Seen& seen) const;

  Journal& journal_;
  store::Store& store_;
};

}  // namespace fedgate::audit
