// SPDX-License-Identifier: Apache-2.0
//
// Blocking sockets and OpenSSL without any of our own code: what the other end of a connection sees.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "support/loopback.h"
#include "test_certificates.h"

namespace fedgate::net::test {

class RawSocket {
 public:
  explicit RawSocket(int fd) : fd_(fd) { patience(std::chrono::seconds(10)); }
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawSocket& operator=(RawSocket&&) = delete;
  ~RawSocket() { close(); }

  static RawSocket connect(std::uint16_t port) {
    auto address = fedgate::test::loopback(port);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("connect");
    return RawSocket(fd);
  }
  static RawSocket connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("connect");
    return RawSocket(fd);
  }

  void patience(std::chrono::milliseconds time) const {
    const timeval value{.tv_sec = time.count() / 1000, .tv_usec = (time.count() % 1000) * 1000};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value);
  }
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// What one recv gives; empty at the end, std::nullopt on an error or where nothing comes.
  [[nodiscard]] std::optional<std::string> receive() const {
    char bytes[4096];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    if (n < 0) return std::nullopt;
    return std::string(bytes, static_cast<std::size_t>(n));
  }
  /// Everything up to an orderly end; throws when the connection is reset or stays open.
  [[nodiscard]] std::string all() const {
    std::string got;
    while (true) {
      auto some = receive();
      if (!some) throw std::runtime_error("no orderly end after: " + got);
      if (some->empty()) return got;
      got += *some;
    }
  }
  /// One answer with its Content-Length; what came behind it is kept for the next.
  std::string answer(bool head_only = false) {
    while (true) {
      const auto end = kept_.find("\r\n\r\n");
      if (end != std::string::npos) {
        std::size_t size = end + 4;
        const auto length = kept_.find("Content-Length: ");
        if (!head_only && length < end) size += std::stoul(kept_.substr(length + 16));
        if (kept_.size() >= size) {
          std::string first = kept_.substr(0, size);
          kept_.erase(0, size);
          return first;
        }
      }
      auto some = receive();
      if (!some || some->empty()) throw std::runtime_error("no whole answer: " + kept_);
      kept_ += *some;
    }
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const std::string& kept() const { return kept_; }

 private:
  int fd_;
  std::string kept_;
};

/// A TLS client (or, accepted, server) of its own.
class RawTls {
 public:
  static SSL_CTX* make_context(bool server, const Credential* credential) {
    SSL_CTX* ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (credential != nullptr) {
      BIO* bio = BIO_new_mem_buf(credential->certificate.data(), -1);
      X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
      BIO_free(bio);
      bio = BIO_new_mem_buf(credential->key.data(), -1);
      EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
      BIO_free(bio);
      SSL_CTX_use_certificate(ctx, certificate);
      SSL_CTX_use_PrivateKey(ctx, key);
      X509_free(certificate);
      EVP_PKEY_free(key);
    }
    return ctx;
  }
  RawTls(RawSocket socket, SSL_CTX* ctx, bool server, const std::string& sni = {}, SSL_SESSION* session = nullptr)
      : socket_(std::move(socket)), ssl_(SSL_new(ctx)) {
    SSL_set_fd(ssl_, socket_.fd());
    if (!sni.empty()) SSL_set_tlsext_host_name(ssl_, sni.c_str());
    if (session != nullptr) SSL_set_session(ssl_, session);
    ERR_clear_error();
    ok_ = (server ? SSL_accept(ssl_) : SSL_connect(ssl_)) == 1;
    if (!ok_) note();
  }
  RawTls(const RawTls&) = delete;
  RawTls& operator=(const RawTls&) = delete;
  ~RawTls() { SSL_free(ssl_); }

  [[nodiscard]] bool ok() const { return ok_; }
  bool send(std::string_view bytes) {
    ERR_clear_error();
    const int n = SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
    if (n <= 0) note();
    return n == static_cast<int>(bytes.size());
  }
  /// Empty at the end, however it came; reason() says how.
  std::string receive() {
    char bytes[4096];
    ERR_clear_error();
    const int n = SSL_read(ssl_, bytes, sizeof bytes);
    if (n <= 0) {
      orderly_ = SSL_get_error(ssl_, n) == SSL_ERROR_ZERO_RETURN;
      note();
      return {};
    }
    return {bytes, static_cast<std::size_t>(n)};
  }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] bool orderly() const { return orderly_; }
  [[nodiscard]] SSL* ssl() const { return ssl_; }
  RawSocket& socket() { return socket_; }

 private:
  void note() {
    const char* text = ERR_reason_error_string(ERR_peek_error());
    reason_ = text != nullptr ? text : "";
  }
  RawSocket socket_;
  SSL* ssl_;
  bool ok_ = false;
  bool orderly_ = false;
  std::string reason_;
};

/// Accepts on loopback and runs `talk` for each connection, one after the other, on a thread of its own.
class RawServer {
 public:
  explicit RawServer(std::function<void(RawSocket, int number)> talk) : talk_(std::move(talk)) {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = fedgate::test::loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listening_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listening_, 16) != 0)
      throw std::runtime_error("bind");
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { accept(); });
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;
  ~RawServer() {
    ::shutdown(listening_, SHUT_RDWR);
    thread_.join();
    ::close(listening_);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int accepted() const { return accepted_; }

  /// Up to the end of a request's head.
  static std::string head_of(const RawSocket& socket) {
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos) {
      auto some = socket.receive();
      if (!some || some->empty()) return head;
      head += *some;
    }
    return head;
  }

 private:
  void accept() {
    while (true) {
      const int fd = ::accept(listening_, nullptr, nullptr);
      if (fd < 0) return;
      talk_(RawSocket(fd), ++accepted_);
    }
  }
  std::function<void(RawSocket, int)> talk_;
  int listening_;
  std::uint16_t port_ = 0;
  std::atomic<int> accepted_{0};
  std::thread thread_;
};

}  // namespace fedgate::net::test
