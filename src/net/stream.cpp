// SPDX-License-Identifier: Apache-2.0
#include "net/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/tls.h"
#include "net/tls_session.h"

namespace fedgate::net {
namespace {

constexpr std::size_t linger_bytes = 64 * 1024;

using Aborted = boost::system::system_error;
using WaitHandler = asio::async_result<asio::use_awaitable_t<Executor>, void()>::handler_type;

std::string describe_remote(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "unknown";
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  return "unix";
}

Error system_error(std::string_view doing, int number) {
  return {Code::io_error, std::string(doing) + ": " + std::system_category().message(number)};
}

}  // namespace

struct Stream::State final : Expiry, Awaited, std::enable_shared_from_this<State> {
  State(Worker& w, int fd) : worker(w), descriptor(fd) {
    int on = 1;
    ::ioctl(descriptor, FIONBIO, &on);
    remote = describe_remote(descriptor);
    if (remote != "unix") ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    worker.readiness().enter(*this, descriptor);
  }

  enum class Got : std::uint8_t { bytes, end, wants_read, wants_write, failed };
  struct Step {
    Got got;
    std::size_t size = 0;
  };
  enum class Woken : std::uint8_t { ready, late };

  Step receive(std::span<char> into);
  Step send(std::string_view bytes);
  Step peek();
  Step tls_step(int answer, std::string_view doing);

  Task<Woken> wait(std::optional<WaitHandler>& waiting, void (Readiness::*begin)(Awaited&), SteadyTime deadline);
  Task<Woken> wait_readable(SteadyTime deadline);
  Task<Woken> wait_writable(SteadyTime deadline);
  Task<Result<void>> handshake(SteadyTime deadline);
  Task<Result<void>> finish_handshake(SteadyTime deadline);
  void expired() noexcept override {
    late = true;
    wake_waiters();
  }
  void readable() override;
  void writable() override;
  void abandoned() noexcept override;
  void wake_waiters() noexcept;
  void say_goodbye() noexcept;
  void close() noexcept;

