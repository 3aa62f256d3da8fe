// SPDX-License-Identifier: Apache-2.0
//
// A real HTTP service on loopback for gateways to stand in front of; what it answers is the test's choice. It
// remembers what it was asked.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/worker.h"
#include "net/http_server.h"

namespace fedgate::test {

class Upstream final : private net::Handler {
 public:
  using Answer = std::function<Task<>(net::Request&, net::Response&, DeadlineWheel&)>;

  /// Without an answer of your own: 200 and `{"method":…,"target":…,"body":…}`.
  explicit Upstream(Answer answer = {});
  ~Upstream() override;

  [[nodiscard]] std::string url() const;  ///< http://127.0.0.1:PORT
  /// Requests that arrived, so far.
  [[nodiscard]] std::vector<net::Request> seen() const;
  /// Requests whose handling ended early because the caller went away.
  [[nodiscard]] std::size_t abandoned() const;
  /// Waits until `count` requests have arrived; false after five seconds.
  bool wait_for_requests(std::size_t count) const;
  bool wait_for_abandoned(std::size_t count) const;

 private:
  Task<> handle(const net::Connection& connection, net::Request& request, net::Response& response) override;

  Answer answer_;
  Metrics metrics_;
  Worker worker_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<net::Listener> listener_;
  mutable std::mutex mutex_;
  std::vector<net::Request> seen_;
  std::size_t abandoned_ = 0;
};

}  // namespace fedgate::test
