// SPDX-License-Identifier: Apache-2.0
//
// Many connections of one organisation to another's peers listener, made with plain OpenSSL, each of them past its
// first answer, and then idle: what a revocation must find and close. Says of each whether it is open. Made by a few
// threads, used by one.
#pragma once

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/loopback.h"
#include "trust/dev_pki.h"

namespace fedgate::test {

/// How much slower everything is.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

class OpenConnections {
 public:
  /// From `who` to the node `to` at this port of loopback.
  OpenConnections(const trust::CertificateAndKey& who, std::string to, std::uint16_t port)
      : context_(SSL_CTX_new(TLS_client_method())), to_(std::move(to)), port_(port) {
    use(who);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_3_VERSION);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
  }
  OpenConnections(const OpenConnections&) = delete;
  OpenConnections& operator=(const OpenConnections&) = delete;

  /// Throws where one of them gets no answer.
  void open(std::size_t count) {
    std::atomic<std::size_t> next{0};
    std::atomic<std::size_t> failed{0};
    const auto first = all_.size();
    all_.resize(first + count);
    std::vector<std::thread> makers;
    for (int i = 0; i < 8; ++i)
      makers.emplace_back([&] {
        for (auto mine = next++; mine < count; mine = next++) {
          all_[first + mine] = connect();
          if (!all_[first + mine]) ++failed;
        }
      });
    for (auto& maker : makers) maker.join();
    if (failed > 0) throw std::runtime_error(std::to_string(failed) + " connections got no answer");
  }
  /// Whether a new one gets an answer.
  [[nodiscard]] bool lets_in() const { return connect() != nullptr; }

  /// Asks again on the first of them.
  [[nodiscard]] bool answers(std::size_t one = 0) const { return ask(*all_.at(one)); }

  /// How many the other side has closed.
  std::size_t closed() {
    std::vector<pollfd> look;
    for (const auto& one : all_)
      if (one && !one->closed) look.push_back({one->socket, POLLIN, 0});
    ::poll(look.data(), look.size(), 0);
    std::size_t at = 0;
    std::size_t gone = 0;
    for (const auto& one : all_) {
      if (one && !one->closed && look.at(at++).revents != 0) one->closed = ended(*one);
      if (!one || one->closed) ++gone;
    }
    return gone;
  }
  [[nodiscard]] std::size_t size() const { return all_.size(); }
  /// When the last was seen to be closed; nothing where one is still open after `bound`.
  std::optional<std::chrono::steady_clock::time_point> all_closed(std::chrono::milliseconds bound) {
    const auto end = std::chrono::steady_clock::now() + bound;
    while (closed() < all_.size()) {
      if (std::chrono::steady_clock::now() > end) return std::nullopt;
      std::this_thread::yield();
    }
    return std::chrono::steady_clock::now();
  }

 private:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  struct One {
    int socket = -1;
    SSL* ssl = nullptr;
    bool closed = false;
    ~One() {
      SSL_free(ssl);
      if (socket >= 0) ::close(socket);
    }
  };

  void use(const trust::CertificateAndKey& who) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> certificate(BIO_new_mem_buf(who.certificate_pem.data(), -1),
                                                                BIO_free);
    const std::unique_ptr<BIO, decltype(&BIO_free)> key(BIO_new_mem_buf(who.key_pem.data(), -1), BIO_free);
    const std::unique_ptr<X509, decltype(&X509_free)> leaf(
        PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr), X509_free);
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> own(
        PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
    if (SSL_CTX_use_certificate(context_.get(), leaf.get()) != 1 ||
        SSL_CTX_use_PrivateKey(context_.get(), own.get()) != 1)
      throw std::runtime_error("certificate or key");
  }

  [[nodiscard]] std::unique_ptr<One> connect() const {
    auto one = std::make_unique<One>();
    one->socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(one->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const auto address = loopback(port_);
    const void* place = &address;
    if (::connect(one->socket, static_cast<const sockaddr*>(place), sizeof address) != 0) return nullptr;
    one->ssl = SSL_new(context_.get());
    SSL_set_fd(one->ssl, one->socket);
    SSL_set_tlsext_host_name(one->ssl, to_.c_str());
    if (SSL_connect(one->ssl) != 1 || !ask(*one)) return nullptr;
    return one;
  }
  /// In TLS 1.3 only an answer says that the other side has accepted us.
  [[nodiscard]] bool ask(const One& one) const {
    const std::string request = "GET /api/v2/health HTTP/1.1\r\nHost: " + to_ + "\r\n\r\n";
    char answer[4096];
    return SSL_write(one.ssl, request.data(), static_cast<int>(request.size())) > 0 &&
           SSL_read(one.ssl, answer, sizeof answer) > 12 && std::string_view(answer).starts_with("HTTP/1.1 200");
  }
  static bool ended(const One& one) {
    ::fcntl(one.socket, F_SETFL, O_NONBLOCK);
    char rest[4096];
    const int got = SSL_read(one.ssl, rest, sizeof rest);
    const bool open = got > 0 || SSL_get_error(one.ssl, got) == SSL_ERROR_WANT_READ;
    ::fcntl(one.socket, F_SETFL, 0);
    return !open;
  }

  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::string to_;
  std::uint16_t port_;
  std::vector<std::unique_ptr<One>> all_;
};

}  // namespace fedgate::test
