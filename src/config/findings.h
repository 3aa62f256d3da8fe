// SPDX-License-Identifier: Apache-2.0
//
// Where in which file something stands, and the list of what is wrong there. Every step of loading adds to one
// Report, so that a person sees all problems at once. Owned by load(), one thread.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "config/loader.h"

namespace fedgate::config {

/// A place in one of the files that Report knows. Lines and columns count from 1, columns in characters.
struct Place {
  std::size_t file = 0;
  int line = 0;  ///< 0: the file as a whole
  int column = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

class Report {
 public:
  /// Names a file; its number goes into Place.
  std::size_t add_file(std::string name);
  void error(Place place, std::string what) { add(Severity::error, place, std::move(what)); }
  void warning(Place place, std::string what) { add(Severity::warning, place, std::move(what)); }

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::string at(Place place) const;       ///< `file:line:column`
  [[nodiscard]] std::string line_of(Place place) const;  ///< `file:line`
  /// By file, line and column; what stands in one place keeps its order.
  [[nodiscard]] std::vector<Finding> sorted() const;

 private:
  static constexpr std::size_t most = 500;  // a file of nonsense must not fill memory or the terminal
  struct Entry {
    Severity severity;
    Place place;
    std::string what;
  };
  void add(Severity severity, Place place, std::string what);
  std::vector<std::string> files_;
  std::vector<Entry> entries_;
  std::size_t left_out_ = 0;
  bool failed_ = false;
};

}  // namespace fedgate::config
