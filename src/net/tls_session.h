// SPDX-License-Identifier: Apache-2.0
//
// What one connection and its TlsContext share: how the stream starts OpenSSL on a descriptor, and where the
// judge's verdict lands. Used by stream.cpp and tls.cpp only.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>

#include "fedgate/principal.h"
#include "fedgate/result.h"
#include "net/tls.h"

namespace fedgate::net {

/// Stays where it is as long as the SSL that points to it.
struct Verdict {
  std::string expected;  ///< client side: SNI, and whom the judge must find
  std::optional<PeerIdentity> identity;
  std::optional<Error> refusal;  ///< for our own log; the other side learns nothing of it
};

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslHandle = std::unique_ptr<SSL, FreeSsl>;

/// Ready for SSL_do_handshake; on the client side with the newest session for `verdict.expected`.
Result<SslHandle> begin_tls(const TlsContext& context, int descriptor, Verdict& verdict);
/// After the handshake: asks the judge again where the session was resumed.
Result<void> judge_finished(const TlsContext& context, SSL* ssl, Verdict& verdict);
/// The oldest entry of this thread's OpenSSL error queue as an Error; empties the queue. A fatal alert from the
/// other side is Code::peer_refused, anything else Code::io_error.
Error tls_error(std::string_view doing);

}  // namespace fedgate::net
