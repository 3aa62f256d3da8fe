// SPDX-License-Identifier: Apache-2.0
//
// A few bounded requests, one after the other, over one connection that is not pooled: where trust begins, and where
// an operator has a peer examined. Belongs to one coroutine on one worker.
#pragma once

#include <memory>
#include <string>

#include "base/task.h"
#include "net/http_message.h"
#include "net/stream.h"

namespace fedgate::net {

class Dialogue {
 public:
  /// Over a stream that is connected, with TLS established where that is wanted. `host` is the Host header.
  Dialogue(Stream stream, std::string host);
  ~Dialogue();
  Dialogue(Dialogue&&) noexcept;
  Dialogue& operator=(Dialogue&&) noexcept;

  /// Errors as HttpClient::send(), and peer_refused where the server closed the door in the handshake's last step.
  /// After an error, or an answer that closes, there is no further request: Code::peer_unreachable.
  Task<Result<Response>> send(const Request& request, SteadyTime deadline);
  void close() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fedgate::net
