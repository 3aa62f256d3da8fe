// SPDX-License-Identifier: Apache-2.0
//
// How many durable audit records a second, and what a record costs: coroutines on one thread, each appending the
// next event once the last is on stable storage, while another thread syncs the hash tree as signing does; and what
// shipping a leaf costs before the database sees it.
//   bench_journal_append DIRECTORY [callers=64] [seconds=5]
#include <sys/resource.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stop_token>
#include <thread>

#include "audit/journal.h"
#include "base/worker.h"

namespace {

using namespace fedgate;

std::chrono::duration<double> cpu_time() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return std::chrono::duration<double>(seconds(used.ru_utime) + seconds(used.ru_stime));
}

AuditEvent some_event() {
  AuditEvent event;
  event.type = EventType::cross_org_request;
  event.phase = Phase::outcome;
  event.time = system_clock().wall();
  std::array<std::uint8_t, 10> random{};
  system_entropy().fill(random);
  event.correlation_id = CorrelationId::make(event.time, random);
  event.attempt = 1;
  event.origin = "orga.example";
  event.target = "orgb.example";
  event.peer_key = std::string(64, 'a');
  event.principal = "alice@orga.example";
  event.credential_id = "alice-laptop";
  event.resource = "inventory";
  event.resource_protocol = "http";
  event.capability = "lookup";
  event.action = "invoke";
  event.access = Access::read;
  event.decision = Decision{Verdict::allow, "orgb-reads", ""};
  event.effect = Effect::succeeded;
  event.request_bytes = 310;
  event.response_bytes = 512;
  event.duration = std::chrono::microseconds(1234);
  event.upstream = std::chrono::microseconds(456);
  event.call_hash = std::string(64, 'c');
  event.counterparty = LeafReference{"orgb.example/fedgate/log/a/1", 123456, Sha256{}};
  return event;
}

Task<> caller(audit::Journal& journal, SteadyTime end, std::uint64_t& count) {
  const auto event = some_event();
  while (std::chrono::steady_clock::now() < end) {
    const auto answer = co_await journal.append(event);
    if (!answer) {
      std::fprintf(stderr, "%s\n", answer.error().detail.c_str());
      co_return;
    }
    ++count;
  }
}

// As the publisher does: every five seconds or ten thousand records, beside the callers.
void sign_like(audit::Journal& journal, std::stop_token stop) {
  while (!stop.stop_requested()) {
    journal.wait_beyond(journal.tree().synced() + 9'999, std::chrono::seconds(5), stop);
    if (const auto synced = journal.tree().sync(); !synced) {
      std::fprintf(stderr, "%s\n", synced.error().detail.c_str());
      std::abort();
    }
  }
}

void time_rows(audit::Journal& journal) {
  const auto leaves = journal.read(0, 20'000, 100'000'000);
  if (!leaves || leaves->empty()) return;
  const auto before = cpu_time();
  std::size_t bytes = 0;
  for (const auto& leaf : *leaves) bytes += audit::row_of(leaf)->leaf.size();
  const auto spent = cpu_time() - before;
  const auto count = static_cast<double>(leaves->size());
  std::printf("row_of: %.2f us a leaf of %.0f bytes\n", spent.count() * 1e6 / count,
              static_cast<double>(bytes) / count);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY [callers=64] [seconds=5]\n", argv[0]);
    return 2;
  }
  const auto callers = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 64;
  const auto seconds = std::chrono::seconds(argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 5);
  const auto disk = audit::real_disk();
  Metrics metrics;
  auto journal = audit::Journal::open(*disk, {.directory = argv[1], .log_name = "orga.example/fedgate/log/bench/1"},
                                      system_clock(), system_entropy(), log::silent(), metrics);
  if (!journal) {
    std::fprintf(stderr, "%s\n", journal.error().detail.c_str());
    return 1;
  }
  Worker worker(0, system_clock());
  worker.start([](const std::exception& bug) { std::fprintf(stderr, "%s\n", bug.what()); });
  std::jthread signing([&journal](const std::stop_token& stop) { sign_like(**journal, stop); });
  std::uint64_t count = 0;
  const auto begun = std::chrono::steady_clock::now();
  const auto cpu_before = cpu_time();
  worker.run_and_wait([&]() -> Task<> {
    TaskGroup group(worker.executor(), callers);
    for (unsigned long i = 0; i < callers; ++i) {
      if (!group.spawn(caller(**journal, begun + seconds, count))) std::abort();
    }
    co_await group.join();
  });
  const auto cpu = cpu_time() - cpu_before;
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begun;
  worker.finish();
  signing.request_stop();
  signing.join();
  std::printf("%lu callers: %.0f durable records/s, %.2f us of CPU a record\n", callers,
              static_cast<double>(count) / wall.count(), cpu.count() * 1e6 / static_cast<double>(count));
  std::printf("hash tree: %llu leaves, %llu of them synced\n",
              static_cast<unsigned long long>((*journal)->tree().size()),
              static_cast<unsigned long long>((*journal)->tree().synced()));
  time_rows(**journal);
  return 0;
}
