// SPDX-License-Identifier: Apache-2.0
#include "audit/segment_files.h"

#include <algorithm>
#include <utility>

namespace fedgate::audit {
namespace {

// Earlier segments are read through at start only up to this; beyond it damage is found when they are read.
constexpr std::uint64_t verified_at_start = 128ULL << 20;
constexpr std::uint64_t smallest_segment = 4096;

bool all_zero(std::string_view bytes) { return bytes.find_first_not_of('\0') == std::string_view::npos; }

std::unexpected<Error> damaged(const std::string& path, const std::string& how) {
  return fail(
      Code::io_error,
      path + ": " + how +
          ". Records that were on stable storage are damaged and nothing was changed; keep a copy, check the disk, "
          "restore the directory from a backup, or begin a new log in another directory");
}

Result<std::string> read_whole(Disk& disk, const std::string& path) {
  auto file = disk.open(path);
  if (!file) return fail(file.error());
  const auto size = (*file)->size();
  if (!size) return fail(size.error());
  return (*file)->read_at(0, *size);
}

}  // namespace

Result<std::size_t> verify_records(std::string_view segment, std::size_t offset, std::uint64_t first,
                                   std::uint64_t end) {
  for (auto index = first; index < end; ++index) {
    const auto payload = record_at(segment, offset, index);
    if (!payload)
      return fail(Code::io_error, "record " + std::to_string(index) + " at offset " + std::to_string(offset) +
                                      " is damaged or missing");
    offset += record_overhead + payload->size();
  }
  return offset;
}

std::string SegmentFiles::path(std::uint64_t first) const { return options_->directory + "/" + segment_name(first); }

std::uint64_t SegmentFiles::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& segment : segments_) sum += segment.bytes;
  return sum;
}

Result<SegmentFiles> SegmentFiles::open(Disk& disk, const JournalOptions& options, OpenIntents& intents,
                                        const log::Logger& log) {
  const auto names = disk.list(options.directory);
  if (!names) return fail(names.error());
  std::vector<std::uint64_t> firsts;
  for (const auto& name : *names) {
    if (const auto first = first_of_name(name)) firsts.push_back(*first);
  }
  SegmentFiles files(disk, options, log);
  if (auto loaded = files.load(firsts, intents); !loaded) return fail(loaded.error());
  if (files.segments_.empty()) {
    if (auto created = files.roll(intents, [] { return std::uint64_t{0}; }, 0); !created) return fail(created.error());
  }
  if (auto verified = files.verify_earlier(); !verified) return fail(verified.error());
  return files;
}

Result<void> SegmentFiles::load(const std::vector<std::uint64_t>& firsts, OpenIntents& intents) {
  for (const auto first : firsts) {
    auto file = disk_->open(path(first));
    if (!file) return fail(file.error());
    const auto size = (*file)->size();
    if (!size) return fail(size.error());
    segments_.push_back({first, *size});
  }
  while (!segments_.empty()) {
    const auto loaded = load_last(segments_.back().first, segments_.size() == 1, intents);
    if (!loaded) return fail(loaded.error());
    if (*loaded) return {};
    segments_.pop_back();
  }
  return {};
}

