// SPDX-License-Identifier: Apache-2.0
//
// Our server on a free port of loopback, on one or more workers of its own, for a test to talk to.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "net/http_server.h"
#include "support/eventually.h"

namespace fedgate::net::test {

using fedgate::test::eventually;
using Handle = std::function<Task<>(const Connection&, Request&, Response&)>;

class FunctionHandler final : public Handler {
 public:
  explicit FunctionHandler(Handle handle) : handle_(std::move(handle)) {}
  Task<> handle(const Connection& connection, Request& request, Response& response) override {
    ++calls;
    return handle_(connection, request, response);
  }
  std::atomic<int> calls{0};

 private:
  Handle handle_;
};

/// Answers with method, target and body, so that a test sees what came through.
inline Task<> echo(const Connection&, Request& request, Response& response) {
  response.headers.add("Content-Type", "text/plain");
  response.body = request.method + " " + request.target + " " + request.body;
  co_return;
}

/// ASSERT_TRUE within a coroutine.
template <class T>
void demand(const Result<T>& result) {
  if (!result) throw std::runtime_error(result.error().detail);
}

class RunningServer {
 public:
  struct Setup {
    std::string address = "127.0.0.1:0";
    ServerLimits limits;
    std::vector<std::string> hosts{"gate.example"};
    std::function<std::shared_ptr<TlsContext>()> tls;
    std::size_t workers = 1;
    Handler* enrolment = nullptr;
    EnrolmentLimits enrolment_limits{};
    std::vector<Network> proxy_protocol_from{};
    const Clock* clock = &system_clock();
    const log::Logger* log = &log::silent();
  };
  explicit RunningServer(Handle handle = echo) : RunningServer(std::move(handle), Setup{}) {}
  RunningServer(Handle handle, const Setup& setup) : handler(std::move(handle)) {
    std::vector<HttpServer*> handed;
    for (std::size_t i = 0; i < setup.workers; ++i) {
      workers.push_back(std::make_unique<Worker>(i, *setup.clock));
      const ServerOptions options{"test", setup.limits, setup.hosts, setup.enrolment, setup.enrolment_limits};
      servers.push_back(std::make_unique<HttpServer>(*workers.back(), options, handler, *setup.log, metrics));
      handed.push_back(servers.back().get());
    }
    auto bound =
        Listener::bind(*workers.front(), {setup.address, 0660, setup.limits, setup.proxy_protocol_from}, log::silent());
    if (!bound) throw std::runtime_error(bound.error().detail);
    listener = std::move(*bound);
    listener->start(std::move(handed), setup.tls);
    for (auto& worker : workers) worker->start([this](const std::exception&) { ++failures; });
  }
  ~RunningServer() {
    if (!stopped) drain(std::chrono::seconds(0));
    for (auto& worker : workers) worker->stop();
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  void drain(std::chrono::milliseconds patience) {
    stopped = true;
    on(0, [this]() -> Task<> {
      listener->stop();
      co_return;
    });
    for (std::size_t i = 0; i < servers.size(); ++i) {
      on(i, [&, i]() -> Task<> { return servers[i]->drain(workers[i]->wheel().now() + patience); });
    }
  }
  void on(std::size_t worker, std::function<Task<>()> task) { workers[worker]->run_and_wait(std::move(task)); }
  std::size_t close_if(const std::function<bool(const Connection&)>& which) {
    std::size_t closed = 0;
    for (std::size_t i = 0; i < servers.size(); ++i) {
      on(i, [&, i]() -> Task<> {
        closed += servers[i]->close_if(which);
        co_return;
      });
    }
    return closed;
  }
  [[nodiscard]] std::uint16_t port() const {
    return static_cast<std::uint16_t>(std::stoul(listener->local().substr(listener->local().rfind(':') + 1)));
  }
  [[nodiscard]] std::size_t connections() const {
    std::size_t all = 0;
    for (const auto& server : servers) all += server->connections();
    return all;
  }

  Metrics metrics;
  FunctionHandler handler;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::unique_ptr<HttpServer>> servers;
  std::unique_ptr<Listener> listener;
  std::atomic<int> failures{0};
  bool stopped = false;
};

}  // namespace fedgate::net::test
