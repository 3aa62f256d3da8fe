// SPDX-License-Identifier: Apache-2.0
//
// Binding, accepting, handing out.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>

#include "net/address.h"
#include "net/http_session.h"

namespace fedgate::net {
namespace {

constexpr int backlog = 1024;
constexpr int accepted_at_once = 64;  // then other work of this worker gets its turn
constexpr std::chrono::milliseconds pause{100};
constexpr std::chrono::minutes complaint_interval{1};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

asio::ip::address ip_of(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET)
    return asio::ip::address_v4(ntohl(reinterpret_cast<const sockaddr_in&>(from).sin_addr.s_addr));
  asio::ip::address_v6::bytes_type bytes{};
  if (from.ss_family == AF_INET6)
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(from).sin6_addr, bytes.size());
  return asio::ip::address_v6(bytes);
}

std::unexpected<Error> cannot(const std::string& address, std::string_view doing, int number) {
  std::string detail =
      "cannot listen on " + address + ": " + std::string(doing) + ": " + std::system_category().message(number);
  if (number == EADDRINUSE)
    detail += "; another program has it (ss -ltnp shows which), choose another port or stop that one";
  if (number == EACCES)
    detail += "; ports below 1024 need CAP_NET_BIND_SERVICE, a unix socket a directory that this user may write";
  if (number == EADDRNOTAVAIL) detail += "; this machine has no such address (ip addr shows which it has)";
  return fail(Code::io_error, std::move(detail));
}

/// Whether somebody accepts on this unix socket.
bool answers(const sockaddr_un& address) {
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  return errno == EAGAIN;  // its queue is full
}

Result<Descriptor> bind_unix(const std::string& path, std::uint32_t mode, const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  Descriptor listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (listening.get() < 0) return cannot(name, "socket", errno);
  // The file is born with the socket's mode: at no moment may others connect.
  ::fchmod(listening.get(), 0600);
  const auto try_bind = [&] {
    return ::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  };
  if (try_bind() != 0) {
    struct stat found{};
    if (errno != EADDRINUSE) return cannot(name, "bind", errno);
    if (::lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) {
      return fail(Code::io_error, "cannot listen on " + name + ": the path exists and is not a socket; move it away");
    }
    if (answers(address)) {
      return fail(Code::io_error,
                  "cannot listen on " + name + ": another daemon answers there; stop it or choose another path");
    }
    ::unlink(path.c_str());
    if (try_bind() != 0) return cannot(name, "bind", errno);
  }
  if (::listen(listening.get(), backlog) != 0 || ::chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) {
    return cannot(name, "listen", errno);
  }
  return listening;
}

Result<Descriptor> bind_tcp(const Address& address, const std::string& name, std::string& local) {
  boost::system::error_code ec;
  const auto ip = asio::ip::make_address(address.host == "localhost" ? "127.0.0.1" : address.host, ec);
  if (ec) {
    return fail(Code::io_error, "cannot listen on " + name +
                                    ": not a numeric address; write an address of this machine, or 0.0.0.0 for all");
  }
  asio::ip::tcp::endpoint endpoint(ip, address.port);
  Descriptor listening(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (listening.get() < 0) return cannot(name, "socket", errno);
  const int on = 1;
  ::setsockopt(listening.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listening.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0)
    return cannot(name, "bind", errno);
  if (::listen(listening.get(), backlog) != 0) return cannot(name, "listen", errno);
  auto size = static_cast<socklen_t>(endpoint.capacity());
  ::getsockname(listening.get(), endpoint.data(), &size);
  endpoint.resize(size);
  local = ip.is_v6() ? "[" + ip.to_string() + "]" : ip.to_string();
  local += ":" + std::to_string(endpoint.port());
  return listening;
}

}  // namespace

struct Listener::State : std::enable_shared_from_this<State> {
  State(Worker& w, const Options& o, const log::Logger& l, Descriptor listening)
      : worker(w),
        options(o),
        log(l),
        descriptor(w.io(), listening.release()),
        retry(w.executor()),
        unauthenticated(Admission::make(
            // Half of the places stay for those who are known.
            {.total = std::min(o.limits.unauthenticated, std::max<std::size_t>(1, o.limits.connections / 2)),
             .per_source = o.limits.unauthenticated_per_address})) {}

  void wait();
  void accept_some();
  void back_off(int number);
  void hand_out(Descriptor accepted, const sockaddr_storage& from);
  void stop();