// False: a crash interrupted its creation, so it never held a record, and it is gone now.
Result<bool> SegmentFiles::load_last(std::uint64_t first, bool only, OpenIntents& intents) {
  const auto where = path(first);
  auto file = disk_->open(where);
  if (!file) return fail(file.error());
  const auto bytes = (*file)->read_at(0, segments_.back().bytes);
  if (!bytes) return fail(bytes.error());
  auto header = decode_header(*bytes);
  if (!header) {
    if (const auto batch = find_batch(*bytes, 0))
      return damaged(where, header.error().detail + ", but records stand at offset " + std::to_string(*batch));
    if (only && first != 0) return damaged(where, header.error().detail + ", and no segment stands before it");
    if (auto removed = disk_->remove(where); !removed) return fail(removed.error());
    if (auto synced = disk_->sync_directory(options_->directory); !synced) return fail(synced.error());
    log_->warning("a journal segment whose creation was interrupted was removed", {{"file", where}});
    return false;
  }
  if (header->log != options_->log_name)
    return fail(Code::invalid_configuration,
                where + " belongs to the log " + header->log + ", not to " + options_->log_name +
                    ": give each log a directory of its own, or set node.id and node.replica back");
  if (header->first != first)
    return damaged(where, "its header says that it begins at index " + std::to_string(header->first));

  file_ = std::move(*file);
  records_begin_ = offset_ = header->bytes;
  next_ = first;
  for (const auto& intent : header->open_intents) {
    if (auto replayed = intents.replay(intent.index, intent.leaf); !replayed) return fail(replayed.error().in(where));
  }
  std::uint64_t last_batch = 0;
  while (const auto payload = record_at(*bytes, offset_, next_)) {
    if (place_in_batch(*bytes, offset_) == BatchPlace::first) last_batch = offset_;
    if (auto replayed = intents.replay(next_, *payload); !replayed) return fail(replayed.error().in(where));
    offset_ += record_overhead + payload->size();
    ++next_;
  }
  const std::string_view good = std::string_view(*bytes).substr(0, offset_);
  if (auto done = cut(*bytes); !done) return fail(done.error());
  if (auto done = settle(good.substr(last_batch), last_batch); !done) return fail(done.error());
  return true;
}

// Leaves nothing but zeros behind the last good record.
Result<void> SegmentFiles::cut(std::string_view bytes) {
  const std::uint64_t capacity = std::max<std::uint64_t>(bytes.size(), options_->segment_bytes);
  const auto where = path(segments_.back().first);
  const auto rest = bytes.substr(std::min<std::size_t>(offset_, bytes.size()));
  const bool clean = all_zero(rest);
  if (clean && bytes.size() == capacity) return {};
  if (!clean) {
    if (const auto batch = find_batch(bytes, offset_))
      return damaged(where, "record " + std::to_string(next_) + " at offset " + std::to_string(offset_) +
                                " is damaged, while records that were written later stand at offset " +
                                std::to_string(*batch));
    log_->warning("the journal's torn tail was cut", {{"file", where}, {"offset", offset_}, {"next_index", next_}});
    if (auto cleared = file_->truncate(offset_); !cleared) return cleared;
    segments_.back().bytes = offset_;
  }
  if (auto grown = file_->allocate(capacity); grown) {
    segments_.back().bytes = capacity;
  } else {
    // A full disk need not keep the daemon from starting: what fits is used, then appends fail until there is space.
    log_->warning("no space for the journal's last segment", {{"file", where}, {"problem", grown.error().detail}});
  }
  return {};
}

Result<void> SegmentFiles::settle(std::string_view last_batch, std::uint64_t offset) {
  if (auto written = file_->write_at(offset, last_batch); !written) return written;
  if (auto synced = file_->sync(); !synced) return synced;
  return disk_->sync_directory(options_->directory);
}

Result<void> SegmentFiles::verify_earlier() const {
  std::uint64_t read = segments_.back().bytes;
  for (std::size_t i = segments_.size() - 1; i-- > 0;) {
    read += segments_[i].bytes;
    if (read > verified_at_start) return {};
    const auto where = path(segments_[i].first);
    const auto bytes = read_whole(*disk_, where);
    if (!bytes) return fail(bytes.error());
    const auto header = decode_header(*bytes);
    if (!header) return damaged(where, header.error().detail);
    const auto verified = verify_records(*bytes, header->bytes, segments_[i].first, segments_[i + 1].first);
    if (!verified) return damaged(where, verified.error().detail);
  }
  return {};
}

Result<void> SegmentFiles::append(std::string_view records, std::uint64_t count, const OpenIntents& intents,
                                  const Removable& removable) {
  full_ = false;
  if (offset_ + records.size() > segments_.back().bytes) {
    if (auto rolled = roll(intents, removable, records.size()); !rolled) return rolled;
  }
  if (auto written = file_->write_at(offset_, records); !written) {
    damage_ = Damage::torn_write;
    return written;
  }
  if (auto synced = file_->sync(); !synced) {
    damage_ = Damage::failed_sync;
    return synced;
  }
  offset_ += records.size();
  next_ += count;
  return {};
}

