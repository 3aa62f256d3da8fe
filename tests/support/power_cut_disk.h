// SPDX-License-Identifier: Apache-2.0
//
// A disk in memory that can lose its power. It keeps for each file what was synced and what was written since; at a
// cut it drops, as its seed chooses, any sectors of unsynced writes, unsynced truncations and growth, and unsynced
// directory entries. It can also be full, fail, or stand still. A failed sync is the kernel's: reads still show
// the pages, but only a random part of them is on the disk and no later sync brings the rest there. Safe from any
// thread; files that are open keep the disk's memory alive.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/disk.h"

namespace fedgate::test {

class PowerCutDisk final : public audit::Disk {
 public:
  static constexpr std::size_t sector = 512;

  explicit PowerCutDisk(std::uint64_t seed = 1) : device_(std::make_shared<Device>()) { device_->chance.seed(seed); }

  // What a test does to it.

  /// Operations that change something (write, sync, allocate, truncate, create, remove, directory sync) so far.
  [[nodiscard]] std::uint64_t operations() const {
    const std::lock_guard lock(device_->mutex);
    return device_->operations;
  }
  [[nodiscard]] std::uint64_t syncs() const {
    const std::lock_guard lock(device_->mutex);
    return device_->syncs;
  }
  /// That operation and all after it fail; by chance it still took effect, without anybody hearing of it.
  void cut_power_at(std::uint64_t operation) {
    const std::lock_guard lock(device_->mutex);
    device_->cut_at = operation;
  }
  [[nodiscard]] bool power_is_off() const {
    const std::lock_guard lock(device_->mutex);
    return device_->off();
  }
  /// The disk as it is found after the cut. This one stays as it is, so that one run can be cut in many ways.
  [[nodiscard]] std::unique_ptr<PowerCutDisk> after_power_cut(std::uint64_t seed) const {
    const std::lock_guard lock(device_->mutex);
    auto found = std::make_unique<PowerCutDisk>(seed);
    found->device_->directories = device_->directories;
    auto entries = device_->durable_entries;
    for (const auto& change : device_->entry_changes) {
      if (found->device_->heads()) change.apply(entries);
    }
    for (const auto& [path, file] : entries) {
      auto copy = std::make_shared<File>();
      copy->durable = file->durable;
      found->device_->drop_some(copy->durable, file->unsynced);
      copy->current = copy->durable;
      found->device_->entries[path] = found->device_->durable_entries[path] = std::move(copy);
    }
    return found;
  }
  /// Bytes that all files may have together.
  void set_space(std::uint64_t bytes) {
    const std::lock_guard lock(device_->mutex);
    device_->space = bytes;
  }
  void fail_next_syncs(int count) {
    const std::lock_guard lock(device_->mutex);
    device_->syncs_to_fail = count;
  }
  /// The next writes leave a part of their bytes behind and fail.
  void fail_next_writes(int count) {
    const std::lock_guard lock(device_->mutex);
    device_->writes_to_fail = count;
  }
  /// File syncs wait until release_syncs().
  void hold_syncs() {
    const std::lock_guard lock(device_->mutex);
    device_->held = true;
  }
  void release_syncs() {
    const std::lock_guard lock(device_->mutex);
    device_->held = false;
    device_->released.notify_all();
  }
  /// What stands in a file; and to put something else there, synced.
  [[nodiscard]] std::string contents(const std::string& path) const {
    const std::lock_guard lock(device_->mutex);
    return device_->entries.at(path)->current;
  }
  void replace(const std::string& path, std::string contents) {
    const std::lock_guard lock(device_->mutex);
    auto& file = *device_->entries.at(path);
    file.unsynced.clear();
    file.durable = file.current = std::move(contents);
  }

  // Disk

