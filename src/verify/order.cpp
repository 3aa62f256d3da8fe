// SPDX-License-Identifier: Apache-2.0
#include "verify/order.h"

#include <string>

namespace fedgate::verify {
namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

std::string span_text(std::uint64_t first, std::uint64_t last) {
  return first == last ? "leaf " + number(first) : "leaves " + number(first) + " to " + number(last);
}

}  // namespace

void Order::missing(std::uint64_t first, std::uint64_t end) {
  findings_.add({Grade::broken, Kind::leaves_missing, first, end - 1,
                 span_text(first, end - 1) + (end - first == 1 ? " is" : " are") + " missing: deleted from the log"});
}

std::uint64_t Order::misplaced(std::uint64_t stated) {
  const auto here = expected_++;
  if (misplaced_.size() < misplaced_at_most) misplaced_[here] = stated;
  return here;
}

// Keys that follow each other say no more than lines that do; what was taken out leaves a gap.
bool Order::take_key(std::uint64_t key) {
  const auto wanted = next_key_.value_or(0);
  if (key < wanted) {
    findings_.add({Grade::broken, Kind::leaf_added, key, key, "there is more than one leaf " + number(key)});
    return false;
  }
  if (key > wanted && !next_key_) {
    findings_.add({Grade::note, Kind::begins_later, 0, key - 1,
                   "leaves 0 to " + number(key - 1) +
                       " are not here (retention may have removed them): no head can be compared; an export has their "
                       "hashes"});
  } else if (key > wanted) {
    missing(expected_, expected_ + (key - wanted));
  }
  expected_ += key - wanted;
  next_key_ = key + 1;
  return true;
}

// From here on everything stands elsewhere than it says.
std::optional<std::uint64_t> Order::shifted(std::uint64_t stated) {
  if (stated > expected_) {
    missing(expected_, stated);
  } else {
    findings_.add({Grade::broken, Kind::leaf_added, stated, expected_ - 1,
                   span_text(stated, expected_ - 1) + " stand" + (expected_ - stated == 1 ? "s" : "") +
                       " here twice: a leaf was added"});
  }
  expected_ = stated + 1;
  return stated;
}

std::optional<std::uint64_t> Order::place(const Entry& here, const Entry* next) {
  if (here.key && !take_key(*here.key)) return std::nullopt;
  const auto after = next != nullptr ? next->stated : std::nullopt;
  const bool resumes_here = after && *after == expected_;
  if (here.pruned || (here.stated && *here.stated == expected_)) return expected_++;
  if (!here.stated) {
    if (!resumes_here) return expected_++;
    findings_.add({Grade::broken, Kind::leaf_added, expected_, expected_,
                   "an entry that is no leaf was put in before leaf " + number(expected_)});
    return std::nullopt;
  }
  const auto stated = *here.stated;
  // Two neighbours that were swapped look like an addition at first.
  if (resumes_here && stated != expected_ + 1) {
    findings_.add({Grade::broken, Kind::leaf_added, expected_, expected_,
                   "before leaf " + number(expected_) + " a leaf was added that says it is " + number(stated)});
    return std::nullopt;
  }
  const bool all_follow = next == nullptr || (after && *after == stated + 1);
  if (all_follow) return shifted(stated);
  return misplaced(stated);
}

void Order::finish() {
  for (const auto& [here, stated] : misplaced_) {
    const auto other = misplaced_.find(stated);
    if (other != misplaced_.end() && other->second == here) {
      if (here < stated)
        findings_.add({Grade::broken, Kind::leaves_swapped, here, stated,
                       "leaves " + number(here) + " and " + number(stated) + " were swapped"});
      continue;
    }
    findings_.add({Grade::broken, Kind::leaf_replaced, here, here,
                   "at index " + number(here) + " stands a leaf that says it is " + number(stated)});
  }
}

}  // namespace fedgate::verify
