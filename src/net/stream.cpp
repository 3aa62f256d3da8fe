// SPDX-License-Identifier: Apache-2.0
#include "net/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/tls.h"
#include "net/tls_session.h"

namespace fedgate::net {
namespace {

constexpr std::size_t linger_bytes = 64 * 1024;

using Aborted = boost::system::system_error;
using ReadHandler = asio::async_result<asio::use_awaitable_t<Executor>, void()>::handler_type;

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

struct Stream::State final : Expiry, std::enable_shared_from_this<State> {
  State(Worker& w, Socket s) : worker(w), socket(std::move(s)), descriptor(socket.native_handle()) {
    boost::system::error_code ec;
    socket.native_non_blocking(true, ec);
    remote = describe_remote(descriptor);
    if (remote != "unix") {
      const int on = 1;
      ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
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

  Task<Woken> wait_readable(SteadyTime deadline);
  Task<Woken> wait_writable(SteadyTime deadline);
  Task<Result<void>> handshake(SteadyTime deadline);
  Task<Result<void>> finish_handshake(SteadyTime deadline);
  void arm_read();
  void readable_or_cancelled(bool aborted);
  void expired() noexcept override {
    late = true;
    cancel_waits();
  }
  void cancel_waits() noexcept {
    boost::system::error_code ignored;
    socket.cancel(ignored);
  }
  void say_goodbye() noexcept;
  void close() noexcept;
  /// Resumes or, at the end of the event loop, destroys the coroutine that waits to read.
  std::optional<ReadHandler> take_reader() {
    std::optional<ReadHandler> taken;
    if (reader) taken.emplace(std::move(*reader));
    reader.reset();
    return taken;
  }

  Worker& worker;
  Socket socket;
  int descriptor;
  std::string remote;
  std::shared_ptr<TlsContext> tls;
  Verdict verdict;
  SslHandle ssl;
  Error error;  // what Got::failed means
  std::function<void()> on_end;
  Until until = Until::end;
  std::optional<ReadHandler> reader;
  bool read_armed = false;     // one async_wait for reading is pending
  bool maybe_readable = true;  // reading may yield something without a wait
  bool known_readable = false;
  bool established = false;  // TLS
  bool broken = false;       // OpenSSL must not be asked again
  bool wrote = false;
  bool late = false;
};

namespace {

/// The pending wait's completion. It owns the waiting coroutine on behalf of the event loop: should the loop be
/// destroyed first, so is the coroutine (which owns the stream: otherwise a cycle).
template <class State>
class ReadWait {
 public:
  explicit ReadWait(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ReadWait(ReadWait&&) noexcept = default;
  ReadWait& operator=(ReadWait&&) = delete;
  ~ReadWait() {
    if (state_) state_->take_reader().reset();
  }
  void operator()(const boost::system::error_code& ec) {
    const auto state = std::move(state_);
    state->readable_or_cancelled(ec == asio::error::operation_aborted);
  }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace

void Stream::State::arm_read() {
  if (read_armed || !socket.is_open()) return;
  read_armed = true;
  socket.async_wait(Socket::wait_read, ReadWait<State>(shared_from_this()));
}

void Stream::State::readable_or_cancelled(bool aborted) {
  read_armed = false;
  if (reader) {
    auto waiting = take_reader();
    maybe_readable = maybe_readable || !aborted;
    std::move (*waiting)();
    return;
  }
  if (aborted || !socket.is_open()) return;
  if (!on_end) {
    maybe_readable = true;
    return;
  }
  const Step step = peek();
  if (step.got == Got::wants_read) return arm_read();
  maybe_readable = true;
  known_readable = step.got == Got::bytes;
  if (known_readable && until == Until::end) return;
  if (step.got == Got::failed) broken = true;
  auto call = std::exchange(on_end, nullptr);
  call();
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
  late = false;
  worker.wheel().arm(*this, deadline);
  co_await asio::async_initiate<const asio::use_awaitable_t<Executor>&, void()>(
      [this](ReadHandler handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) {
          slot.assign([this](asio::cancellation_type) { cancel_waits(); });
        }
        reader.emplace(std::move(handler));
        arm_read();
      },
      use_task);
  disarm();
  if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
    throw Aborted(asio::error::operation_aborted);
  }
  co_return late ? Woken::late : Woken::ready;
}

Task<Stream::State::Woken> Stream::State::wait_writable(SteadyTime deadline) {
  late = false;
  worker.wheel().arm(*this, deadline);
  auto [ec] = co_await socket.async_wait(Socket::wait_write, use_tuple);
  (void)ec;  // the next attempt says what is wrong
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
  if (!socket.is_open()) return;
  say_goodbye();
  // Without this SSL_free() would throw the session away that the next connection resumes.
  if (ssl && established && !broken) SSL_set_shutdown(ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  ssl.reset();
  broken = true;
  error = Error(Code::io_error, "the connection is closed");
  boost::system::error_code ignored;
  socket.close(ignored);
}

Stream::Stream(Worker& worker, Socket socket) : state_(std::make_shared<State>(worker, std::move(socket))) {}

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
  state_->arm_read();
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
bool Stream::open() const { return state_ && state_->socket.is_open(); }
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
