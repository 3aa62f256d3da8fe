// SPDX-License-Identifier: Apache-2.0
#include "audit/segment.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include "audit/leaf.h"
#include "base/hash.h"

namespace fedgate::audit {
namespace {

constexpr std::string_view magic = "fedgate\n";
constexpr std::uint32_t version = 1;
constexpr std::size_t padding = 512;
constexpr std::uint32_t batch_bit = 0x80000000U;
constexpr std::size_t name_digits = 20;
constexpr std::string_view name_suffix = ".seg";
constexpr std::size_t fixed_header = magic.size() + 4 + 4 + 8;

static_assert(std::endian::native == std::endian::little, "the journal's integers are copied as they stand");

template <class Integer>
void put(std::string& out, Integer value) {
  std::array<char, sizeof value> bytes;
  std::memcpy(bytes.data(), &value, sizeof value);
  out.append(bytes.data(), bytes.size());
}

template <class Integer>
Integer get(const char* from) {
  Integer value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Reads forward through a header; once something is missing, everything is.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}
  template <class Integer>
  Integer integer() {
    if (!take(sizeof(Integer))) return 0;
    return get<Integer>(bytes_.data() + at_ - sizeof(Integer));
  }
  std::string text() {
    const auto size = integer<std::uint32_t>();
    if (!take(size)) return {};
    return std::string(bytes_.substr(at_ - size, size));
  }
  [[nodiscard]] bool whole() const { return whole_; }
  [[nodiscard]] std::size_t position() const { return at_; }

 private:
  bool take(std::size_t size) {
    whole_ = whole_ && bytes_.size() - at_ >= size;
    if (whole_) at_ += size;
    return whole_;
  }
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool whole_ = true;
};

std::uint32_t record_crc(std::uint64_t index, std::uint32_t length, std::string_view payload) {
  std::array<char, 12> place;
  std::memcpy(place.data(), &index, sizeof index);
  std::memcpy(place.data() + sizeof index, &length, sizeof length);
  return crc32c(payload, crc32c({place.data(), place.size()}));
}

/// The index that a leaf states of itself.
std::optional<std::uint64_t> stated_index(std::string_view payload) {
  constexpr std::string_view key = R"("index":)";
  // "counterparty" holds an index too, and stands before.
  const auto event = payload.find(R"("event":)");
  if (event == std::string_view::npos) return std::nullopt;
  const auto at = payload.find(key, event);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint64_t index = 0;
  const auto* begin = payload.data() + at + key.size();
  if (std::from_chars(begin, payload.data() + payload.size(), index).ec != std::errc()) return std::nullopt;
  return index;
}

}  // namespace

std::string encode_header(const SegmentHeader& header) {
  std::string out(magic);
  put<std::uint32_t>(out, version);
  put<std::uint32_t>(out, 0);
  put<std::uint64_t>(out, header.first);
  put<std::uint32_t>(out, static_cast<std::uint32_t>(header.log.size()));
  out += header.log;
  put<std::uint32_t>(out, static_cast<std::uint32_t>(header.open_intents.size()));
  for (const auto& intent : header.open_intents) {
    put<std::uint64_t>(out, intent.index);
    put<std::uint32_t>(out, static_cast<std::uint32_t>(intent.leaf.size()));
    out += intent.leaf;
  }
  const auto bytes = static_cast<std::uint32_t>((out.size() + 4 + padding - 1) / padding * padding);
  std::memcpy(out.data() + magic.size() + 4, &bytes, sizeof bytes);
  put<std::uint32_t>(out, crc32c(out));
  out.resize(bytes, '\0');
  return out;
}

Result<SegmentHeader> decode_header(std::string_view bytes) {
  if (bytes.size() < fixed_header || !bytes.starts_with(magic))
    return fail(Code::io_error, "it does not begin like a journal segment");
  Fields fields(bytes.substr(magic.size()));
  const auto written_by = fields.integer<std::uint32_t>();
  SegmentHeader header;
  header.bytes = fields.integer<std::uint32_t>();
  header.first = fields.integer<std::uint64_t>();
  header.log = fields.text();
  const auto intents = fields.integer<std::uint32_t>();
  for (std::uint32_t i = 0; i < intents && fields.whole(); ++i) {
    PlacedLeaf intent{fields.integer<std::uint64_t>(), {}};
    intent.leaf = fields.text();
    header.open_intents.push_back(std::move(intent));
  }
  const auto covered = bytes.substr(0, magic.size() + fields.position());
  const auto crc = fields.integer<std::uint32_t>();
  if (!fields.whole() || crc != crc32c(covered)) return fail(Code::io_error, "its header is damaged (checksum)");
  if (written_by != version)
    return fail(Code::io_error, "it is of version " + std::to_string(written_by) +
                                    ", this program writes version 1: use the program that wrote it");
  if (header.bytes < covered.size() + sizeof crc) return fail(Code::io_error, "its header is damaged (size)");
  return header;
}

std::string segment_name(std::uint64_t first) {
  const auto digits = std::to_string(first);
  return std::string(name_digits - digits.size(), '0') + digits + std::string(name_suffix);
}

std::optional<std::uint64_t> first_of_name(std::string_view name) {
  if (name.size() != name_digits + name_suffix.size() || !name.ends_with(name_suffix)) return std::nullopt;
  std::uint64_t first = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name_digits, first);
  if (error != std::errc() || end != name.data() + name_digits) return std::nullopt;
  return first;
}

void seal_record(char* record, std::size_t size, std::uint64_t index, BatchPlace place) {
  const auto length = static_cast<std::uint32_t>(size) | (place == BatchPlace::first ? batch_bit : 0);
  const auto crc = record_crc(index, length, {record + record_overhead, size});
  std::memcpy(record, &length, sizeof length);
  std::memcpy(record + 4, &crc, sizeof crc);
}

std::optional<std::string_view> record_at(std::string_view segment, std::size_t offset, std::uint64_t index) {
  if (offset > segment.size() || segment.size() - offset < record_overhead) return std::nullopt;
  const auto length = get<std::uint32_t>(segment.data() + offset);
  const std::size_t size = length & ~batch_bit;
  if (size == 0 || size > leaf_max_bytes || segment.size() - offset - record_overhead < size) return std::nullopt;
  const auto payload = segment.substr(offset + record_overhead, size);
  if (get<std::uint32_t>(segment.data() + offset + 4) != record_crc(index, length, payload)) return std::nullopt;
  return payload;
}

BatchPlace place_in_batch(std::string_view segment, std::size_t offset) {
  return (get<std::uint32_t>(segment.data() + offset) & batch_bit) != 0 ? BatchPlace::first : BatchPlace::later;
}

std::optional<std::size_t> find_batch(std::string_view segment, std::size_t offset) {
  for (auto at = offset; at + record_overhead < segment.size(); ++at) {
    // Of a record that begins a batch the first three bytes at most are zero: five of eight zeros may be skipped.
    while (at + 16 <= segment.size() && get<std::uint64_t>(segment.data() + at) == 0) at += 5;
    if (at + record_overhead >= segment.size()) break;
    const auto length = get<std::uint32_t>(segment.data() + at);
    if ((length & batch_bit) == 0 || (length & ~batch_bit) > leaf_max_bytes || segment[at + record_overhead] != '{')
      continue;
    const auto index = stated_index(segment.substr(at + record_overhead, length & ~batch_bit));
    if (index && record_at(segment, at, *index)) return at;
  }
  return std::nullopt;
}

}  // namespace fedgate::audit
