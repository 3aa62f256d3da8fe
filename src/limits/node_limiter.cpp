// SPDX-License-Identifier: Apache-2.0
#include "limits/node_limiter.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace fedgate::limits {

namespace {

// Tokens are counted in nanosecond-shares, so that refilling is exact in integers: `rate` tokens an hour are `rate`
// shares a nanosecond, and a call takes an hour's worth of nanoseconds.
constexpr std::uint64_t token = std::chrono::nanoseconds(std::chrono::hours(1)).count();
constexpr std::uint64_t most_burst = 1'000'000;  // keeps a full bucket within 64 bits
constexpr std::chrono::seconds longest_wait{3600};

std::uint64_t capacity(const Options& options, std::uint64_t rate) {
  // Never more at once than the rate grants in an hour; never less than one, or nothing would ever pass.
  return token * std::clamp<std::uint64_t>(std::min<std::uint64_t>(options.burst, rate), 1, most_burst);
}

std::chrono::seconds wait_for(std::uint64_t missing, std::uint64_t rate) {
  if (rate == 0) return longest_wait;
  const std::chrono::nanoseconds wait(missing / rate + (missing % rate != 0 ? 1 : 0));
  return std::clamp(std::chrono::ceil<std::chrono::seconds>(wait), std::chrono::seconds(1), longest_wait);
}

}  // namespace

/// A node's bucket and its calls at once. All but in_flight is guarded by the shard's mutex; permits keep it alive.
struct Permit::Slot {
  std::atomic<std::uint32_t> in_flight{0};
  std::uint64_t shares = 0;
  std::uint64_t rate = 0;
  SteadyTime filled_at{};

  /// What came in since last time, at the rate that held meanwhile.
  void refill(SteadyTime now, std::uint64_t new_rate, std::uint64_t most) {
    const auto passed = now > filled_at ? static_cast<std::uint64_t>((now - filled_at).count()) : 0;
    filled_at = std::max(filled_at, now);
    const std::uint64_t missing = most > shares ? most - shares : 0;
    // By division first: passed * rate may not fit.
    shares = rate != 0 && passed > missing / rate ? most : std::min(most, shares + passed * rate);
    rate = new_rate;
  }
};

struct NodeLimiter::Shard {
  std::mutex mutex;
  Options options;
  std::unordered_map<NodeId, std::shared_ptr<Permit::Slot>> slots;
};

Permit::Permit(Permit&& other) noexcept : slot_(std::move(other.slot_)) {}

Permit& Permit::operator=(Permit&& other) noexcept {
  Permit taken(std::move(other));
  slot_.swap(taken.slot_);  // what was held here is given back with `taken`
  return *this;
}

Permit::~Permit() {
  if (slot_) slot_->in_flight.fetch_sub(1, std::memory_order_relaxed);
}

NodeLimiter::NodeLimiter(const Clock& clock, Options options) : clock_(clock) {
  for (auto& shard : shards_) {
    shard = std::make_unique<Shard>();
    shard->options = options;
  }
}

NodeLimiter::~NodeLimiter() = default;

std::expected<Permit, Refusal> NodeLimiter::admit(const NodeId& node, std::optional<std::uint64_t> own_rate) {
  Shard& shard = *shards_[std::hash<NodeId>{}(node) % shard_count];
  const auto now = clock_.steady();
  const std::lock_guard lock(shard.mutex);
  const auto rate = own_rate.value_or(shard.options.rate_per_hour);
  const auto most = capacity(shard.options, rate);
  auto& slot = shard.slots[node];
  if (!slot) {
    slot = std::make_shared<Permit::Slot>();
    slot->shares = most;
    slot->filled_at = now;
  }
  slot->refill(now, rate, most);
  const auto refuse = [&](std::string_view limit, std::uint64_t value, std::chrono::seconds wait) {
    return std::unexpected(Refusal{Error(Code::rate_limited, node.str() + " is at its limit: " + std::string(limit) +
                                                                 " = " + std::to_string(value)),
                                   wait, limit});
  };
  if (slot->in_flight.load(std::memory_order_relaxed) >= shard.options.concurrency_per_peer)
    return refuse("concurrency_per_peer", shard.options.concurrency_per_peer, std::chrono::seconds(1));
  if (rate == 0 || slot->shares < token)
    return refuse("rate_limit_per_hour", rate, wait_for(token - std::min(token, slot->shares), rate));
  slot->shares -= token;
  slot->in_flight.fetch_add(1, std::memory_order_relaxed);
  return Permit(slot);
}

void NodeLimiter::set_options(Options options) {
  for (auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->options = options;
  }
}

}  // namespace fedgate::limits
