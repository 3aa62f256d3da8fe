// SPDX-License-Identifier: Apache-2.0
//
// Binding, accepting, handing out.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <unordered_map>

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

/// How many connections of one address are not authenticated yet. Given back from any worker.
class Unauthenticated : public std::enable_shared_from_this<Unauthenticated> {
 public:
  explicit Unauthenticated(std::size_t most) : most_(most) {}
  Ticket admit(const sockaddr_storage& address) {
    std::string key = key_of(address);
    const std::lock_guard lock(mutex_);
    std::size_t& count = counts_[key];
    if (count >= most_) return nullptr;
    ++count;
    return {this, [self = shared_from_this(), key = std::move(key)](void*) { self->give_back(key); }};
  }

 private:
  static std::string key_of(const sockaddr_storage& address) {
    if (address.ss_family == AF_INET) {
      const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
      return {reinterpret_cast<const char*>(&v4.sin_addr), sizeof v4.sin_addr};
    }
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    const char* bytes = reinterpret_cast<const char*>(&v6.sin6_addr);
    // A v4-mapped address is one host; of other IPv6 a host commands a whole /64.
    return {bytes, IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) ? std::size_t{16} : std::size_t{8}};
  }
  void give_back(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(key);
    if (--found->second == 0) counts_.erase(found);
  }

  std::size_t most_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> counts_;
};

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
        unauthenticated(std::make_shared<Unauthenticated>(o.limits.unauthenticated_per_address)) {}

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
  std::shared_ptr<Unauthenticated> unauthenticated;
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
  auto context = tls ? tls() : nullptr;
  Ticket ticket;
  if (context && from.ss_family != AF_UNIX) {
    ticket = unauthenticated->admit(from);
    if (!ticket) return reject("per_address");
  }
  // Counted here: what is on its way to its worker must count for the next one already.
  least->count.fetch_add(1, std::memory_order_relaxed);
  asio::post(least->worker.executor(),
             [server = least, family = static_cast<int>(from.ss_family), fd = std::move(accepted),
              context = std::move(context), ticket = std::move(ticket)]() mutable {
               Stream::Socket socket(server->worker.io());
               boost::system::error_code ec;
               socket.assign(asio::generic::stream_protocol(family, 0), fd.get(), ec);
               if (ec) {
                 server->count.fetch_sub(1, std::memory_order_relaxed);
                 server->log.error("cannot take a connection over", {{"error", ec.message()}});
                 return;
               }
               fd.release();
               server->serve(Stream(server->worker, std::move(socket)), std::move(context), std::move(ticket));
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
