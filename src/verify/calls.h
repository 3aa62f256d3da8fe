// SPDX-License-Identifier: Apache-2.0
//
// Whether the records tell a story that a gateway can have written: an intent before the outcome of what had effects,
// nothing twice, time that goes forward, references that can be followed. Hashes and signatures do not see such
// things: the log's owner can sign nonsense. Remembers eight bytes for each call, in a table that is at most twice as
// large. Owned by one LogAudit.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "verify/record.h"
#include "verify/report.h"

namespace fedgate::verify {

/// A set of 64-bit fingerprints, open addressing: memory is what bounds the length of a log that can be checked.
class FingerprintSet {
 public:
  /// False: it was there.
  bool insert(std::uint64_t fingerprint);
  [[nodiscard]] bool contains(std::uint64_t fingerprint) const;

 private:
  void grow();
  std::vector<std::uint64_t> slots_;
  std::size_t used_ = 0;
};

class Calls {
 public:
  /// Clocks are set, and records wait for their turn: so far back is no finding.
  static constexpr std::chrono::minutes tolerance{5};

  /// `log`: NODE/fedgate/log/REPLICA/GENERATION.
  Calls(Findings& findings, std::string_view log);
  void add(const Record& record);
  /// From here on earlier leaves are not known: an intent may be among them.
  void forget_beginning() { whole_ = false; }
  /// What is left open at the end.
  std::uint64_t finish();

 private:
  void check_time(const Record& record);
  void check_call(const Record& record);
  void check_reference(const Record& record);

  Findings& findings_;
  std::string node_;  // whose log it is
  bool first_generation_ = true;
  bool whole_ = true;
  std::optional<WallTime> latest_;
  bool behind_ = false;
  FingerprintSet settled_;
  std::unordered_map<std::uint64_t, std::uint64_t> open_;  // fingerprint → index of the intent
};

}  // namespace fedgate::verify
