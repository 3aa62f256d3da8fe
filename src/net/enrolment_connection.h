// SPDX-License-Identifier: Apache-2.0
//
// The calling side of a connection on which trust begins: a full TLS handshake with ALPN fedgate-enrol/1, whatever
// certificate the server has (the caller judges it against the bundle it gets), then a few bounded requests one after
// the other on this connection alone, then the end. Never pooled, never resumed. Belongs to one coroutine on one
// worker.
#pragma once

#include <memory>
#include <string>

#include "base/task.h"
#include "base/worker.h"
#include "net/http_client.h"
#include "net/http_message.h"
#include "net/tls.h"

namespace fedgate::net {

class EnrolmentConnection {
 public:
  /// A context to connect with: our certificate, the enrolment protocol, no judge, no sessions.
  /// Code::invalid_certificate as TlsContext::make().
  static Result<std::shared_ptr<TlsContext>> make_tls(std::string certificate_pem, std::string key_pem);

  /// `where.tls` is made by make_tls(), `where.server_name` is the node_id to reach; `pool_key` is not used.
  /// Code::peer_unreachable (resolve, connect, handshake: closed to us, or another protocol), deadline_exceeded.
  static Task<Result<EnrolmentConnection>> open(Worker& worker, const Destination& where, SteadyTime deadline);
  ~EnrolmentConnection();
  EnrolmentConnection(EnrolmentConnection&&) noexcept;
  EnrolmentConnection& operator=(EnrolmentConnection&&) noexcept;

  /// The server's chain, as yet believed by nobody, and the exporter.
  [[nodiscard]] const Presentation& server() const;
  /// Errors as HttpClient::send(), and peer_refused where the server closed the door in the handshake's last step.
  /// After an error, or an answer that closes, there is no further request: Code::peer_unreachable.
  Task<Result<Response>> send(const Request& request, SteadyTime deadline);
  void close() noexcept;

 private:
  struct State;
  explicit EnrolmentConnection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fedgate::net
