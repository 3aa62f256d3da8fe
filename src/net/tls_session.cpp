// SPDX-License-Identifier: Apache-2.0
#include "net/tls_session.h"

#include <openssl/err.h>

#include <boost/asio/ip/address.hpp>

namespace fedgate::net {
namespace {

// Four certificates of some 2 KiB, a staple, and room; a ClientHello alone could be 128 KiB.
constexpr std::uint64_t longest_handshake = 48 * 1024;
constexpr std::string_view exporter_label = "EXPORTER-Channel-Binding";  // RFC 9266

bool is_address(const std::string& name) {
  boost::system::error_code ec;
  boost::asio::ip::make_address(name, ec);
  return !ec;
}

/// Where an SSL keeps the Verdict of its connection.
int verdict_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

std::string der_of(const X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return {};
  std::string der(static_cast<std::size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509(certificate, &out);
  return der;
}

}  // namespace

Verdict* verdict_of(const SSL* ssl) { return static_cast<Verdict*>(SSL_get_ex_data(ssl, verdict_index())); }

Result<SslHandle> begin_tls(const TlsContext& context, int descriptor, Verdict& verdict) {
  ERR_clear_error();
  SslHandle ssl(SSL_new(context.native()));
  if (!ssl || SSL_set_fd(ssl.get(), descriptor) != 1 || SSL_set_ex_data(ssl.get(), verdict_index(), &verdict) != 1) {
    return fail(tls_error("starting TLS"));
  }
  verdict.descriptor = descriptor;
  if (context.side() == TlsSide::server) {
    SSL_set_accept_state(ssl.get());
    return ssl;
  }
  SSL_set_connect_state(ssl.get());
  if (!verdict.expected.empty() && !is_address(verdict.expected)) {
    if (SSL_set_tlsext_host_name(ssl.get(), verdict.expected.c_str()) != 1)
      return fail(tls_error("setting the server name"));
  }
  if (SSL_SESSION* session = context.session_for(verdict.expected)) {
    SSL_set_session(ssl.get(), session);
    SSL_SESSION_free(session);
  }
  return ssl;
}

bool handshake_too_long(const SSL* ssl) { return BIO_number_read(SSL_get_rbio(ssl)) > longest_handshake; }

std::string staple_of(SSL* ssl) {
  const unsigned char* bytes = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(ssl, &bytes);
  if (size > 0) return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
  if (SSL_session_reused(ssl) != 1) return {};
  void* kept = nullptr;
  std::size_t length = 0;
  SSL_SESSION* session = SSL_get_session(ssl);
  if (session == nullptr || SSL_SESSION_get0_ticket_appdata(session, &kept, &length) != 1 || kept == nullptr) return {};
  return {static_cast<const char*>(kept), length};
}

Result<Presentation> presentation_of(SSL* ssl) {
  ERR_clear_error();
  Presentation seen;
  const X509* leaf = SSL_get0_peer_certificate(ssl);
  if (leaf != nullptr) seen.leaf = der_of(leaf);
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  // A client's copy of the chain begins with the leaf, a server's does not.
  for (int i = SSL_is_server(ssl) == 1 ? 0 : 1; i < sk_X509_num(chain); ++i) {
    seen.rest.push_back(der_of(sk_X509_value(chain, i)));
  }
  if (SSL_export_keying_material(ssl, seen.exporter.data(), seen.exporter.size(), exporter_label.data(),
                                 exporter_label.size(), nullptr, 0, 0) != 1) {
    return fail(tls_error("exporting the channel binding"));
  }
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &name, &size);
  if (size > 0) seen.protocol.assign(reinterpret_cast<const char*>(name), size);
  seen.resumed = SSL_session_reused(ssl) == 1;
  if (SSL_is_server(ssl) == 0) seen.ocsp = staple_of(ssl);
  seen.received = BIO_number_read(SSL_get_rbio(ssl));
  return seen;
}

Error tls_error(std::string_view doing) {
  const unsigned long first = ERR_get_error();
  ERR_clear_error();
  if (first == 0) return {Code::io_error, std::string(doing) + ": the connection was closed"};
  const char* reason = ERR_reason_error_string(first);
  const std::string why = std::string(doing) + ": " + (reason != nullptr ? reason : "unknown OpenSSL error");
  const bool alert = ERR_GET_LIB(first) == ERR_LIB_SSL && ERR_GET_REASON(first) >= SSL_AD_REASON_OFFSET;
  return {alert ? Code::peer_refused : Code::io_error, why};
}

}  // namespace fedgate::net
