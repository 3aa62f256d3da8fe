// SPDX-License-Identifier: Apache-2.0
//
// The signed heads that speak of one log: who signed them, whether they fit the leaves, and what follows where they do
// not. Owned by one LogAudit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "verify/note.h"
#include "verify/report.h"

namespace fedgate::verify {

/// A head as it came in.
struct ShownHead {
  SignedHead note;
  std::string source;
  enum class From : std::uint8_t { log, witness } from = From::log;  ///< with the log, or given as evidence against it
};

class Heads {
 public:
  /// Takes those of `log` among `shown`. `claimed`: keys that came with the log.
  Heads(Findings& findings, const std::string& log, const std::vector<ShownHead>& shown,
        const std::vector<Key>& trusted, const std::vector<Key>& claimed);

  /// The size of the next head that was not compared yet.
  [[nodiscard]] std::optional<std::uint64_t> next_size() const;
  /// Compares those of this size.
  void compare(const TreeHead& computed);
  /// A witness saw leaf `index` no later than this.
  [[nodiscard]] std::optional<WallTime> seen_at(std::uint64_t index) const;
  /// Leaf `index` names the key (HASH+KEY of a verifier key) that signs from then on. Counts where the head over
  /// exactly that leaf bears both keys' signatures, fits, and the old key is trusted (protocol.md: rotation).
  void rotated(std::uint64_t index, std::string_view next_key);
  /// `leaves`: how many there are.
  void finish(std::uint64_t leaves, Report& report);

 private:
  struct Entry {
    HeadResult result;
    std::vector<std::string> log_keys;  // the log's, as verifier keys, that signed it
    bool by_trusted_log = false, by_trusted_witness = false;
    std::optional<WallTime> seen;  // by a trusted witness
  };
  void admit(const ShownHead& shown, const std::vector<Key>& trusted, const std::vector<Key>& claimed);
  void trust_successors();
  void find_forks(std::uint64_t leaves);
  void fork(const HeadResult& a, const HeadResult& b, std::uint64_t leaves);
  void find_altered_range();
  void find_truncation(std::uint64_t leaves);

  Findings& findings_;
  std::vector<Entry> entries_;  // by size
  std::size_t next_ = 0;
  struct Rotation {
    std::uint64_t index = 0;
    std::string next_key;
  };
  std::vector<Rotation> rotations_;
  std::vector<std::optional<WallTime>> seen_from_;  // for each entry: the earliest sight of it or a larger one
};

}  // namespace fedgate::verify
