// SPDX-License-Identifier: Apache-2.0
//
// Somebody at the peers listener who wants to begin trust and does not have to keep to the dialogue: plain OpenSSL,
// from any address of loopback, with whatever bytes the test wants. Blocking, one thread.
#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/time.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

#include "net/tls.h"
#include "support/federation.h"
#include "support/loopback.h"
#include "trust/enrolment.h"
#include "trust/initiator.h"
#include "wire/bundle_text.h"
#include "wire/trust_dialogue.h"

namespace fedgate::test {

/// An organisation that has no gateway: a name, a CA, a leaf, and the bundle that it shows.
struct Claimant {
  NodeId id;
  trust::CertificateAndKey ca, leaf;
  Bundle bundle;

  Claimant(const std::string& name, const Clock& clock, const std::string& spiffe_id = {}) {
    const auto since = clock.wall() - std::chrono::hours(1);
    id = NodeId::parse(name).value();
    ca = trust::make_dev_ca(name, since).value();
    trust::LeafRequest request;
    if (spiffe_id.empty()) request.dns_names = {name};
    request.spiffe_id = spiffe_id;
    request.not_before = since;
    leaf = trust::issue_dev_leaf(ca, request).value();
    bundle.node = id;
    bundle.endpoints = {"https://gate." + name + ":8443"};
    bundle.principal_domains = {Domain::parse(name).value()};
    bundle.anchors = {ca.certificate_pem};
  }
  /// With the key of a gateway that there is: as its owner, or its thief.
  explicit Claimant(const Organisation& of) : id(of.id), ca(of.ca), leaf(of.leaf) {
    bundle.node = id;
    bundle.endpoints = {"https://gate." + id.str() + ":8443"};
    bundle.principal_domains = {Domain::parse(id.view()).value()};
    bundle.anchors = {ca.certificate_pem};
  }
  [[nodiscard]] trust::OwnParty party() const {
    return {wire::state_bundle(bundle).value(), leaf.certificate_pem, leaf.key_pem};
  }
};

class Stranger {
 public:
  static constexpr const char* challenge_path = "/api/v2/federation/trust/challenge";
  static constexpr const char* trust_path = "/api/v2/federation/trust";

