// SPDX-License-Identifier: Apache-2.0
//
// A leaf as the checker reads it: strict JSON, in its one canonical form (RFC 8785), with the members that say where it
// belongs. Apart from the writer's reading on purpose. One reader a thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "fedgate/checkpoint.h"
#include "fedgate/clock.h"
#include "fedgate/result.h"

namespace fedgate::verify {

inline constexpr std::size_t leaf_bytes_at_most = 4096;

/// What a leaf says of the other side's log: a leaf of it, its newest head, or both.
struct Counterparty {
  std::string log;
  struct Leaf {
    std::uint64_t index = 0;
    Sha256 hash{};
  };
  std::optional<Leaf> leaf;
  std::optional<TreeHead> head;
};

/// Views hold until the reader's next call.
struct Record {
  std::uint64_t index = 0;
  std::string_view log, phase, event, correlation_id, origin, target, access, decision, outcome, action, reason;
  std::uint64_t attempt = 0;
  WallTime time{};
  std::optional<Counterparty> counterparty;
  bool counterparty_readable = true;  ///< false: there is one, and it is not well-formed
  std::span<const json::Field> members;
  [[nodiscard]] const json::Field* member(std::string_view key) const;
};

class RecordReader {
 public:
  RecordReader();
  /// Code::bad_request says what is wrong with it.
  Result<Record> read(std::string_view leaf);

 private:
  json::Parser parser_, inner_, innermost_;
};

/// `2026-11-20T09:30:00.000000Z`, as leaves write it.
std::optional<WallTime> leaf_time(std::string_view text);

}  // namespace fedgate::verify
