// SPDX-License-Identifier: Apache-2.0
//
// What one connection and its TlsContext share: how the stream starts OpenSSL on a descriptor, and where the
// judge's verdict lands. Used by
// stream.cpp, tls.cpp and tls_session.cpp only.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>

#include "fedgate/principal.h"
#include "fedgate/result.h"
#include "net/admission.h"
#include "net/tls.h"

namespace fedgate::net {

/// Stays where it is as long as the SSL that points to it.
struct Verdict {
  std::string expected;  ///< client side: SNI, and whom the judge must find
  std::string remote;    ///< server side: Stream::remote(), by which strangers are counted
  std::optional<PeerIdentity> identity;
  std::optional<Error> refusal;  ///< for our own log; the other side learns nothing of it
  bool enrolment = false;        ///< server side: a stranger who wants to begin trust
  Ticket place;                  ///< its place at the enrolment gate, as long as the connection lives
  bool concluded = false;        ///< the handshake is over and has been judged
  unsigned afterwards = 0;       ///< handshake messages since then: key updates, tickets
  int descriptor = -1;
};

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslHandle = std::unique_ptr<SSL, FreeSsl>;

/// Null before begin_tls().
Verdict* verdict_of(const SSL* ssl);
/// Ready for SSL_do_handshake; on the client side with the newest session for `verdict.expected`.
Result<SslHandle> begin_tls(const TlsContext& context, int descriptor, Verdict& verdict);
/// Client side: the server's OCSP response; on a resumed connection the one of its session's beginning.
std::string staple_of(SSL* ssl);
/// More has come than any honest handshake needs.
bool handshake_too_long(const SSL* ssl);
/// After the handshake. Code::internal where OpenSSL has no more memory.
Result<Presentation> presentation_of(SSL* ssl);
/// The oldest entry of this thread's OpenSSL error queue as an Error; empties the queue. A fatal alert from the
/// other side is Code::peer_refused, anything else Code::io_error.
Error tls_error(std::string_view doing);

}  // namespace fedgate::net
