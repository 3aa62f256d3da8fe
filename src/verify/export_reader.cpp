// SPDX-License-Identifier: Apache-2.0
#include "verify/export_reader.h"

#include <array>
#include <filesystem>
#include <iterator>

#include "base/hash.h"

namespace fedgate::verify {
namespace {

constexpr std::size_t line_bytes_at_most = 4 * ((leaf_bytes_at_most + 2) / 3);

std::optional<Sha256> hash_from(std::string_view text) {
  if (text.starts_with(' ')) text.remove_prefix(1);
  if (auto hex = sha256_from_hex(text)) return *hex;
  const auto bytes = from_base64(text);
  Sha256 hash{};
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::ranges::copy(*bytes, hash.begin());
  return hash;
}

}  // namespace

Result<std::string> read_text(const std::string& path, std::size_t most) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::io_error, "cannot read " + path);
  std::string text(most + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return fail(Code::io_error, "cannot read " + path);
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > most) return fail(Code::bad_request, path + " is larger than " + std::to_string(most) + " bytes");
  return text;
}

Result<ExportReader> ExportReader::open(const std::string& directory) {
  ExportReader reader;
  reader.directory_ = directory;
  if (auto opened = reader.rewind(); !opened) return fail(opened.error());
  const auto optional_file = [&](const char* name, auto take) -> Result<void> {
    const auto path = directory + "/" + name;
    if (!std::filesystem::exists(path)) return {};
    const auto text = read_text(path, small_file_at_most);
    if (!text) return fail(text.error());
    auto values = take(*text);
    if (!values) return fail(values.error().in(path));
    return {};
  };
  const auto keys = [&](const std::string& text) -> Result<void> {
    auto read = read_keys(text);
    if (!read) return fail(read.error());
    reader.keys_ = std::move(*read);
    return {};
  };
  std::string file;
  const auto heads = [&](const std::string& text) -> Result<void> {
    auto read = read_heads(text);
    if (!read) return fail(read.error());
    for (auto& head : *read) reader.heads_.push_back({std::move(head), directory + "/" + file, {}});
    reader.log_ = reader.heads_.front().note.origin;
    return {};
  };
  if (auto read = optional_file("vkeys", keys); !read) return fail(read.error());
  for (const char* name : {"checkpoint", "witnessed"}) {
    file = name;
    if (auto read = optional_file(name, heads); !read) return fail(read.error());
  }
  Entry first;
  while (reader.log_.empty()) {
    const auto more = reader.next(first);
    if (!more) return fail(more.error());
    if (!*more) break;
    RecordReader records;
    if (const auto record = records.read(first.leaf); record) reader.log_ = record->log;
  }
  if (auto again = reader.rewind(); !again) return fail(again.error());
  return reader;
}

Result<void> ExportReader::rewind() {
  leaves_ = std::ifstream(directory_ + "/leaves", std::ios::binary);
  if (!leaves_) return fail(Code::io_error, "cannot read " + directory_ + "/leaves: is " + directory_ + " an export?");
  return {};
}

Result<bool> ExportReader::next(Entry& entry) {
  std::array<char, line_bytes_at_most + 8> line{};
  leaves_.getline(line.data(), static_cast<std::streamsize>(line.size()));
  if (leaves_.bad()) return fail(Code::io_error, "cannot read " + directory_ + "/leaves");
  if (leaves_.eof() && leaves_.gcount() == 0) return false;
  const bool too_long = leaves_.fail() && !leaves_.eof();
  if (too_long) {
    leaves_.clear();
    leaves_.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  std::string_view text(line.data());
  if (text.ends_with('\r')) text.remove_suffix(1);
  entry = {};
  if (text.starts_with('-')) {
    if (const auto hash = hash_from(text.substr(1))) {
      entry.pruned = *hash;
      return true;
    }
  }
  auto leaf = from_base64(text);
  // Not base64, too long or empty: as it stands, it is a leaf that does not hold.
  entry.leaf = leaf && !leaf->empty() && !too_long ? std::move(*leaf) : "?" + std::string(text.substr(0, 80));
  return true;
}

}  // namespace fedgate::verify
