// SPDX-License-Identifier: Apache-2.0
//
// A TLS client of plain OpenSSL that asks once on each connection, keeps sessions and notes every alert it gets.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "raw_socket.h"

namespace fedgate::net::test {

inline constexpr std::string_view who_request = "GET /who HTTP/1.1\r\nHost: gate.example\r\n\r\n";
/// ALPN as it stands on the wire.
inline constexpr std::string_view alpn_http("\x08http/1.1", 9);
inline constexpr std::string_view alpn_h2("\x02h2", 3);
inline constexpr std::string_view alpn_enrolment(
    "\x0f"
    "fedgate-enrol/1",
    16);
/// The one alert of every refusal: fatal, handshake_failure.
inline constexpr int refusal = 2 * 256 + 40;

struct FreeCtx {
  void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
};
using Ctx = std::unique_ptr<SSL_CTX, FreeCtx>;

/// A raw client that keeps the newest session it was given.
struct RawClient {
  explicit RawClient(const std::string& name, bool with_certificate = true) {
    const Credential credential = make_credential(name);
    ctx.reset(RawTls::make_context(false, with_certificate ? &credential : nullptr));
    SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_CLIENT);
    SSL_CTX_set_app_data(ctx.get(), this);
    SSL_CTX_sess_set_new_cb(ctx.get(), [](SSL* ssl, SSL_SESSION* session) {
      auto* self = static_cast<RawClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
      SSL_SESSION_free(self->session);
      self->session = session;
      return 1;
    });
    SSL_CTX_set_info_callback(ctx.get(), [](const SSL* ssl, int where, int what) {
      if ((where & SSL_CB_ALERT) == 0 || (where & SSL_CB_READ) == 0) return;
      static_cast<RawClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->alerts.push_back(what);
    });
  }
  ~RawClient() { SSL_SESSION_free(session); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  struct Outcome {
    std::string answer;
    std::string reason;
    std::vector<int> alerts;  // every one received: level * 256 + description
    bool resumed = false;
  };
  /// Asks once on a connection of its own.
  Outcome ask(std::uint16_t port, const std::string& sni = "gate.example", std::string_view alpn = {}) {
    if (!alpn.empty())
      SSL_CTX_set_alpn_protos(ctx.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                              static_cast<unsigned>(alpn.size()));
    return ask(RawSocket::connect(port), sni);
  }
  Outcome ask(RawSocket socket, const std::string& sni) {
    alerts.clear();
    RawTls tls(std::move(socket), ctx.get(), false, sni, session);
    if (!tls.ok()) return {.answer = {}, .reason = tls.reason(), .alerts = alerts};
    const bool resumed = SSL_session_reused(tls.ssl()) == 1;
    tls.send(who_request);
    std::string answer = tls.receive();
    Outcome outcome{.answer = std::move(answer), .reason = tls.reason(), .alerts = alerts, .resumed = resumed};
    SSL_shutdown(tls.ssl());
    return outcome;
  }
  Ctx ctx;
  SSL_SESSION* session = nullptr;
  std::vector<int> alerts;
};

}  // namespace fedgate::net::test