Result<void> SegmentFiles::repair(const OpenIntents& intents, const Removable& removable) {
  full_ = false;
  if (damage_ == Damage::torn_write) {
    if (auto cleared = file_->truncate(offset_); !cleared) return cleared;
    if (auto grown = file_->allocate(segments_.back().bytes); !grown) return grown;
    if (auto synced = file_->sync(); !synced) {
      damage_ = Damage::failed_sync;
      return synced;
    }
    damage_ = Damage::none;
  }
  if (damage_ == Damage::failed_sync) {
    if (auto verified = verify_current(); !verified) return verified;
    if (auto cleared = file_->truncate(offset_); cleared) {
      segments_.back().bytes = offset_;
      // Tidiness, not safety: the next segment's name already ends this one.
      if (auto synced = file_->sync(); !synced)
        log_->warning("an abandoned journal segment could not be synced", {{"problem", synced.error().detail}});
    }
    damage_ = Damage::no_segment;
  }
  if (damage_ == Damage::no_segment) return roll(intents, removable, 0);
  return {};
}

Result<void> SegmentFiles::verify_current() {
  const auto where = path(segments_.back().first);
  const auto bytes = read_whole(*disk_, where);
  if (!bytes) return fail(bytes.error());
  const auto verified = verify_records(*bytes, records_begin_, segments_.back().first, next_);
  if (!verified) return damaged(where, verified.error().detail);
  return {};
}

Result<void> SegmentFiles::roll(const OpenIntents& intents, const Removable& removable, std::uint64_t record_bytes) {
  damage_ = Damage::no_segment;
  if (auto dropped = drop_segment_without_records(); !dropped) return dropped;
  SegmentHeader header{options_->log_name, next_, intents.list()};
  const auto header_bytes = encode_header(header).size();
  const auto size = std::max({options_->segment_bytes, smallest_segment, header_bytes + record_bytes});
  if (auto room = make_room(size, removable); !room) return room;
  if (auto created = create(header, size); !created) {
    file_.reset();
    leftover_ = path(next_);
    return created;
  }
  damage_ = Damage::none;
  return {};
}

// One that failed before it held a record has the name of the one that is to replace it.
Result<void> SegmentFiles::drop_segment_without_records() {
  if (!segments_.empty() && segments_.back().first == next_) {
    file_.reset();
    leftover_ = path(next_);
    segments_.pop_back();
  }
  if (!leftover_) return {};
  if (auto removed = disk_->remove(*leftover_); !removed && removed.error().code != Code::not_found) return removed;
  if (auto synced = disk_->sync_directory(options_->directory); !synced) return synced;
  leftover_.reset();
  return {};
}

Result<void> SegmentFiles::create(const SegmentHeader& header, std::uint64_t size) {
  const auto where = path(header.first);
  auto file = disk_->create(where);
  if (!file) return fail(file.error());
  const auto encoded = encode_header(header);
  if (auto grown = (*file)->allocate(size); !grown) return grown;
  if (auto written = (*file)->write_at(0, encoded); !written) return written;
  if (auto synced = (*file)->sync(); !synced) return synced;
  if (auto synced = disk_->sync_directory(options_->directory); !synced) return synced;
  file_ = std::move(*file);
  records_begin_ = offset_ = encoded.size();
  segments_.push_back({header.first, size});
  return {};
}

Result<void> SegmentFiles::make_room(std::uint64_t size, const Removable& removable) {
  while (bytes() + size > options_->max_bytes) {
    // The last one stays whatever happens: it says where the log stands.
    if (segments_.size() < 2 || segments_[1].first > removable()) {
      full_ = true;
      return fail(Code::audit_unavailable,
                  "the journal has reached audit.journal_max (" + std::to_string(options_->max_bytes) + " bytes)");
    }
    const auto oldest = segments_.front().first;
    if (auto removed = disk_->remove(path(oldest)); !removed && removed.error().code != Code::not_found) return removed;
    segments_.erase(segments_.begin());
    // Each removal is durable before the next, so that a crash cannot leave a gap.
    if (auto synced = disk_->sync_directory(options_->directory); !synced) return synced;
  }
  return {};
}

}  // namespace fedgate::audit
