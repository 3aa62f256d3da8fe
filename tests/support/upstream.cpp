// SPDX-License-Identifier: Apache-2.0
#include "support/upstream.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "support/eventually.h"

namespace fedgate::test {

Upstream::Upstream(Answer answer) : answer_(std::move(answer)), worker_(0, system_clock()) {
  net::Handler& handler = *this;
  const net::ServerOptions options{.name = "upstream", .limits = {}, .hosts = {}};
  server_ = std::make_unique<net::HttpServer>(worker_, options, handler, log::silent(), metrics_);
  worker_.start({});
  auto bound = net::Listener::bind(worker_, {.address = "127.0.0.1:0", .unix_mode = 0660, .limits = {}}, log::silent());
  if (!bound) throw std::runtime_error(bound.error().detail);
  listener_ = std::move(*bound);
  listener_->start({server_.get()}, {});
}

Upstream::~Upstream() {
  worker_.run_and_wait([this]() -> Task<> {
    listener_->stop();
    server_->announce_end();
    co_await server_->drain(std::chrono::steady_clock::now());
  });
  worker_.finish();
}

std::string Upstream::url() const { return "http://" + listener_->local(); }

std::vector<net::Request> Upstream::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

std::size_t Upstream::abandoned() const {
  const std::lock_guard lock(mutex_);
  return abandoned_;
}

bool Upstream::wait_for_requests(std::size_t count) const {
  return eventually([&] { return seen().size() >= count; }, std::chrono::seconds(5));
}

bool Upstream::wait_for_abandoned(std::size_t count) const {
  return eventually([&] { return abandoned() >= count; }, std::chrono::seconds(5));
}

Task<> Upstream::handle(const net::Connection&, net::Request& request, net::Response& response) {
  {
    const std::lock_guard lock(mutex_);
    seen_.push_back(request);
  }
  if (answer_) {
    struct Watch {
      Upstream& upstream;
      bool done = false;
      ~Watch() {
        if (done) return;
        const std::lock_guard lock(upstream.mutex_);
        ++upstream.abandoned_;
      }
    } watch{*this};
    co_await answer_(request, response, worker_.wheel());
    watch.done = true;
    co_return;
  }
  response.headers.add("Content-Type", "application/json");
  response.body = nlohmann::json{{"method", request.method}, {"target", request.target}, {"body", request.body}}.dump();
}

}  // namespace fedgate::test
