// SPDX-License-Identifier: Apache-2.0
//
// What a journal segment looks like on disk, and how to read it back without trusting it. Pure functions over
// bytes, any thread; segment_files.h does the input and output.
//
// A segment: a header (magic, version, its own size, first index, log name, the intents that were open when it was
// begun, CRC-32C), padded with zeros to a multiple of 512; then records; then zeros. A record: u32 length, u32
// CRC-32C over (u64 index, u32 length, payload), payload; all little-endian. Length zero is the end.
//
// The top bit of a length says "first of its batch": everything before it was on stable storage when it was
// written, because the writer syncs each batch before it writes the next. So of an invalid record one can tell what
// it is. If a valid record with that bit follows, then the invalid one had been synced and perhaps reported: the
// disk has lost it, which no reader may pass over in silence. If none follows, it belongs to the last batch; a batch
// that was reported has been synced, so this one was torn by a crash and may be cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/result.h"

namespace fedgate::audit {

inline constexpr std::size_t record_overhead = 8;

/// A leaf and its place.
struct PlacedLeaf {
  std::uint64_t index = 0;
  std::string leaf;
};

struct SegmentHeader {
  std::string log;
  std::uint64_t first = 0;
  std::vector<PlacedLeaf> open_intents;
  std::size_t bytes = 0;  ///< where the records begin; set by decode_header
};
std::string encode_header(const SegmentHeader& header);
/// `bytes` may hold more than the header. Code::io_error: not a header, or damaged.
Result<SegmentHeader> decode_header(std::string_view bytes);

/// `00000000000000000042.seg`
std::string segment_name(std::uint64_t first);
/// Nothing for a name that is not a segment's.
std::optional<std::uint64_t> first_of_name(std::string_view name);

enum class BatchPlace : std::uint8_t { first, later };
/// Fills in the eight bytes before a payload of `size` bytes.
void seal_record(char* record, std::size_t size, std::uint64_t index, BatchPlace place);

/// The payload of the record at `offset`, if a whole and valid one with this index stands there.
std::optional<std::string_view> record_at(std::string_view segment, std::size_t offset, std::uint64_t index);

/// For an offset where record_at() found a record.
BatchPlace place_in_batch(std::string_view segment, std::size_t offset);

/// Where a valid record that begins a batch stands at or after `offset`, whatever its index.
std::optional<std::size_t> find_batch(std::string_view segment, std::size_t offset);

}  // namespace fedgate::audit
