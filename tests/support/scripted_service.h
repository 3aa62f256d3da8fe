// SPDX-License-Identifier: Apache-2.0
//
// An HTTP service for tests that answers with given bytes, so that it can misbehave in any way: deliberately
// not our own server. One request per connection. On a free TCP port of loopback or on a unix socket; a thread
// of its own, ended by the destructor.
#pragma once

#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "support/loopback.h"

namespace fedgate::support {

class ScriptedService {
 public:
  /// The bytes to answer a request (head and body, as they came) with.
  using Script = std::function<std::string(const std::string& request)>;

  explicit ScriptedService(Script script) : script_(std::move(script)) {
    auto address = test::loopback(0);
    open(AF_INET, address);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ScriptedService(const std::string& unix_path, Script script) : script_(std::move(script)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (unix_path.size() >= sizeof address.sun_path) std::abort();
    unix_path.copy(address.sun_path, unix_path.size());
    open(AF_UNIX, address);
  }
  ~ScriptedService() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  ScriptedService(const ScriptedService&) = delete;
  ScriptedService& operator=(const ScriptedService&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// All requests so far, one after the other.
  [[nodiscard]] std::string seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  static std::string answer(std::string_view status, std::string_view body = "{}",
                            std::string_view headers = "Content-Type: application/json\r\n") {
    return "HTTP/1.1 " + std::string(status) + "\r\n" + std::string(headers) +
           "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + std::string(body);
  }

 private:
  template <class Address>
  void open(int family, const Address& address) {
    listener_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 8) != 0)
      std::abort();
    thread_ = std::thread([this] { serve(); });
  }
  void serve() {
    while (true) {
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      const std::string request = read_request(client);
      {
        const std::lock_guard lock(mutex_);
        seen_ += request;
      }
      const std::string bytes = script_(request);
      std::string_view rest = bytes;
      while (!rest.empty()) {
        const auto count = ::send(client, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (count <= 0) break;  // the caller has gone
        rest.remove_prefix(static_cast<std::size_t>(count));
      }
      ::close(client);
    }
  }
  static std::string read_request(int client) {
    std::string text;
    char buffer[4096];
    std::size_t wanted = std::string::npos;
    while (text.size() < wanted) {
      const auto count = ::recv(client, buffer, sizeof buffer, 0);
      if (count <= 0) break;
      text.append(buffer, static_cast<std::size_t>(count));
      const auto end = text.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const auto length = text.find("Content-Length: ");
      wanted = end + 4 + (length < end ? std::stoul(text.substr(length + 16)) : 0);
    }
    return text;
  }

  Script script_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::string seen_;
  std::thread thread_;
};

}  // namespace fedgate::support