  Result<void> make_directory(const std::string& path) override {
    const std::lock_guard lock(device_->mutex);
    if (device_->off()) return no_power();
    device_->directories.insert(path);
    return {};
  }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    const std::lock_guard lock(device_->mutex);
    if (device_->off()) return no_power();
    if (!device_->directories.contains(directory)) return fail(Code::not_found, directory + ": no such directory");
    std::vector<std::string> names;
    for (const auto& [path, file] : device_->entries) {
      if (parent(path) == directory) names.push_back(path.substr(directory.size() + 1));
    }
    return names;
  }
  Result<std::unique_ptr<audit::DiskFile>> create(const std::string& path) override {
    const std::lock_guard lock(device_->mutex);
    if (device_->entries.contains(path)) return fail(Code::io_error, path + " exists");
    return device_->operation<std::unique_ptr<audit::DiskFile>>([&]() -> Result<std::unique_ptr<audit::DiskFile>> {
      auto file = std::make_shared<File>();
      device_->change_entry({path, file});
      return std::make_unique<OpenFile>(device_, file);
    });
  }
  Result<std::unique_ptr<audit::DiskFile>> open(const std::string& path) override {
    const std::lock_guard lock(device_->mutex);
    if (device_->off()) return no_power();
    const auto found = device_->entries.find(path);
    if (found == device_->entries.end()) return fail(Code::not_found, path + ": no such file");
    return std::make_unique<OpenFile>(device_, found->second);
  }
  Result<void> remove(const std::string& path) override {
    const std::lock_guard lock(device_->mutex);
    if (!device_->entries.contains(path)) return fail(Code::not_found, path + ": no such file");
    return device_->operation<void>([&]() -> Result<void> {
      device_->change_entry({path, nullptr});
      return {};
    });
  }
  Result<void> sync_directory(const std::string& path) override {
    const std::lock_guard lock(device_->mutex);
    return device_->operation<void>([&]() -> Result<void> {
      std::vector<EntryChange> others;
      for (auto& change : device_->entry_changes) {
        if (parent(change.path) == path) {
          change.apply(device_->durable_entries);
        } else {
          others.push_back(std::move(change));
        }
      }
      device_->entry_changes = std::move(others);
      return {};
    });
  }
  Result<std::unique_ptr<audit::DiskFile>> lock(const std::string& path) override {
    const std::lock_guard lock(device_->mutex);
    if (device_->off()) return no_power();
    if (!device_->locks.insert(path).second) return fail(Code::conflict, path + " is locked");
    return std::make_unique<Lock>(device_, path);
  }

 private:
  struct Change {
    std::optional<std::uint64_t> resize;
    std::uint64_t offset = 0;
    std::string bytes;
    void apply(std::string& contents) const {
      if (resize) {
        contents.resize(*resize, '\0');
        return;
      }
      if (contents.size() < offset + bytes.size()) contents.resize(offset + bytes.size(), '\0');
      contents.replace(offset, bytes.size(), bytes);
    }
  };
  struct File {
    std::string durable;
    std::string current;
    std::vector<Change> unsynced;
  };
  using Entries = std::map<std::string, std::shared_ptr<File>>;
  struct EntryChange {
    std::string path;
    std::shared_ptr<File> file;  ///< null: removed
    void apply(Entries& entries) const {
      if (file) {
        entries[path] = file;
      } else {
        entries.erase(path);
      }
    }
  };

  struct Device {
    std::mutex mutex;
    std::condition_variable released;
    std::mt19937_64 chance;
    Entries entries, durable_entries;
    std::vector<EntryChange> entry_changes;
    std::set<std::string> directories, locks;
    std::uint64_t operations = 0, syncs = 0, space = UINT64_MAX;
    std::optional<std::uint64_t> cut_at;
    int syncs_to_fail = 0, writes_to_fail = 0;
    bool held = false;

    [[nodiscard]] bool off() const { return cut_at && operations > *cut_at; }
    bool heads() { return (chance() & 1) != 0; }
    void change_entry(const EntryChange& change) {
      change.apply(entries);
      entry_changes.push_back(change);
    }
    template <class T, class Act>
    Result<T> operation(Act act) {
      const auto number = operations++;
      if (cut_at && number >= *cut_at) {
        if (number == *cut_at && heads()) (void)act();
        return no_power();
      }
      return act();
    }
    Result<void> change(File& file, Change change) {
      auto after = file.current;
      change.apply(after);
      if (after.size() > file.current.size() && used() + after.size() - file.current.size() > space)
        return fail(Code::io_error, "no space left on device");
      file.current = std::move(after);
      file.unsynced.push_back(std::move(change));
      return {};
    }
    [[nodiscard]] std::uint64_t used() const {
      std::uint64_t sum = 0;
      for (const auto& [path, file] : entries) sum += file->current.size();
      return sum;
    }
    /// Some changes reach the contents: none, all, or any of their sectors.
    void drop_some(std::string& contents, const std::vector<Change>& changes) {
      const auto mode = chance() % 4;
      for (const auto& change : changes) {
        if (mode == 0) continue;
        if (mode == 1) change.apply(contents);
        if (mode > 1 && change.resize && heads()) change.apply(contents);
        if (mode > 1 && !change.resize) keep_sectors(contents, change);
      }
    }
    void keep_sectors(std::string& contents, const Change& change) {
      const auto end = change.offset + change.bytes.size();
      for (auto at = change.offset; at < end;) {
        const auto next = std::min<std::uint64_t>(end, (at / sector + 1) * sector);
        if (heads()) Change{std::nullopt, at, change.bytes.substr(at - change.offset, next - at)}.apply(contents);
        at = next;
      }
    }
  };

