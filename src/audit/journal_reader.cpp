// SPDX-License-Identifier: Apache-2.0
#include "audit/journal_reader.h"

#include <algorithm>

namespace fedgate::audit {
namespace {
constexpr std::size_t window_bytes = 512 * 1024;
constexpr std::size_t largest_record = record_overhead + leaf_max_bytes;
}  // namespace

Result<void> JournalReader::fill() {
  auto bytes = file_->read_at(offset_, window_bytes);
  if (!bytes) return fail(bytes.error());
  window_ = std::move(*bytes);
  window_begin_ = offset_;
  settled_ = durable_;
  return {};
}

Result<std::string_view> JournalReader::next() {
  std::optional<std::string_view> payload;
  // What was not durable when the window was read may have been written again since, with other records.
  if (index_ < settled_) payload = record_at(window_, offset_ - window_begin_, index_);
  if (!payload) {
    if (auto filled = fill(); !filled) return fail(filled.error());
    payload = record_at(window_, 0, index_);
  }
  if (!payload)
    return fail(Code::io_error, directory_ + "/" + segment_name(first_) + ": record " + std::to_string(index_) +
                                    " at offset " + std::to_string(offset_) +
                                    " is damaged; the disk has changed what was on stable storage");
  offset_ += record_overhead + payload->size();
  ++index_;
  return *payload;
}

Result<void> JournalReader::seek(std::uint64_t first, std::uint64_t index) {
  if (!file_ || first_ != first || index_ > index) {
    file_.reset();
    const auto where = directory_ + "/" + segment_name(first);
    auto file = disk_->open(where);
    if (!file) return fail(file.error());
    first_ = index_ = first;
    std::size_t head = largest_record;
    for (;; head *= 16) {  // a header with many open intents is large
      const auto bytes = (*file)->read_at(0, head);
      if (!bytes) return fail(bytes.error());
      const auto header = decode_header(*bytes);
      if (header) {
        offset_ = header->bytes;
        break;
      }
      if (bytes->size() < head) return fail(header.error().in(where));
    }
    settled_ = 0;
    file_ = std::move(*file);
  }
  while (index_ < index) {
    if (const auto skipped = next(); !skipped) return fail(skipped.error());
  }
  return {};
}

Result<std::vector<std::string>> JournalReader::read(std::uint64_t from, std::uint64_t durable, std::size_t count,
                                                     std::size_t bytes, const std::vector<SegmentPlace>& segments) {
  std::vector<std::string> leaves;
  if (from >= durable) return leaves;
  durable_ = durable;
  leaves.reserve(std::min<std::uint64_t>(count, durable - from));
  auto segment = std::ranges::upper_bound(segments, from, {}, &SegmentPlace::first);
  if (segment == segments.begin())
    return fail(Code::not_found, "record " + std::to_string(from) + " is no longer in the journal");
  std::size_t taken = 0;
  for (--segment; segment != segments.end() && from < durable; ++segment) {
    const auto after = std::next(segment);
    const auto end = after == segments.end() ? durable : std::min(durable, after->first);
    for (; from < end; ++from) {
      if (leaves.size() >= count || (!leaves.empty() && taken >= bytes)) return leaves;
      if (auto found = seek(segment->first, from); !found) return fail(found.error());
      const auto leaf = next();
      if (!leaf) return fail(leaf.error());
      taken += leaf->size();
      leaves.emplace_back(*leaf);
    }
  }
  return leaves;
}

}  // namespace fedgate::audit
