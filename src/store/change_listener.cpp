// SPDX-License-Identifier: Apache-2.0
#include "store/change_listener.h"

#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "store/postgres_connection.h"

namespace fedgate::store {
namespace {

using Clock = std::chrono::steady_clock;

enum class Woken : std::uint8_t { ready, late, ending };

/// Waits for the descriptor, for the end, or for the time to be over. `descriptor` -1: for the latter two.
Woken wait(int descriptor, short events, int ending, Clock::time_point until) {
  std::array<pollfd, 2> look{{{ending, POLLIN, 0}, {descriptor, events, 0}}};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    const int found = ::poll(look.data(), look.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
    if (found < 0 && errno != EINTR) return Woken::late;
    if (look[0].revents != 0 && found > 0) return Woken::ending;
    if (found > 0) return Woken::ready;
    if (Clock::now() >= until) return Woken::late;
  }
}

}  // namespace

/// One connection. Each function waits no longer than `patience`, and ends when the listener ends.
class ChangeListener::Session {
 public:
  Session(const std::string& parameters, int ending)
      : connection_(PQconnectStart(parameters.c_str()), PQfinish), ending_(ending) {}

  bool connect() {
    const auto until = Clock::now() + patience;
    for (auto wants = PGRES_POLLING_WRITING; wants != PGRES_POLLING_OK; wants = PQconnectPoll(connection_.get())) {
      if (PQstatus(connection_.get()) == CONNECTION_BAD || wants == PGRES_POLLING_FAILED) return false;
      const short events = wants == PGRES_POLLING_READING ? POLLIN : POLLOUT;
      if (wait(PQsocket(connection_.get()), events, ending_, until) != Woken::ready) return false;
    }
    return true;
  }

  bool run(const std::string& sql) {
    if (PQsendQuery(connection_.get(), sql.c_str()) != 1) return false;
    const auto until = Clock::now() + patience;
    bool good = true;
    for (;;) {
      while (PQisBusy(connection_.get()) == 1) {
        if (wait(PQsocket(connection_.get()), POLLIN, ending_, until) != Woken::ready) return false;
        if (PQconsumeInput(connection_.get()) != 1) return false;
      }
      const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQgetResult(connection_.get()), PQclear);
      if (!result) return good;
      const auto status = PQresultStatus(result.get());
      good = good && (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
    }
  }

  Woken wait_for_something() { return wait(PQsocket(connection_.get()), POLLIN, ending_, Clock::now() + silence); }
  bool read() { return PQconsumeInput(connection_.get()) == 1; }
  /// Whether there were notifications; takes them.
  bool heard() {
    bool any = false;
    while (PGnotify* one = PQnotifies(connection_.get())) {
      PQfreemem(one);
      any = true;
    }
    return any;
  }
  [[nodiscard]] std::string problem() const {
    std::string text = PQerrorMessage(connection_.get());
    text.resize(std::min(text.find('\n'), text.size()));
    return text.empty() ? "the server does not answer" : text;
  }

 private:
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
  int ending_;
};

Result<std::unique_ptr<ChangeListener>> ChangeListener::start(const Options& options, std::function<void()> changed,
                                                              const log::Logger& log) {
  if (options.url.starts_with("sqlite:")) return nullptr;
  auto target = postgres_target(options);
  if (!target) return fail(target.error());
  return std::unique_ptr<ChangeListener>(new ChangeListener(target->parameters + " application_name='fedgate listener'",
                                                            std::move(target->where), std::move(changed), log));
}

ChangeListener::ChangeListener(std::string parameters, std::string where, std::function<void()> changed,
                               const log::Logger& log)
    : parameters_(std::move(parameters)),
      where_(std::move(where)),
      changed_(std::move(changed)),
      log_(log),
      ending_(::eventfd(0, EFD_CLOEXEC)) {
  if (ending_ < 0) throw std::system_error(errno, std::system_category(), "eventfd");
  thread_ = std::thread([this] { run(); });
}

ChangeListener::~ChangeListener() {
  const std::uint64_t one = 1;
  // Never full: this is the only write.
  (void)!::write(ending_, &one, sizeof one);
  thread_.join();
  ::close(ending_);
}

bool ChangeListener::pause(std::chrono::milliseconds time) const {
  return wait(-1, 0, ending_, Clock::now() + time) == Woken::late;
}

void ChangeListener::run() {
  auto next = first_pause;
  std::string problem;
  do {
    was_heard_ = false;
    auto now = listen();
    if (now.empty()) return;
    if (was_heard_) next = first_pause;
    if (was_heard_ || now != problem)
      log_.warning("changes of other replicas are not heard of at once, but looked for every second",
                   {{"database", where_}, {"problem", now}});
    problem = std::move(now);
    next = std::min<std::chrono::milliseconds>(next * 2, longest_pause);
  } while (pause(next / 2));
}

std::string ChangeListener::listen() {
  Session session(parameters_, ending_);
  if (!session.connect()) return session.problem();
  if (!session.run(std::string("LISTEN ") + nodes_channel)) return session.problem();
  was_heard_ = true;
  log_.info("changes of other replicas are heard of at once", {{"database", where_}});
  changed_();  // what came before
  for (;;) {
    const auto woken = session.wait_for_something();
    if (woken == Woken::ending) return {};
    if (woken == Woken::ready ? !session.read() : !session.run("SELECT 1")) return session.problem();
    if (session.heard()) changed_();
  }
}

}  // namespace fedgate::store
