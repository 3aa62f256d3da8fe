// SPDX-License-Identifier: Apache-2.0
//
// One connection's bytes: TCP or unix socket, plain or TLS 1.3, behind one type, so that what carries TLS can
// change in one place. OpenSSL works directly on the descriptor (SSL_set_fd; SIGPIPE is ignored), base/readiness.h
// waits for it: asio::ssl::stream costs a fifth more time and three times the memory. Owned by one
// coroutine on one worker; not thread-safe. Every operation has a deadline.
#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/task.h"
#include "base/worker.h"
#include "fedgate/principal.h"
#include "fedgate/result.h"

namespace fedgate::net {

class TlsContext;
struct Presentation;

/// SO_PEERCRED of a unix socket.
struct UnixCredentials {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int32_t pid = 0;
};

class Stream {
 public:
  /// Takes a connected socket's descriptor. Sets TCP_NODELAY and non-blocking.
  Stream(Worker& worker, int descriptor);
  ~Stream();
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;

  /// Server side. The context's judge decides; on refusal the peer gets one alert, the same for every reason,
  /// and the error says the reason. Runs the judge on a resumed session too. After an error nothing can be read
  /// or written any more.
  Task<Result<void>> accept_tls(std::shared_ptr<TlsContext> context, SteadyTime deadline);
  /// Client side. `server_name` is sent as SNI; `expected` is whom the judge must find.
  Task<Result<void>> connect_tls(std::shared_ptr<TlsContext> context, std::string server_name, SteadyTime deadline);

  /// At least one byte, or 0 at the peer's orderly end. Code::deadline_exceeded, Code::io_error (reset, or a
  /// TLS connection cut without close_notify).
  Task<Result<std::size_t>> read_some(std::span<char> into, SteadyTime deadline);
  /// All of it, in one system call where the socket's buffer allows.
  Task<Result<void>> write(std::string_view bytes, SteadyTime deadline);

  /// Starts watching for the next byte or the peer's end while the owner does something else, at most once at
  /// a time; `on_end` is called (on this worker) when the peer has gone, not when a byte arrived. The next
  /// read_some() takes the watch over without another wait. Costs no system call where none is needed.
  /// With Until::anything a byte that arrives is taken for the end, too: nobody asked for it.
  enum class Until : std::uint8_t { end, anything };
  void watch(std::function<void()> on_end, Until until = Until::end);
  /// The watch calls nobody from here on; it may stay armed for the next read_some().
  void unwatch();

  /// Bytes are known to have arrived while nobody read (found by the watch).
  [[nodiscard]] bool readable() const;

  /// Ends our side (TLS close_notify if that can be written at once, then FIN) and throws away what still comes,
  /// up to 64 KiB and `deadline`: unread bytes would turn the close into a reset that overtakes our last words.
  /// Works after a failed handshake, too. Afterwards the stream is good for close() only.
  Task<> linger(SteadyTime deadline);
  /// From anywhere on this worker: whoever waits on this stream sees the connection end.
  void abort() noexcept;
  /// TLS close_notify if that can be written at once, then the socket is closed.
  void close() noexcept;
  [[nodiscard]] bool open() const;

  /// Some byte of what was given to write() may have left.
  [[nodiscard]] bool wrote() const;
  /// From here on wrote() speaks of what comes next.
  void forget_written();

  /// Who is at the other end, where TLS with a judge established it.
  [[nodiscard]] const std::optional<PeerIdentity>& peer() const;
  /// Server side, after the handshake: a stranger who wants to begin trust. peer() is empty then.
  [[nodiscard]] bool enrolment() const;
  /// After the handshake: a copy of what the other end presented, judged or not.
  [[nodiscard]] Result<Presentation> presentation() const;
  /// Asks the context's judge again about the chain that was presented; peer() is what it says now. Nothing to judge
  /// (no TLS, a handshake that goes on, a stranger): no error.
  Result<void> judge_again();
  /// A balancer in front of us said whose connection it carries: what remote() answers from here on.
  void comes_from(std::string remote);
  [[nodiscard]] std::optional<UnixCredentials> unix_credentials() const;
  /// `192.0.2.1:4711`, `[2001:db8::1]:4711` or `unix`.
  [[nodiscard]] const std::string& remote() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the one pending wait
};

}  // namespace fedgate::net
