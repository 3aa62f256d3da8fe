// SPDX-License-Identifier: Apache-2.0
//
// Intents that no outcome has followed yet: the journal carries them from segment to segment, so that a restart
// finds them without reading everything. Owned by the journal; one thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "audit/leaf.h"
#include "audit/segment.h"
#include "fedgate/audit_event.h"

namespace fedgate::audit {

/// What an intent and its outcome have in common. The parties belong to it: otherwise a peer could settle our intent
/// by sending us a call of its own under the same correlation id.
struct CallKey {
  CorrelationId correlation_id;
  std::uint32_t attempt = 0;
  std::size_t parties = 0;
  bool operator==(const CallKey&) const = default;

  static CallKey of(const AuditEvent& event) {
    constexpr std::size_t mixer = 0x9E3779B97F4A7C15ULL;
    const std::hash<std::string_view> hash;
    return {*event.correlation_id, event.attempt, hash(event.origin) * mixer ^ hash(event.target)};
  }
};

struct CallKeyHash {
  std::size_t operator()(const CallKey& key) const {
    return std::hash<CorrelationId>{}(key.correlation_id) ^ key.parties ^ key.attempt;
  }
};

class OpenIntents {
 public:
  void open(const CallKey& key, std::uint64_t index, std::string_view leaf) { open_[key] = {index, std::string(leaf)}; }
  void settle(const CallKey& key) {
    if (!open_.empty()) open_.erase(key);
  }
  /// For a leaf read back: opens, settles, or has nothing to do with intents.
  Result<void> replay(std::uint64_t index, std::string_view leaf) {
    // Quotes inside texts are escaped, so these can only be the member itself.
    const bool intent = leaf.find(R"("phase":"intent")") != std::string_view::npos;
    const bool outcome = !open_.empty() && leaf.find(R"("phase":"outcome")") != std::string_view::npos;
    if (!intent && !outcome) return {};
    const auto event = event_of(leaf);
    if (!event) return fail(event.error());
    if (!event->correlation_id) return {};
    if (intent) open(CallKey::of(*event), index, leaf);
    if (outcome) settle(CallKey::of(*event));
    return {};
  }
  [[nodiscard]] std::size_t size() const { return open_.size(); }
  /// Its leaf; null where it is not open.
  [[nodiscard]] const std::string* find(const CallKey& key) const {
    const auto found = open_.find(key);
    return found == open_.end() ? nullptr : &found->second.leaf;
  }
  [[nodiscard]] std::unordered_set<CallKey, CallKeyHash> keys() const {
    std::unordered_set<CallKey, CallKeyHash> keys;
    keys.reserve(open_.size());
    for (const auto& [key, intent] : open_) keys.insert(key);
    return keys;
  }
  /// In the order of the log.
  [[nodiscard]] std::vector<PlacedLeaf> list() const {
    std::vector<PlacedLeaf> intents;
    intents.reserve(open_.size());
    for (const auto& [key, intent] : open_) intents.push_back(intent);
    std::ranges::sort(intents, {}, &PlacedLeaf::index);
    return intents;
  }

 private:
  std::unordered_map<CallKey, PlacedLeaf, CallKeyHash> open_;
};

}  // namespace fedgate::audit
