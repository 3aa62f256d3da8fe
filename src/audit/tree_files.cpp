// SPDX-License-Identifier: Apache-2.0
#include "audit/tree_files.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "base/hash.h"

namespace fedgate::audit {
namespace {

constexpr std::string_view magic = "fedtree\n";
constexpr std::size_t slot_bytes = 512;
constexpr std::size_t slots = 2;
constexpr std::size_t hash_bytes = sizeof(Sha256);

static_assert(std::endian::native == std::endian::little, "the head's integers are copied as they stand");
static_assert(sizeof(std::array<Sha256, 2>) == 2 * hash_bytes, "hashes lie in files as in memory");

struct Slot {
  std::uint64_t sequence = 0;
  TreeHead head;
};

std::string encode(const Slot& slot) {
  std::string out(magic);
  const auto put = [&out](std::uint64_t value) {
    std::array<char, sizeof value> bytes;
    std::memcpy(bytes.data(), &value, sizeof value);
    out.append(bytes.data(), bytes.size());
  };
  put(slot.sequence);
  put(slot.head.size);
  out.append(reinterpret_cast<const char*>(slot.head.root.data()), hash_bytes);
  put(crc32c(out));
  out.resize(slot_bytes, '\0');
  return out;
}

std::optional<Slot> decode(std::string_view bytes) {
  if (bytes.size() < slot_bytes) return std::nullopt;
  Slot slot;
  std::size_t at = magic.size();
  const auto take = [&](void* to, std::size_t size) {
    std::memcpy(to, bytes.data() + at, size);
    at += size;
  };
  take(&slot.sequence, sizeof slot.sequence);
  take(&slot.head.size, sizeof slot.head.size);
  take(slot.head.root.data(), hash_bytes);
  if (encode(slot) != bytes.substr(0, slot_bytes)) return std::nullopt;
  return slot;
}

std::string level_name(unsigned level) { return "level-" + std::to_string(level); }

}  // namespace

Result<std::unique_ptr<TreeFiles>> TreeFiles::open(Disk& disk, const std::string& directory) {
  if (auto made = disk.make_directory(directory); !made) return fail(made.error());
  std::unique_ptr<TreeFiles> files(new TreeFiles(disk, directory));
  if (auto found = files->find_files(); !found) return fail(found.error());
  if (auto read = files->read_head(); !read) return fail(read.error());
  return files;
}

Result<void> TreeFiles::find_files() {
  const auto names = disk_.list(directory_);
  if (!names) return fail(names.error());
  const auto opened = [&](const std::string& name) -> Result<std::unique_ptr<DiskFile>> {
    if (std::ranges::find(*names, name) == names->end()) return std::unique_ptr<DiskFile>();
    return disk_.open(directory_ + "/" + name);
  };
  auto head = opened("head");
  if (!head) return fail(head.error());
  head_ = std::move(*head);
  for (unsigned level = 0; level < tree_levels; ++level) {
    auto file = opened(level_name(level));
    if (!file) return fail(file.error());
    levels_[level].file = std::move(*file);
    // Who knows whether the process that made these lived to sync the directory.
    new_files_ = new_files_ || levels_[level].file;
  }
  new_files_ = new_files_ || head_;
  return {};
}

Result<void> TreeFiles::read_head() {
  if (!head_) return {};
  const auto bytes = head_->read_at(0, slots * slot_bytes);
  if (!bytes) return fail(bytes.error());
  std::vector<Slot> found;
  for (std::size_t i = 0; i < slots && i * slot_bytes < bytes->size(); ++i) {
    if (auto slot = decode(std::string_view(*bytes).substr(i * slot_bytes))) found.push_back(*slot);
  }
  std::ranges::sort(found, std::greater(), &Slot::sequence);
  if (!found.empty()) sequence_ = found.front().sequence;
  for (const auto& slot : found) stated_.push_back(slot.head);
  return {};
}

Result<std::vector<Sha256>> TreeFiles::read(unsigned level, std::uint64_t first, std::uint64_t count) const {
  std::vector<Sha256> hashes;
  if (count == 0) return hashes;
  std::shared_ptr<DiskFile> file;
  {
    const std::lock_guard guard(mutex_);
    file = levels_[level].file;
  }
  const auto size = static_cast<std::size_t>(count) * hash_bytes;
  auto bytes = file ? file->read_at(first * hash_bytes, size) : Result<std::string>(std::string());
  if (!bytes) return fail(bytes.error());
  if (bytes->size() < size)
    return fail(Code::io_error, directory_ + "/" + level_name(level) + " ends before hash " +
                                    std::to_string(first + count) + ", which it should have");
  hashes.resize(static_cast<std::size_t>(count));
  std::memcpy(hashes.data(), bytes->data(), size);
  return hashes;
}

Result<std::shared_ptr<DiskFile>> TreeFiles::file_of(unsigned level) {
  if (levels_[level].file) return levels_[level].file;
  auto made = disk_.create(directory_ + "/" + level_name(level));
  if (!made) return fail(made.error());
  new_files_ = true;
  const std::lock_guard guard(mutex_);
  levels_[level].file = std::move(*made);
  return levels_[level].file;
}

Result<void> TreeFiles::write(unsigned level, std::uint64_t first, std::span<const Sha256> hashes) {
  if (hashes.empty()) return {};
  const auto file = file_of(level);
  if (!file) return fail(file.error());
  levels_[level].unsynced = true;
  return (*file)->write_at(first * hash_bytes,
                           {reinterpret_cast<const char*>(hashes.data()), hashes.size() * hash_bytes});
}

Result<void> TreeFiles::commit(const TreeHead& head) {
  if (!head_) {
    auto made = disk_.create(directory_ + "/head");
    if (!made) return fail(made.error());
    head_ = std::move(*made);
    new_files_ = true;
  }
  for (auto& level : levels_) {
    if (!level.unsynced) continue;
    if (auto synced = level.file->sync(); !synced) return synced;
  }
  if (new_files_) {
    if (auto synced = disk_.sync_directory(directory_); !synced) return synced;
    new_files_ = false;
  }
  // Until this is done, whatever becomes of it, the other slot must not be touched.
  const Slot slot{sequence_ + 1, head};
  if (auto written = head_->write_at(slot.sequence % slots * slot_bytes, encode(slot)); !written) return written;
  if (auto synced = head_->sync(); !synced) return synced;
  sequence_ = slot.sequence;
  for (auto& level : levels_) level.unsynced = false;
  return {};
}

}  // namespace fedgate::audit
