// SPDX-License-Identifier: Apache-2.0
#include "config/findings.h"

#include <algorithm>
#include <utility>

namespace fedgate::config {

std::string Finding::text() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line) + ":" + std::to_string(column);
  out += severity == Severity::error ? ": error: " : ": warning: ";
  return out + what;
}

std::size_t Report::add_file(std::string name) {
  files_.push_back(std::move(name));
  return files_.size() - 1;
}

void Report::add(Severity severity, Place place, std::string what) {
  failed_ = failed_ || severity == Severity::error;
  if (entries_.size() >= most) {
    ++left_out_;
    return;
  }
  entries_.push_back({severity, place, std::move(what)});
}

std::string Report::line_of(Place place) const {
  std::string out = files_.at(place.file);
  if (place.line > 0) out += ":" + std::to_string(place.line);
  return out;
}

std::string Report::at(Place place) const {
  std::string out = line_of(place);
  if (place.line > 0) out += ":" + std::to_string(place.column);
  return out;
}

std::vector<Finding> Report::sorted() const {
  // Not stable_sort: libstdc++ 12's uses what C++17 deprecated.
  std::vector<const Entry*> order;
  order.reserve(entries_.size());
  for (const auto& entry : entries_) order.push_back(&entry);
  std::ranges::sort(order, {}, [](const Entry* entry) { return std::pair{entry->place, entry}; });
  std::vector<Finding> out;
  out.reserve(order.size() + 1);
  for (const auto* entry : order) {
    out.push_back({entry->severity, files_.at(entry->place.file), entry->place.line, entry->place.column, entry->what});
  }
  if (left_out_ > 0) {
    out.push_back({failed_ ? Severity::error : Severity::warning, files_.front(), 0, 0,
                   std::to_string(left_out_) + " more findings are not shown; correct these first"});
  }
  return out;
}

}  // namespace fedgate::config
