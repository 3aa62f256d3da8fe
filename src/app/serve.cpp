// SPDX-License-Identifier: Apache-2.0
#include "app/serve.h"

#include <pthread.h>
#include <systemd/sd-daemon.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "app/gateway.h"

namespace fedgate::app {

namespace {

// Before the first thread starts, so that every thread has them blocked and only this one takes them.
sigset_t take_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // TLS writes with write(2): a peer that is gone must be an error, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

int next_signal(const sigset_t& set, std::chrono::milliseconds time) {
  const timespec bound{.tv_sec = time.count() / 1000, .tv_nsec = (time.count() % 1000) * 1'000'000};
  return sigtimedwait(&set, nullptr, &bound);
}

/// How often systemd wants to hear from us, halved; zero: it does not.
std::chrono::milliseconds watchdog_interval() {
  std::uint64_t micros = 0;
  if (sd_watchdog_enabled(0, &micros) <= 0) return {};
  return std::chrono::milliseconds(micros / 2000);
}

void end_in_order(Gateway& gateway, const sigset_t& signals) {
  sd_notify(0, "STOPPING=1");
  std::atomic<bool> ended{false};
  std::thread ending([&] {
    gateway.shutdown();
    ended = true;
  });
  while (!ended) {
    const int signal = next_signal(signals, std::chrono::milliseconds(50));
    if (signal != SIGTERM && signal != SIGINT) continue;
    // What was answered is in the journal, so nothing is lost by not waiting.
    std::fputs("fedgate: second signal, ending at once\n", stderr);
    std::_Exit(1);
  }
  ending.join();
}

}  // namespace

int serve(const std::string& config_file) {
  const sigset_t signals = take_signals();
  config::Loaded loaded = config::load(config_file, system_clock());
  for (const config::Finding& finding : loaded.findings) std::fprintf(stderr, "%s\n", finding.text().c_str());
  if (!loaded.settings) return 2;
  auto started = Gateway::start(loaded.settings, {.reload_source = {}, .files = loaded.files});
  if (!started) {
    std::fprintf(stderr, "fedgate: cannot start: %s\n", started.error().detail.c_str());
    return 1;
  }
  Gateway& gateway = **started;
  sd_notify(0, "READY=1");
  const auto watchdog = watchdog_interval();
  const auto pause =
      watchdog.count() > 0 ? std::min(watchdog, std::chrono::milliseconds(1000)) : std::chrono::milliseconds(1000);
  for (;;) {
    const int signal = next_signal(signals, pause);
    if (signal == SIGTERM || signal == SIGINT) break;
    if (signal == SIGHUP) {
      sd_notify(0, "RELOADING=1");
      gateway.reload("SIGHUP");
      sd_notify(0, "READY=1");
    }
    if (signal < 0 && gateway.reload_if_changed()) continue;
    if (watchdog.count() > 0 && gateway.responsive()) sd_notify(0, "WATCHDOG=1");
  }
  end_in_order(gateway, signals);
  return 0;
}

}  // namespace fedgate::app