  class OpenFile final : public audit::DiskFile {
   public:
    OpenFile(std::shared_ptr<Device> device, std::shared_ptr<File> file)
        : device_(std::move(device)), file_(std::move(file)) {}
    Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
      const std::lock_guard lock(device_->mutex);
      return device_->operation<void>([&]() -> Result<void> {
        if (device_->writes_to_fail == 0) return device_->change(*file_, {std::nullopt, offset, std::string(bytes)});
        --device_->writes_to_fail;
        (void)device_->change(
            *file_, {std::nullopt, offset, std::string(bytes.substr(0, device_->chance() % (bytes.size() + 1)))});
        return fail(Code::io_error, "the disk refuses a write");
      });
    }
    Result<std::string> read_at(std::uint64_t offset, std::size_t size) override {
      const std::lock_guard lock(device_->mutex);
      if (device_->off()) return no_power();
      if (offset >= file_->current.size()) return std::string();
      return file_->current.substr(offset, size);
    }
    Result<void> sync() override {
      std::unique_lock lock(device_->mutex);
      device_->released.wait(lock, [this] { return !device_->held; });
      return device_->operation<void>([&]() -> Result<void> {
        ++device_->syncs;
        const bool failing = device_->syncs_to_fail > 0;
        if (failing) --device_->syncs_to_fail;
        if (failing) device_->drop_some(file_->durable, file_->unsynced);
        if (!failing) {
          for (const auto& change : file_->unsynced) change.apply(file_->durable);
        }
        file_->unsynced.clear();
        if (failing) return fail(Code::io_error, "the disk refuses a sync");
        return {};
      });
    }
    Result<void> allocate(std::uint64_t size) override {
      const std::lock_guard lock(device_->mutex);
      return device_->operation<void>([&]() -> Result<void> {
        if (size <= file_->current.size()) return {};
        return device_->change(*file_, {size, 0, {}});
      });
    }
    Result<void> truncate(std::uint64_t size) override {
      const std::lock_guard lock(device_->mutex);
      return device_->operation<void>([&] { return device_->change(*file_, {size, 0, {}}); });
    }
    Result<std::uint64_t> size() override {
      const std::lock_guard lock(device_->mutex);
      if (device_->off()) return no_power();
      return file_->current.size();
    }

   private:
    std::shared_ptr<Device> device_;
    std::shared_ptr<File> file_;
  };

  class Lock final : public audit::DiskFile {
   public:
    Lock(std::shared_ptr<Device> device, std::string path) : device_(std::move(device)), path_(std::move(path)) {}
    ~Lock() override {
      const std::lock_guard lock(device_->mutex);
      device_->locks.erase(path_);
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    Result<void> write_at(std::uint64_t, std::string_view) override { return no_power(); }
    Result<std::string> read_at(std::uint64_t, std::size_t) override { return no_power(); }
    Result<void> sync() override { return no_power(); }
    Result<void> allocate(std::uint64_t) override { return no_power(); }
    Result<void> truncate(std::uint64_t) override { return no_power(); }
    Result<std::uint64_t> size() override { return no_power(); }

   private:
    std::shared_ptr<Device> device_;
    std::string path_;
  };

  static std::unexpected<Error> no_power() { return fail(Code::io_error, "the power is off"); }
  static std::string parent(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

  std::shared_ptr<Device> device_;
};

}  // namespace fedgate::test
