// SPDX-License-Identifier: Apache-2.0
//
// Places for those who are not known yet: so many in all, so many from one source (address.h says what a source
// is). A place is held by a Ticket and given back with it, from any thread. Owned by whoever lets them in.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace fedgate::net {

/// A place, given back when the last copy is destroyed.
using Ticket = std::shared_ptr<void>;

class Admission : public std::enable_shared_from_this<Admission> {
 public:
  struct Limits {
    std::size_t total;
    std::size_t per_source;
  };
  struct Answer {
    Ticket ticket;               ///< null: refused
    std::string_view full = {};  ///< refused: `total` or `per_address`, for metrics
  };

  static std::shared_ptr<Admission> make(Limits limits);

  /// `source` empty: counts in the total only.
  Answer admit(const std::string& source);

 private:
  explicit Admission(Limits limits) : limits_(limits) {}
  void give_back(const std::string& source);

  Limits limits_;
  std::mutex mutex_;
  std::size_t all_ = 0;
  std::unordered_map<std::string, std::size_t> by_source_;
};

}  // namespace fedgate::net