  Worker& worker;
  Options options;
  const log::Logger& log;
  asio::posix::stream_descriptor descriptor;
  asio::steady_timer retry;
  std::shared_ptr<Admission> unauthenticated;
  std::vector<std::shared_ptr<HttpServer::State>> servers;
  std::function<std::shared_ptr<TlsContext>()> tls;
  std::string local;
  std::string unix_path;
  SteadyTime complained{};
};

void Listener::State::wait() {
  descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                        [self = shared_from_this()](const boost::system::error_code& ec) {
                          if (!ec) self->accept_some();
                        });
}

void Listener::State::accept_some() {
  for (int i = 0; i < accepted_at_once && descriptor.is_open(); ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    Descriptor accepted(
        ::accept4(descriptor.native_handle(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted.get() >= 0) {
      hand_out(std::move(accepted), from);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return back_off(errno);
    // ECONNABORTED and network errors belong to one connection.
  }
  if (descriptor.is_open()) wait();
}

void Listener::State::back_off(int number) {
  const SteadyTime now = worker.wheel().now();
  if (complained == SteadyTime{} || now - complained >= complaint_interval) {
    complained = now;
    log.error(
        "cannot accept connections for now",
        {{"listener", local}, {"error", std::system_category().message(number)}, {"advice", "raise LimitNOFILE"}});
  }
  retry.expires_after(pause);
  retry.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
    if (!ec && self->descriptor.is_open()) self->accept_some();
  });
}

void Listener::State::hand_out(Descriptor accepted, const sockaddr_storage& from) {
  std::shared_ptr<HttpServer::State> least;
  std::size_t fewest = 0;
  std::size_t all = 0;
  for (const auto& server : servers) {
    const std::size_t count = server->count.load(std::memory_order_relaxed);
    all += count;
    if (least && count >= fewest) continue;
    least = server;
    fewest = count;
  }
  const auto reject = [&](std::string_view reason) {
    servers.front()->metrics.rejected_connections(servers.front()->options.name, reason).Increment();
  };
  if (all >= options.limits.connections) return reject("limit");
  Arrival arrival{.tls = tls ? tls() : nullptr, .ticket = nullptr, .behind = nullptr};
  if (from.ss_family != AF_UNIX) {
    const auto address = ip_of(from);
    const bool proxied =
        std::ranges::any_of(options.proxy_protocol_from, [&](const Network& one) { return one.contains(address); });
    if (proxied) arrival.behind = unauthenticated;
    if (arrival.tls) {
      auto answer = unauthenticated->admit(proxied ? std::string() : source_of(address));
      if (!answer.ticket) return reject(answer.full);
      arrival.ticket = std::move(answer.ticket);
    }
  }
  // Counted here: what is on its way to its worker must count for the next one already.
  least->count.fetch_add(1, std::memory_order_relaxed);
  asio::post(least->worker.executor(),
             [server = least, fd = std::move(accepted), arrival = std::move(arrival)]() mutable {
               server->serve(Stream(server->worker, fd.release()), std::move(arrival));
             });
}

void Listener::State::stop() {
  boost::system::error_code ignored;
  descriptor.close(ignored);
  retry.cancel();
  servers.clear();
  tls = nullptr;
  if (!unix_path.empty()) ::unlink(unix_path.c_str());
  unix_path.clear();
}

Listener::Listener(std::shared_ptr<State> state) : state_(std::move(state)) {}
Listener::~Listener() {
  if (state_ && !state_->unix_path.empty()) ::unlink(state_->unix_path.c_str());
}

Result<std::unique_ptr<Listener>> Listener::bind(Worker& acceptor, const Options& options, const log::Logger& log) {
  auto address = parse_address(options.address);
  if (!address) return fail(std::move(address.error()));
  std::string local = options.address;
  auto listening = address->is_unix ? bind_unix(address->host, options.unix_mode, options.address)
                                    : bind_tcp(*address, options.address, local);
  if (!listening) return fail(std::move(listening.error()));
  auto state = std::make_shared<State>(acceptor, options, log, std::move(*listening));
  state->local = std::move(local);
  if (address->is_unix) state->unix_path = address->host;
  return std::unique_ptr<Listener>(new Listener(std::move(state)));
}

void Listener::start(std::vector<HttpServer*> servers, std::function<std::shared_ptr<TlsContext>()> tls) {
  for (HttpServer* server : servers) state_->servers.push_back(server->state_);
  state_->tls = std::move(tls);
  asio::post(state_->worker.executor(), [state = state_] {
    if (state->descriptor.is_open()) state->wait();
  });
}

void Listener::stop() { state_->stop(); }
const std::string& Listener::local() const { return state_->local; }

}  // namespace fedgate::net
