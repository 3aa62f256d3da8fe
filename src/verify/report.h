// SPDX-License-Identifier: Apache-2.0
//
// What the checker found, as plain values that the command line prints. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/checkpoint.h"
#include "fedgate/clock.h"

namespace fedgate::verify {

/// broken: the log is not what was signed, or cannot be. irregular: it is, but its records contradict each other or
/// what a gateway would write. note: worth knowing, nothing wrong.
enum class Grade : std::uint8_t { broken, irregular, note };
std::string_view to_string(Grade grade);

enum class Kind : std::uint8_t {
  leaf_damaged,    ///< not a leaf that a gateway has written
  leaf_misfiled,   ///< of another log
  leaf_replaced,   ///< another leaf stands at its index
  leaves_swapped,  ///< two stand at each other's index
  leaves_missing,  ///< in the middle
  leaf_added,      ///< one too many
  leaf_differs,    ///< from what the other side's record says of it
  column_differs,  ///< the database's column is not what the leaf says
  range_altered,   ///< between two heads; first: up to there it is proven, last: the head that does not fit
  truncated,       ///< at the end
  fork,            ///< the log's key has signed two histories
  signature_invalid,
  head_unsigned,  ///< no key that is known has signed it
  head_unproven,  ///< leaves below it are missing, so that it could not be compared
  heads_missing,  ///< nothing that is signed says anything of this log
  duplicate_record,
  intent_missing,
  intent_open,
  reference_malformed,
  reference_contradicted,  ///< the other side's leaf is not the one that was seen when the call was made
  time_backwards,
  time_impossible,  ///< for what a witness saw when
  generation_broken,
  begins_later,  ///< what stands before is not here
};
std::string_view to_string(Kind kind);

struct Finding {
  Grade grade = Grade::broken;
  Kind kind = Kind::leaf_damaged;
  std::uint64_t first = 0;  ///< the leaves it concerns: from first…
  std::uint64_t last = 0;   ///< …to last, both inclusive
  std::string text;
};

/// One signed head, and how it compares.
struct HeadResult {
  std::string source;  ///< the file or table that it came from
  TreeHead head;
  enum class Standing : std::uint8_t {
    trusted,  ///< a key that the user trusts has signed it
    given,    ///< the user gave it as evidence; no trusted key signed it
    claimed,  ///< it comes with the log and only keys that come with the log vouch for it
  } standing = Standing::claimed;
  enum class Fit : std::uint8_t { matches, differs, beyond, unknown } fit = Fit::unknown;
  std::vector<std::string> signers;  ///< valid ones, by name; witnesses with their time
};
std::string_view to_string(HeadResult::Standing standing);
std::string_view to_string(HeadResult::Fit fit);

struct Report {
  std::string log, source;
  std::uint64_t leaves = 0;  ///< that are here, pruned ones included
  std::uint64_t pruned = 0;  ///< of which only the hash is here
  TreeHead head;             ///< over them, where none is missing
  std::optional<WallTime> oldest, newest;
  std::uint64_t open_intents = 0;
  /// Leaves below it are proven by a trusted key; by a witness's, by a log's own.
  std::uint64_t witnessed = 0, signed_by_log = 0;
  std::vector<HeadResult> heads;
  std::vector<Finding> findings;    ///< in the order of the log, broken ones first
  std::uint64_t more_findings = 0;  ///< that are only counted
  bool keys_given = false;

  enum class Verdict : std::uint8_t { verified, consistent, unproven, broken, irregular };
  [[nodiscard]] Verdict verdict() const;
};
std::string_view to_string(Report::Verdict verdict);

/// Collects findings up to a bound and counts the rest.
class Findings {
 public:
  static constexpr std::size_t at_most = 500;
  void add(Finding finding);
  [[nodiscard]] bool any_broken_in(std::uint64_t first, std::uint64_t last) const;
  /// Hands over.
  void into(Report& report);

 private:
  std::vector<Finding> list_;
  std::uint64_t more_ = 0;
};

}  // namespace fedgate::verify
