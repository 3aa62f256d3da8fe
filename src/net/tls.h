// SPDX-License-Identifier: Apache-2.0
//
// TLS 1.3 contexts. Whom to believe is not decided here: a Judge, given by trust, sees the presented chain
// and answers with an identity or a refusal; OpenSSL's own chain verification is replaced by it
// (SSL_CTX_set_cert_verify_callback). No early data, no renegotiation, no session tickets
// (SSL_OP_NO_TICKET: with stateless tickets OpenSSL does not run the verify callback and the presented chain
// is gone); sessions are kept on our side, bounded, bound to one context, and the judge is asked again when
// one is resumed. Whatever a server refuses, it refuses with one alert, handshake_failure.
// A server context may also take connections of strangers who want to begin trust (ALPN fedgate-enrol/1): always a
// full handshake, a certificate that nobody judges yet, no session kept.
// Immutable once built, but for the staple; a reload builds another. Any thread.
#pragma once

#include <openssl/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/principal.h"
#include "fedgate/result.h"

// <openssl/types.h> leaves this one out.
using SSL_SESSION = struct ssl_session_st;

struct ssl_session_st;

namespace fedgate::net {

/// What the other side presented, leaf first, as OpenSSL holds it; valid during the judge's call only.
struct PresentedChain {
  X509* leaf = nullptr;
  std::vector<X509*> rest;
  /// Client side: the server name that was asked for (the node_id we meant to reach). Server side: empty.
  std::string expected;
  /// Client side: the OCSP response (DER) that the server stapled, in this handshake or in the one that the resumed
  /// session began with; empty: none. (OpenSSL 3.0 has no staple for a client's certificate.)
  std::string ocsp;
};

/// ALPN of a connection on which trust begins.
inline constexpr std::string_view enrolment_protocol = "fedgate-enrol/1";

/// What one end of a TLS connection knows of the other beyond any judgement, copied.
struct Presentation {
  std::string leaf;                         ///< DER; empty: no certificate was presented
  std::vector<std::string> rest;            ///< DER, in the order presented
  std::array<std::uint8_t, 32> exporter{};  ///< RFC 9266, the same at both ends of this connection and of no other
  bool resumed = false;                     ///< then the exporter must not be relied upon
  std::string protocol;                     ///< the ALPN that was agreed; empty: none
  std::string ocsp;                         ///< client side: the server's staple, DER
  std::size_t received = 0;                 ///< bytes of the handshake
};

class EnrolmentGate;

using Judge = std::function<Result<PeerIdentity>(const PresentedChain&)>;

struct TlsOptions {
  std::string certificate_pem;  ///< leaf first, then intermediates
  std::string key_pem;          ///< secret
  /// Absent: the other side needs no certificate (server) or is not judged (never used for peers).
  Judge judge;
  std::vector<std::string> alpn{"http/1.1"};
  /// A client's SNI must be this name (server); empty: any. Mismatch is refused like everything else.
  std::string server_name;
  std::size_t session_cache = 20'000;  ///< 0: no session is kept or resumed
  /// Server: lets strangers in who want to begin trust; null: nobody.
  std::shared_ptr<EnrolmentGate> enrolment;
};

struct Verdict;

enum class TlsSide : std::uint8_t { server, client };

class TlsContext {
 public:
  /// Code::invalid_certificate: unreadable PEM, or a key that is not the certificate's.
  static Result<std::shared_ptr<TlsContext>> make(TlsSide side, const TlsOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] SSL_CTX* native() const;
  [[nodiscard]] const TlsOptions& options() const;
  [[nodiscard]] TlsSide side() const;
  /// Forgets the sessions of this node (a revocation), all of them when `node` is empty.
  void forget_sessions(const NodeId& node);
  /// Server side: the OCSP response (DER) for our own certificate that clients get from here on; empty: none.
  void staple(std::string response);

  // For Stream:
  /// After the handshake: what stands is the judgement of now, on resumed sessions too. A refusal drops the session
  /// and, on the server side, sends the alert; an acceptance gives the client its next session.
  Result<void> conclude(SSL* ssl, Verdict& verdict) const;
  /// Of a connection that is open: the judgement of now. On a refusal the verdict names nobody any more; what was
  /// agreed with the other side stays as it is.
  Result<void> judge_again(SSL* ssl, Verdict& verdict) const;
  /// Client side: the newest session with this server, a reference of the caller's own; null where there is none.
  [[nodiscard]] ssl_session_st* session_for(const std::string& name) const;

 private:
  struct State;
  explicit TlsContext(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fedgate::net