  /// Comes from this address of loopback to the peers listener of `to`.
  Stranger(const trust::CertificateAndKey& who, const Organisation& to, const std::string& from = "127.0.0.1")
      : to_(to.id.str()), context_(SSL_CTX_new(TLS_client_method())) {
    use(who);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_3_VERSION);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    auto own = loopback(0);
    ::inet_pton(AF_INET, from.c_str(), &own.sin_addr);
    const auto peers = to.gateway->peers_address();
    const auto other = loopback(static_cast<std::uint16_t>(std::atoi(peers.substr(peers.rfind(':') + 1).c_str())));
    const void* here = &own;
    const void* there = &other;
    if (::bind(socket_, static_cast<const sockaddr*>(here), sizeof own) != 0 ||
        ::connect(socket_, static_cast<const sockaddr*>(there), sizeof other) != 0)
      throw std::runtime_error("no connection from " + from);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), socket_);
    SSL_set_tlsext_host_name(ssl_.get(), to_.c_str());
    std::string alpn(1, static_cast<char>(net::enrolment_protocol.size()));
    alpn += net::enrolment_protocol;
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                        static_cast<unsigned>(alpn.size()));
    open_ = SSL_connect(ssl_.get()) == 1;
  }
  ~Stranger() {
    ssl_.reset();
    ::close(socket_);
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  /// The handshake went well, as far as it can be seen from here.
  [[nodiscard]] bool open() const { return open_; }

  [[nodiscard]] net::Presentation shown() const {
    net::Presentation seen;
    const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl_.get());
    for (int i = 0; i < sk_X509_num(chain); ++i) {
      X509* one = sk_X509_value(chain, i);
      std::string der(static_cast<std::size_t>(i2d_X509(one, nullptr)), '\0');
      auto* at = reinterpret_cast<unsigned char*>(der.data());
      i2d_X509(one, &at);
      if (i == 0)
        seen.leaf = std::move(der);
      else
        seen.rest.push_back(std::move(der));
    }
    constexpr std::string_view label = "EXPORTER-Channel-Binding";
    if (SSL_export_keying_material(ssl_.get(), seen.exporter.data(), seen.exporter.size(), label.data(), label.size(),
                                   nullptr, 0, 1) != 1)
      throw std::runtime_error("exporter");
    return seen;
  }

  [[nodiscard]] bool write(const std::string& bytes) const {
    return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
  }
  /// Nothing arrives any more: the other side has closed, or alerted.
  [[nodiscard]] bool closed() const {
    char byte = 0;
    return SSL_read(ssl_.get(), &byte, 1) <= 0;
  }
  /// 0: no answer.
  int post(const std::string& path, const std::string& body_text) {
    body.clear();
    if (!write("POST " + path + " HTTP/1.1\r\nHost: " + to_ + "\r\nContent-Type: application/json\r\nContent-Length: " +
               std::to_string(body_text.size()) + "\r\n\r\n" + body_text))
      return 0;
    return read_answer();
  }
  int read_answer() {
    std::string text;
    std::size_t wanted = std::string::npos;
    while (text.size() < wanted) {
      char part[4096];
      const int got = SSL_read(ssl_.get(), part, sizeof part);
      if (got <= 0) return 0;
      text.append(part, static_cast<std::size_t>(got));
      const auto end = text.find("\r\n\r\n");
      const auto length = text.find("Content-Length: ");
      if (end != std::string::npos && length < end)
        wanted = end + 4 + static_cast<std::size_t>(std::atoi(text.c_str() + length + 16));
    }
    body = text.substr(text.find("\r\n\r\n") + 4);
    return std::atoi(text.c_str() + 9);
  }

  std::string body;  ///< of the last answer

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  void use(const trust::CertificateAndKey& who) {
    const auto leaf = trust::read_certificates(who.certificate_pem, 4).value();
    const auto key = trust::read_private_key(who.key_pem).value();
    if (SSL_CTX_use_certificate(context_.get(), leaf.front().get()) != 1 ||
        SSL_CTX_use_PrivateKey(context_.get(), key.get()) != 1)
      throw std::runtime_error("certificate or key");
    for (std::size_t i = 1; i < leaf.size(); ++i) SSL_CTX_add1_chain_cert(context_.get(), leaf[i].get());
  }

  std::string to_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  int socket_ = -1;
  bool open_ = false;
};

/// One side of the dialogue over a Stranger's connection, step by step, each of which a test can spoil.
class Asking {
 public:
  Asking(Claimant who, Stranger& over, const Organisation& to, const Clock& clock,
         std::optional<trust::InviteToken> token = std::nullopt)
      : party(who.party()),
        token_(std::move(token)),
        initiator(party, token_, to.id, {}, clock, system_entropy()),
        over_(over),
        link(trust::enrolment_link(over.shown(), "somewhere").value()) {}

  /// The answer's status; with 200 the challenge is there.
  int challenge() {
    const auto request = initiator.begin();
    if (!request) throw std::runtime_error(request.error().detail);
    const int status = over_.post(Stranger::challenge_path, wire::challenge_request_body(*request));
    if (status != 200) return status;
    json::Parser parser;
    answer = wire::parse_challenge_answer(parser, over_.body).value();
    return status;
  }
  TrustRequest proof() {
    if (auto checked = initiator.check(answer, link); !checked) throw std::runtime_error(checked.error().detail);
    return initiator.prove().value();
  }
  int trust(const TrustRequest& request) { return over_.post(Stranger::trust_path, wire::trust_request_body(request)); }
  int whole() {
    const int status = challenge();
    return status == 200 ? trust(proof()) : status;
  }

  trust::OwnParty party;

 private:
  std::optional<trust::InviteToken> token_;

 public:
  trust::Initiator initiator;
  ChallengeAnswer answer;

 private:
  Stranger& over_;

 public:
  trust::EnrolmentLink link;
};

}  // namespace fedgate::test
