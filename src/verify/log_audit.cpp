// SPDX-License-Identifier: Apache-2.0
#include "verify/log_audit.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/hash.h"
#include "base/time_text.h"

namespace fedgate::verify {
namespace {

constexpr std::size_t contradictions_at_most = 10'000;

std::string leaf_text(std::uint64_t index) { return "leaf " + std::to_string(index); }

/// What the column has to be.
std::string expected(const Record& record, const Column& column) {
  if (column.type == Column::Type::time) return std::to_string(record.time.time_since_epoch().count());
  const auto* member = record.member(column.member);
  if (column.type == Column::Type::number)
    return member != nullptr && member->kind == json::Kind::number ? std::string(member->raw) : "0";
  return member != nullptr && member->kind == json::Kind::string ? std::string(member->text) : "";
}

}  // namespace

std::optional<std::string> previous_generation(std::string_view log) {
  const auto slash = log.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(log.data() + slash + 1, log.data() + log.size(), number);
  if (error != std::errc() || end != log.data() + log.size() || number < 2) return std::nullopt;
  return std::string(log.substr(0, slash + 1)) + std::to_string(number - 1);
}

bool begins_generation(const Record& record) {
  return record.index == 0 && record.phase == "event" && record.action == "audit_new_log";
}

LogAudit::LogAudit(std::string log, std::string source, const Evidence& evidence)
    : evidence_(evidence),
      heads_(findings_, log, evidence.heads, evidence.trusted, evidence.claimed),
      order_(findings_),
      calls_(findings_, log),
      views_(evidence.views),
      mentions_(evidence.mentions) {
  std::ranges::sort(views_, {}, &ForeignView::index);
  std::ranges::sort(mentions_, {}, [](const MentionedView& mention) { return mention.head.size; });
  report_.log = std::move(log);
  report_.source = std::move(source);
  report_.keys_given = !evidence.trusted.empty();
}

void LogAudit::add(Entry entry) {
  Slot& slot = slots_[added_ % 2];
  slot = {.entry = std::move(entry), .record = {}, .problem = {}, .place = {}};
  slot.place.key = slot.entry.key;
  slot.place.pruned = slot.entry.leaf.empty();
  if (!slot.place.pruned) {
    auto record = readers_[added_ % 2].read(slot.entry.leaf);
    if (record) {
      slot.place.stated = record->index;
      slot.record = std::move(*record);
    } else {
      slot.problem = record.error().detail;
    }
  }
  if (added_ > 0) settle(slots_[(added_ - 1) % 2], &slot);
  ++added_;
}

void LogAudit::settle(Slot& slot, const Slot* next) {
  const auto index = order_.place(slot.place, next == nullptr ? nullptr : &next->place);
  if (!index) return;
  ++report_.leaves;
  if (slot.place.pruned) {
    ++report_.pruned;
    calls_.forget_beginning();
  } else if (!slot.record) {
    findings_.add({Grade::broken, Kind::leaf_damaged, *index, *index,
                   leaf_text(*index) + " is not a leaf that a gateway writes: " + slot.problem});
  } else {
    check_record(slot, *index);
  }
  const auto hash = slot.place.pruned ? slot.entry.pruned : hash_of_leaf(slot.entry.leaf);
  check_views(*index, hash);
  integrate(*index, hash);
}

void LogAudit::check_record(const Slot& slot, std::uint64_t index) {
  const auto& record = *slot.record;
  if (record.log != report_.log) {
    findings_.add({Grade::broken, Kind::leaf_misfiled, index, index,
                   leaf_text(index) + " says that it belongs to another log, " + std::string(record.log)});
    return;
  }
  report_.oldest = std::min(report_.oldest.value_or(record.time), record.time);
  report_.newest = std::max(report_.newest.value_or(record.time), record.time);
  if (index > 0 && added_ == 1) calls_.forget_beginning();
  if (record.index == index) calls_.add(record);  // what stands elsewhere is named already
  if (const auto seen = heads_.seen_at(index); seen && record.time > *seen + Calls::tolerance)
    findings_.add(
        {Grade::irregular, Kind::time_impossible, index, index,
         leaf_text(index) + " says " + utc_text(record.time) + ", but a witness had it by " + utc_text(*seen)});
  if (index == 0) check_generation(record);
  if (constexpr std::string_view names = "next key: ";
      record.phase == "event" && record.action == "audit_rotate_key" && record.reason.starts_with(names))
    heads_.rotated(index, record.reason.substr(names.size()));
  check_columns(slot, index);
}

// The first leaf of a generation is the only link to the one before.
void LogAudit::check_generation(const Record& record) {
  const auto before = previous_generation(report_.log);
  if (!before) return;
  if (!begins_generation(record)) {
    findings_.add({Grade::irregular, Kind::generation_broken, 0, 0,
                   "leaf 0 does not say how the generation before, " + *before + ", ended, and why"});
  } else if (record.counterparty && record.counterparty->log != *before) {
    findings_.add({Grade::irregular, Kind::generation_broken, 0, 0,
                   "leaf 0 continues " + record.counterparty->log + ", not " + *before});
  }
}

void LogAudit::check_columns(const Slot& slot, std::uint64_t index) {
  for (const auto& column : slot.entry.columns) {
    const auto wanted = expected(*slot.record, column);
    if (wanted == column.value) continue;
    findings_.add({Grade::broken, Kind::column_differs, index, index,
                   leaf_text(index) + ": the database's column " + std::string(column.name) +
                       " was changed; it says \"" + column.value + "\", the leaf says \"" + wanted + "\""});
  }
}

void LogAudit::check_views(std::uint64_t index, const Sha256& hash) {
  for (; next_view_ < views_.size() && views_[next_view_].index <= index; ++next_view_) {
    const auto& view = views_[next_view_];
    if (view.index == index && view.hash != hash && contradicted_.size() < contradictions_at_most)
      contradicted_.push_back(view);
  }
}

void LogAudit::integrate(std::uint64_t index, const Sha256& hash) {
  tree_whole_ = tree_whole_ && index <= tree_.size();
  if (!tree_whole_ || index < tree_.size()) return;  // one that stands here twice is integrated once
  if (tree_.size() == 0) compare_heads();
  tree_.add(hash);
  compare_heads();
}

void LogAudit::compare_heads() {
  const auto size = tree_.size();
  const bool mentioned = next_mention_ < mentions_.size() && mentions_[next_mention_].head.size == size;
  if (heads_.next_size() != size && !mentioned) return;
  const TreeHead head{size, tree_.root()};
  heads_.compare(head);
  for (; next_mention_ < mentions_.size() && mentions_[next_mention_].head.size == size; ++next_mention_) {
    const auto& mention = mentions_[next_mention_];
    if (mention.head.root == head.root) {
      if (!contradicted_mention_) mentioned_ = size;
    } else if (!contradicted_mention_) {
      contradicted_mention_ = mention;
    }
  }
}

// Whose word counts: what a trusted key has signed is right, and then the other record is wrong; else it is the one
// trace of what stood here.
void LogAudit::finish_views(Report& report) {
  const auto proven = std::max(report.witnessed, report.signed_by_log);
  for (const auto& view : contradicted_) {
    const auto teller = "leaf " + std::to_string(view.told_in_leaf) + " of " + evidence_.tellers.at(view.told_by);
    if (view.index < proven) {
      findings_.add({Grade::irregular, Kind::reference_contradicted, view.index, view.index,
                     teller + " states another hash for leaf " + std::to_string(view.index) +
                         "; the leaf here is proven by a head you trust, so that record is wrong"});
    } else {
      findings_.add({Grade::broken, Kind::leaf_differs, view.index, view.index,
                     leaf_text(view.index) + " was changed: it is not the one that " + teller + " saw"});
    }
  }
  finish_mentions(proven);
  const auto size = order_.size();
  const auto beyond = std::ranges::lower_bound(views_, size, {}, &ForeignView::index);
  if (beyond == views_.end()) return;
  findings_.add({Grade::broken, Kind::truncated, size, views_.back().index,
                 "leaves " + std::to_string(size) + " to " + std::to_string(views_.back().index) +
                     " are not here, but leaf " + std::to_string(views_.back().told_in_leaf) + " of " +
                     evidence_.tellers.at(views_.back().told_by) + " saw the last of them"});
}

void LogAudit::finish_mentions(std::uint64_t proven) {
  const auto size = order_.size();
  const auto teller = [&](const MentionedView& mention) {
    return "leaf " + std::to_string(mention.told_in_leaf) + " of " + evidence_.tellers.at(mention.told_by) +
           " mentions the head of size " + std::to_string(mention.head.size);
  };
  if (contradicted_mention_ && contradicted_mention_->head.size <= proven) {
    findings_.add({Grade::irregular, Kind::reference_contradicted, 0, contradicted_mention_->head.size - 1,
                   teller(*contradicted_mention_) + " with another root than the one you trust"});
  } else if (contradicted_mention_) {
    const auto end = contradicted_mention_->head.size;
    findings_.add({Grade::broken, Kind::range_altered, std::min(mentioned_, end), end == 0 ? 0 : end - 1,
                   teller(*contradicted_mention_) + ", and the leaves here do not lead to it; they do up to size " +
                       std::to_string(mentioned_)});
  }
  if (mentions_.empty() || mentions_.back().head.size <= size) return;
  findings_.add({Grade::broken, Kind::truncated, size, mentions_.back().head.size - 1,
                 "leaves " + std::to_string(size) + " to " + std::to_string(mentions_.back().head.size - 1) +
                     " are not here: " + teller(mentions_.back())});
}

Report LogAudit::finish() {
  if (added_ > 0) settle(slots_[(added_ - 1) % 2], nullptr);
  if (tree_whole_ && tree_.size() == 0) compare_heads();
  order_.finish();
  report_.open_intents = calls_.finish();
  if (tree_whole_) report_.head = {tree_.size(), tree_.root()};
  heads_.finish(order_.size(), report_);
  finish_views(report_);
  findings_.into(report_);
  return std::move(report_);
}

}  // namespace fedgate::verify
