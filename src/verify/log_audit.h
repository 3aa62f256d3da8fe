// SPDX-License-Identifier: Apache-2.0
//
// Checks one log from end to end, streaming: its tree against every signed head that is shown, its leaves' order and
// form, what they tell, and what other parties' records say of them. What it promises is in docs/audit.md. It shares no
// code with the writer. One thread; memory for a call is a few bytes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verify/calls.h"
#include "verify/heads.h"
#include "verify/note.h"
#include "verify/order.h"
#include "verify/record.h"
#include "verify/report.h"
#include "verify/tree.h"

namespace fedgate::verify {

/// What a record of another log says of a leaf of this one.
struct ForeignView {
  std::uint64_t index = 0;
  Sha256 hash{};
  std::uint32_t told_by = 0;  ///< which of Evidence::tellers
  std::uint64_t told_in_leaf = 0;
};

/// A head of this log that a record of another log mentions. Nobody signed it, but it cannot be changed there either.
struct MentionedView {
  TreeHead head;
  std::uint32_t told_by = 0;
  std::uint64_t told_in_leaf = 0;
};

struct Evidence {
  std::vector<Key> trusted;
  std::vector<Key> claimed;  ///< came with the log: they prove that it hangs together, not whose it is
  std::vector<ShownHead> heads;
  std::vector<ForeignView> views;  ///< in any order
  std::vector<MentionedView> mentions;
  std::vector<std::string> tellers;  ///< logs
};

/// A column of a database that repeats what the leaf says.
struct Column {
  enum class Type : std::uint8_t { text, number, time } type = Type::text;
  std::string_view name, member;
  std::string value;  ///< time: microseconds since 1970
};

struct Entry {
  std::optional<std::uint64_t> key;  ///< where its source says that it stands; nothing: after the one before
  std::string leaf;                  ///< empty: pruned
  Sha256 pruned{};                   ///< its hash then
  std::vector<Column> columns;
};

/// `NODE/fedgate/log/REPLICA/N`: the name of generation N - 1; nothing for the first, or for another form.
std::optional<std::string> previous_generation(std::string_view log);
/// Of a log's first leaf: the head with which the generation before ended.
bool begins_generation(const Record& record);

class LogAudit {
 public:
  /// `evidence` outlives it.
  LogAudit(std::string log, std::string source, const Evidence& evidence);
  void add(Entry entry);
  [[nodiscard]] std::uint64_t added() const { return added_; }
  Report finish();

 private:
  struct Slot {
    Entry entry;
    std::optional<Record> record;
    std::string problem;
    Order::Entry place;
  };
  void settle(Slot& slot, const Slot* next);
  void check_record(const Slot& slot, std::uint64_t index);
  void check_generation(const Record& record);
  void check_columns(const Slot& slot, std::uint64_t index);
  void integrate(std::uint64_t index, const Sha256& hash);
  void check_views(std::uint64_t index, const Sha256& hash);
  void compare_heads();
  void finish_views(Report& report);
  void finish_mentions(std::uint64_t proven);

  Report report_;
  Findings findings_;
  const Evidence& evidence_;
  Heads heads_;
  Order order_;
  Calls calls_;
  StreamedTree tree_;
  bool tree_whole_ = true;
  std::array<RecordReader, 2> readers_;
  std::array<Slot, 2> slots_;
  std::uint64_t added_ = 0;
  std::vector<ForeignView> views_;  // by index
  std::size_t next_view_ = 0;
  std::vector<ForeignView> contradicted_;
  std::vector<MentionedView> mentions_;  // by size
  std::size_t next_mention_ = 0;
  std::uint64_t mentioned_ = 0;  // the largest that fits, before one that does not
  std::optional<MentionedView> contradicted_mention_;
};

}  // namespace fedgate::verify
