// SPDX-License-Identifier: Apache-2.0
#include "net/admission.h"

namespace fedgate::net {

std::shared_ptr<Admission> Admission::make(Limits limits) { return std::shared_ptr<Admission>(new Admission(limits)); }

Admission::Answer Admission::admit(const std::string& source) {
  const std::lock_guard lock(mutex_);
  if (all_ >= limits_.total) return {.ticket = nullptr, .full = "total"};
  if (!source.empty()) {
    std::size_t& count = by_source_[source];
    if (count >= limits_.per_source) return {.ticket = nullptr, .full = "per_address"};
    ++count;
  }
  ++all_;
  return {.ticket = Ticket(this, [self = shared_from_this(), source](void*) { self->give_back(source); })};
}

void Admission::give_back(const std::string& source) {
  const std::lock_guard lock(mutex_);
  --all_;
  if (source.empty()) return;
  const auto found = by_source_.find(source);
  if (--found->second == 0) by_source_.erase(found);
}

}  // namespace fedgate::net
