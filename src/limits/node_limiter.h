// SPDX-License-Identifier: Apache-2.0
//
// How much one node may ask: a token bucket per verified node (`rate_limit_per_hour`, with burst) across all
// its connections and workers, and a bound on calls at once. Keyed by node id only, so the table is as large as
// the registry. Any thread; one short mutex per shard.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "fedgate/result.h"

namespace fedgate::limits {

struct Options {
  std::uint64_t rate_per_hour = 10'000;  ///< for nodes without a rate of their own
  std::uint32_t burst = 50;
  std::uint32_t concurrency_per_peer = 256;
};

class NodeLimiter;

/// One admitted call; gives its place back when destroyed.
class Permit {
 public:
  Permit() = default;
  Permit(Permit&& other) noexcept;
  Permit& operator=(Permit&& other) noexcept;
  ~Permit();

 private:
  friend class NodeLimiter;
  struct Slot;
  explicit Permit(std::shared_ptr<Slot> slot) : slot_(std::move(slot)) {}
  std::shared_ptr<Slot> slot_;
};

/// Why a call was not admitted: the error (rate_limited, its detail naming the limit) and when to come back.
struct Refusal {
  Error error;
  std::chrono::seconds retry_after{1};
  std::string_view limit;  ///< rate_limit_per_hour, concurrency_per_peer
};

class NodeLimiter {
 public:
  /// `clock` outlives it; permits may outlive both.
  explicit NodeLimiter(const Clock& clock, Options options);
  ~NodeLimiter();
  NodeLimiter(const NodeLimiter&) = delete;
  NodeLimiter& operator=(const NodeLimiter&) = delete;

  /// `own_rate`: the node's rate_limit_per_hour, where it has one; 0 admits nothing. A refused call consumes nothing.
  /// The burst is never more than the rate grants in an hour, nor less than one call.
  std::expected<Permit, Refusal> admit(const NodeId& node, std::optional<std::uint64_t> own_rate);
  /// Takes effect at the next admit(); what is in flight stays.
  void set_options(Options options);

 private:
  struct Shard;  // holds a copy of the options, so that admit() takes one mutex
  const Clock& clock_;
  static constexpr std::size_t shard_count = 16;
  std::array<std::unique_ptr<Shard>, shard_count> shards_;
};

}  // namespace fedgate::limits
