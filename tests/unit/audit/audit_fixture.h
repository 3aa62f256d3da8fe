// SPDX-License-Identifier: Apache-2.0
//
// Events and journals for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "audit/journal.h"
#include "base/log.h"
#include "base/metrics.h"
#include "support/eventually.h"
#include "support/fake_clock.h"
#include "support/fake_entropy.h"
#include "support/power_cut_disk.h"
#include "support/temp_directory.h"

namespace fedgate::audit {

inline constexpr std::chrono::seconds patience{20};
inline constexpr const char* some_log = "orga.example/fedgate/log/a/1";

/// A call's event with everything in it; `reason` carries the number, so that a leaf can be told from another.
inline AuditEvent event_number(std::uint64_t number, Phase phase = Phase::outcome) {
  AuditEvent event;
  event.type = EventType::cross_org_request;
  event.phase = phase;
  event.time = WallTime(std::chrono::microseconds(1'795'442'400'123'456));
  std::array<std::uint8_t, 10> random{};
  for (std::size_t i = 0; i < 8; ++i) random[9 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  event.correlation_id = CorrelationId::make(event.time, random);
  event.attempt = 1;
  event.origin = "orga.example";
  event.target = "orgb.example";
  event.principal = "alice@orga.example";
  event.credential_id = "alice-laptop";
  event.resource = "inventory";
  event.resource_protocol = "http";
  event.capability = "lookup";
  event.action = "invoke";
  event.access = Access::read;
  event.decision = Decision{Verdict::allow, "our-devs-out", ""};
  if (phase == Phase::outcome) event.effect = Effect::succeeded;
  event.reason = "number " + std::to_string(number) + ".";
  event.request_bytes = 120;
  event.response_bytes = 4096;
  event.duration = std::chrono::microseconds(1234);
  event.call_hash = std::string(64, 'c');
  return event;
}

/// Appends and waits for the answer.
inline Result<LeafReference> append_and_wait(Journal& journal, const AuditEvent& event) {
  auto answer = std::make_shared<std::promise<Result<LeafReference>>>();
  auto future = answer->get_future();
  journal.append(event, [answer](Result<LeafReference> result) { answer->set_value(std::move(result)); });
  if (future.wait_for(patience) != std::future_status::ready) return fail(Code::deadline_exceeded, "no answer");
  return future.get();
}

/// Answers that come on the writer's thread.
class Answers {
 public:
  std::function<void(Result<LeafReference>)> slot() {
    return [this](Result<LeafReference> result) {
      const std::lock_guard lock(mutex_);
      results_.push_back(std::move(result));
      changed_.notify_all();
    };
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return results_.size() >= count; });
  }
  std::vector<Result<LeafReference>> results() {
    const std::lock_guard lock(mutex_);
    return results_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Result<LeafReference>> results_;
};

using test::eventually;

/// What a journal needs beside a disk.
struct Surroundings {
  test::FakeClock clock;
  test::FakeEntropy entropy;
  Metrics metrics;

  Result<std::unique_ptr<Journal>> open(Disk& disk, const JournalOptions& options) {
    return Journal::open(disk, options, clock, entropy, log::silent(), metrics);
  }
};

inline JournalOptions small_journal() {
  JournalOptions options;
  options.directory = "/journal";
  options.log_name = some_log;
  options.segment_bytes = 8192;
  options.probe = std::chrono::milliseconds(5);
  return options;
}

inline std::vector<std::string> read_all(Journal& journal) {
  std::vector<std::string> all;
  auto from = journal.state().first;
  for (;;) {
    auto leaves = journal.read(from, 7, 100'000);
    if (!leaves) throw std::runtime_error(leaves.error().detail);
    if (leaves->empty()) return all;
    from += leaves->size();
    std::ranges::move(*leaves, std::back_inserter(all));
  }
}

/// A small journal on a disk in memory.
class JournalTest : public testing::Test {
 protected:
  std::unique_ptr<Journal> opened(const JournalOptions& options = small_journal()) {
    auto journal = here_.open(disk_, options);
    if (!journal) throw std::runtime_error(journal.error().detail);
    return std::move(*journal);
  }
  static LeafReference appended(Journal& journal, const AuditEvent& event) {
    auto answer = append_and_wait(journal, event);
    if (!answer) throw std::runtime_error(answer.error().detail);
    return *answer;
  }
  std::vector<std::string> segments() {
    auto names = disk_.list("/journal");
    if (!names) throw std::runtime_error(names.error().detail);
    std::vector<std::string> paths;
    for (const auto& name : *names) paths.push_back("/journal/" + name);
    return paths;
  }

  test::PowerCutDisk disk_;
  Surroundings here_;
};

}  // namespace fedgate::audit
