// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.1 messages out of bytes, without a socket: Beast's parser behind a small face, so that one unit
// compiles it. It stops after the head, so that the gate (http_gate.h) speaks before a body is read. Its own
// bounds stand beside Beast's, which forget what has been consumed: a head that trickles in line by line, chunk
// extensions, trailers. Belongs to one connection; parses one message after the other.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "fedgate/result.h"
#include "net/http_message.h"

namespace fedgate::net {

struct ParserLimits {
  std::size_t header;  ///< bytes, start line included
  std::size_t body;    ///< bytes
};

template <class Message>
class HttpParser {
 public:
  explicit HttpParser(ParserLimits limits);
  ~HttpParser();
  HttpParser(HttpParser&&) noexcept;
  HttpParser& operator=(HttpParser&&) noexcept;

  /// Begins a message; its parts are written into `message`, which stays where it is until done().
  void start(Message& message);
  /// How many bytes were taken; the rest is to be offered again with more behind it. Returns early once the
  /// head is done. Codes: headers_too_large, uri_too_long (no end of the request line within the limit),
  /// payload_too_large, bad_request.
  Result<std::size_t> feed(std::string_view bytes);
  /// The connection ended. Code::bad_request where the message needed more.
  Result<void> feed_end();
  /// Before the head's end is fed: a response to HEAD has no body, whatever it says.
  void expect_no_body();

  [[nodiscard]] bool head_done() const;
  [[nodiscard]] bool done() const;
  [[nodiscard]] unsigned version() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

using RequestParser = HttpParser<Request>;
using ResponseParser = HttpParser<Response>;
extern template class HttpParser<Request>;
extern template class HttpParser<Response>;

}  // namespace fedgate::net