  Worker& worker;
  int descriptor;  // -1: closed
  std::string remote;
  std::shared_ptr<TlsContext> tls;
  Verdict verdict;
  SslHandle ssl;
  Error error;  // what Got::failed means
  std::function<void()> on_end;
  Until until = Until::end;
  // The coroutines that wait. Until they are resumed they are owned here; a stream is owned by its coroutine, so
  // whoever ends without resuming them must break the circle (abandoned()).
  std::optional<WaitHandler> reader, writer;
  bool maybe_readable = true;  // reading may yield something without a wait
  bool known_readable = false;
  bool established = false;  // TLS
  bool broken = false;       // OpenSSL must not be asked again
  bool wrote = false;
  bool late = false;
};

namespace {

/// What it waited for may be there, or it was cancelled or is late: it looks for itself.
void resume(std::optional<WaitHandler>& waiting) {
  if (!waiting) return;
  auto taken = std::move(*waiting);
  waiting.reset();
  asio::get_associated_cancellation_slot(taken).clear();
  std::move(taken)();
}

}  // namespace

void Stream::State::readable() {
  const auto self = shared_from_this();
  if (reader) {
    maybe_readable = true;
    return resume(reader);
  }
  if (!on_end) {
    maybe_readable = true;
    return;
  }
  const Step step = peek();
  if (step.got == Got::wants_read) return worker.readiness().await_readable(*this);
  maybe_readable = true;
  known_readable = step.got == Got::bytes;
  if (known_readable && until == Until::end) return;
  if (step.got == Got::failed) broken = true;
  auto call = std::exchange(on_end, nullptr);
  call();
}

void Stream::State::writable() {
  const auto self = shared_from_this();
  resume(writer);
}

void Stream::State::abandoned() noexcept {
  const auto self = shared_from_this();
  const auto reading = std::exchange(reader, std::nullopt);
  const auto writing = std::exchange(writer, std::nullopt);
}

// Never from where it is called: that may be the coroutine that waits, on its way through its own cancellation.
void Stream::State::wake_waiters() noexcept {
  if (!reader && !writer) return;
  asio::post(worker.executor(), [self = shared_from_this()] {
    resume(self->reader);
    resume(self->writer);
  });
}

Stream::State::Step Stream::State::tls_step(int answer, std::string_view doing) {
  switch (SSL_get_error(ssl.get(), answer)) {
    case SSL_ERROR_WANT_READ:
      return {Got::wants_read};
    case SSL_ERROR_WANT_WRITE:
      return {Got::wants_write};
    case SSL_ERROR_ZERO_RETURN:
      return {Got::end};
    case SSL_ERROR_SYSCALL: {
      const int number = errno;
      broken = true;
      error = number != 0 ? system_error(doing, number)
                          : Error(Code::io_error, std::string(doing) + ": cut without close_notify");
      ERR_clear_error();
      return {Got::failed};
    }
    default:
      broken = true;
      error = tls_error(doing);
      return {Got::failed};
  }
}

Stream::State::Step Stream::State::receive(std::span<char> into) {
  if (broken) return {Got::failed};
  known_readable = false;
  if (ssl) {
    ERR_clear_error();
    errno = 0;
    std::size_t size = 0;
    const int answer = SSL_read_ex(ssl.get(), into.data(), into.size(), &size);
    if (answer != 1) return tls_step(answer, "reading");
    // A long record is rarely alone; short of that one read has emptied the socket.
    maybe_readable = SSL_has_pending(ssl.get()) == 1 || size >= 8192;
    return {Got::bytes, size};
  }
  ssize_t size;
  do {
    size = ::recv(descriptor, into.data(), into.size(), MSG_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size > 0) {
    maybe_readable = static_cast<std::size_t>(size) == into.size();
    return {Got::bytes, static_cast<std::size_t>(size)};
  }
  if (size == 0) return {Got::end};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {Got::wants_read};
  error = system_error("reading", errno);
  return {Got::failed};
}

Stream::State::Step Stream::State::peek() {
  char byte;
  if (ssl) {
    if (broken) return {Got::failed};
    ERR_clear_error();
    errno = 0;
    std::size_t size = 0;
    const int answer = SSL_peek_ex(ssl.get(), &byte, 1, &size);
    return answer == 1 ? Step{Got::bytes, size} : tls_step(answer, "watching");
  }
  const ssize_t size = ::recv(descriptor, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
  if (size > 0) return {Got::bytes, 1};
  if (size == 0) return {Got::end};
  if (errno == EAGAIN || errno == EINTR) return {Got::wants_read};
  error = system_error("watching", errno);
  return {Got::failed};
}

Stream::State::Step Stream::State::send(std::string_view bytes) {
  if (broken) return {Got::failed};
  if (ssl) {
    ERR_clear_error();
    errno = 0;
    std::size_t size = 0;
    const int answer = SSL_write_ex(ssl.get(), bytes.data(), bytes.size(), &size);
    if (answer == 1) return {Got::bytes, size};
    const Step step = tls_step(answer, "writing");
    if (step.got == Got::wants_write) wrote = true;  // part of a record may have left
    return step;
  }
  ssize_t size;
  do {
    size = ::send(descriptor, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (size < 0 && errno == EINTR);
  if (size >= 0) return {Got::bytes, static_cast<std::size_t>(size)};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {Got::wants_write};
  error = system_error("writing", errno);
  return {Got::failed};
}

Task<Stream::State::Woken> Stream::State::wait_readable(SteadyTime deadline) {
  return wait(reader, &Readiness::await_readable, deadline);
}
Task<Stream::State::Woken> Stream::State::wait_writable(SteadyTime deadline) {
  return wait(writer, &Readiness::await_writable, deadline);
}

Task<Stream::State::Woken> Stream::State::wait(std::optional<WaitHandler>& waiting, void (Readiness::*begin)(Awaited&),
                                               SteadyTime deadline) {
  late = false;
  worker.wheel().arm(*this, deadline);
  co_await asio::async_initiate<const asio::use_awaitable_t<Executor>&, void()>(
      [this, &waiting, begin](WaitHandler handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) slot.assign([this](asio::cancellation_type) { wake_waiters(); });
        waiting.emplace(std::move(handler));
        if (descriptor < 0) return wake_waiters();
        (worker.readiness().*begin)(*this);
      },
      use_task);
  disarm();
  if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
    throw Aborted(asio::error::operation_aborted);
  }
  co_return late ? Woken::late : Woken::ready;
}

Task<Result<void>> Stream::State::handshake(SteadyTime deadline) {
  while (true) {
    ERR_clear_error();
    errno = 0;
    const int answer = SSL_do_handshake(ssl.get());
    if (answer == 1) break;
    const Step step = tls_step(answer, "TLS handshake");
    if (step.got == Got::failed || step.got == Got::end) {
      if (verdict.refusal) co_return fail(verdict.refusal->in("TLS handshake refused"));
      if (step.got == Got::end) co_return fail(Code::io_error, "TLS handshake: the other side ended it");
      co_return fail(error);
    }
    const auto woken =
        step.got == Got::wants_read ? co_await wait_readable(deadline) : co_await wait_writable(deadline);
    if (woken == Woken::late) co_return fail(Code::deadline_exceeded, "TLS handshake: not done in time");
    if (handshake_too_long(ssl.get())) co_return fail(Code::payload_too_large, "TLS handshake: too long");
  }
  established = true;
  if (auto judged = tls->conclude(ssl.get(), verdict); !judged) {
    co_return fail(judged.error().in("TLS handshake refused"));
  }
  co_return Result<void>{};
}

Task<Result<void>> Stream::State::finish_handshake(SteadyTime deadline) {
  verdict.remote = remote;
  auto begun = begin_tls(*tls, descriptor, verdict);
  if (!begun) co_return fail(std::move(begun.error()));
  ssl = std::move(*begun);
  auto done = co_await handshake(deadline);
  if (!done) {
    verdict.identity.reset();
    say_goodbye();
    broken = true;
    error = done.error();
    co_return fail(done.error().in(remote));
  }
  co_return Result<void>{};
}

void Stream::State::say_goodbye() noexcept {
  if (!ssl || !established || broken) return;
  ERR_clear_error();
  SSL_shutdown(ssl.get());
  ERR_clear_error();
}

void Stream::State::close() noexcept {
  disarm();
  on_end = nullptr;
  if (descriptor < 0) return;
  say_goodbye();
  // Without this SSL_free() would throw the session away that the next connection resumes.
  if (ssl && established && !broken) SSL_set_shutdown(ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  ssl.reset();
  broken = true;
  error = Error(Code::io_error, "the connection is closed");
  Readiness::leave(*this);
  ::close(std::exchange(descriptor, -1));
  wake_waiters();
}

Stream::Stream(Worker& worker, int descriptor) : state_(std::make_shared<State>(worker, descriptor)) {}

Stream::~Stream() {
  if (state_) state_->close();
}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&& other) noexcept {
  if (this == &other) return *this;
  if (state_) state_->close();
  state_ = std::move(other.state_);
  return *this;
}

Task<Result<void>> Stream::accept_tls(std::shared_ptr<TlsContext> context, SteadyTime deadline) {
  state_->tls = std::move(context);
  return state_->finish_handshake(deadline);
}

Task<Result<void>> Stream::connect_tls(std::shared_ptr<TlsContext> context, std::string server_name,
                                       SteadyTime deadline) {
  state_->tls = std::move(context);
  state_->verdict.expected = std::move(server_name);
  return state_->finish_handshake(deadline);
}

Task<Result<std::size_t>> Stream::read_some(std::span<char> into, SteadyTime deadline) {
  State& state = *state_;
  while (true) {
    State::Got blocked = State::Got::wants_read;
    if (state.maybe_readable) {
      const State::Step step = state.receive(into);
      if (step.got == State::Got::bytes) co_return step.size;
      if (step.got == State::Got::end) co_return std::size_t{0};
      if (step.got == State::Got::failed) co_return fail(state.error);
      blocked = step.got;
    }
    const auto woken = blocked == State::Got::wants_read ? co_await state.wait_readable(deadline)
                                                         : co_await state.wait_writable(deadline);
    if (woken == State::Woken::late)
      co_return fail(Code::deadline_exceeded, "reading from " + state.remote + " took too long");
    state.maybe_readable = true;
  }
}

Task<Result<void>> Stream::write(std::string_view bytes, SteadyTime deadline) {
  State& state = *state_;
  while (!bytes.empty()) {
    const State::Step step = state.send(bytes);
    if (step.got == State::Got::bytes) {
      state.wrote = true;
      bytes.remove_prefix(step.size);
      continue;
    }
    if (step.got == State::Got::end)
      co_return fail(Code::io_error, "writing to " + state.remote + ": the other side has ended");
    if (step.got == State::Got::failed) co_return fail(state.error);
    const auto woken = step.got == State::Got::wants_read ? co_await state.wait_readable(deadline)
                                                          : co_await state.wait_writable(deadline);
    if (woken == State::Woken::late)
      co_return fail(Code::deadline_exceeded, "writing to " + state.remote + " took too long");
  }
  co_return Result<void>{};
}

void Stream::watch(std::function<void()> on_end, Until until) {
  state_->until = until;
  state_->on_end = std::move(on_end);
  if (open()) state_->worker.readiness().await_readable(*state_);
}
void Stream::unwatch() { state_->on_end = nullptr; }
bool Stream::readable() const { return state_->known_readable; }

Task<> Stream::linger(SteadyTime deadline) {
  State& state = *state_;
  state.say_goodbye();
  state.broken = true;
  ::shutdown(state.descriptor, SHUT_WR);
  std::array<char, 4096> ignored;
  for (std::size_t seen = 0; seen < linger_bytes;) {
    const ssize_t size = ::recv(state.descriptor, ignored.data(), ignored.size(), MSG_DONTWAIT);
    if (size > 0) {
      seen += static_cast<std::size_t>(size);
      continue;
    }
    if (size == 0 || (errno != EAGAIN && errno != EINTR)) break;
    const auto woken = co_await state.wait_readable(deadline);
    if (woken == State::Woken::late) break;
  }
}
void Stream::abort() noexcept {
  if (open()) ::shutdown(state_->descriptor, SHUT_RDWR);
}
void Stream::close() noexcept { state_->close(); }
bool Stream::open() const { return state_ && state_->descriptor >= 0; }
bool Stream::wrote() const { return state_->wrote; }
void Stream::forget_written() { state_->wrote = false; }

bool Stream::enrolment() const { return state_->verdict.enrolment; }
Result<Presentation> Stream::presentation() const {
  if (!state_->ssl || !state_->established) return fail(Code::internal, "there is no TLS on this connection");
  return presentation_of(state_->ssl.get());
}
Result<void> Stream::judge_again() {
  if (!state_->ssl || !state_->established || state_->broken) return {};
  return state_->tls->judge_again(state_->ssl.get(), state_->verdict);
}
void Stream::comes_from(std::string remote) { state_->remote = std::move(remote); }
const std::optional<PeerIdentity>& Stream::peer() const { return state_->verdict.identity; }
const std::string& Stream::remote() const { return state_->remote; }

std::optional<UnixCredentials> Stream::unix_credentials() const {
  if (state_->remote != "unix" || !open()) return std::nullopt;
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(state_->descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
  return UnixCredentials{.uid = credentials.uid, .gid = credentials.gid, .pid = credentials.pid};
}

}  // namespace fedgate::net
