// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.1 messages as values (RFC 9110, RFC 9112). Headers keep their bytes in one buffer that is reused
// from message to message on a connection. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fedgate::net {

class Headers {
 public:
  struct View {
    std::string_view name;
    std::string_view value;
  };
  /// Names compare without case. The first one's value; std::nullopt where there is none.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;
  /// The caller has made sure that neither holds CR, LF or NUL; the server and client refuse to send such.
  void add(std::string_view name, std::string_view value);
  void clear();
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  [[nodiscard]] View at(std::size_t i) const;

 private:
  struct Place {
    std::uint32_t name, name_size, value, value_size;
  };
  std::string bytes_;
  std::vector<Place> places_;
};

struct Request {
  std::string method;  ///< one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS
  std::string target;  ///< origin-form: path and query as received
  Headers headers;  ///< sending: without Host, Content-Length, Transfer-Encoding, Connection; the client writes those
  std::string body;
  bool keep_alive = true;

  [[nodiscard]] std::string_view path() const;   ///< before '?', still percent-encoded
  [[nodiscard]] std::string_view query() const;  ///< after '?', without it
};

struct Response {
  std::uint16_t status = 200;
  Headers headers;  ///< without Content-Length, Connection, Date: the server writes those
  std::string body;
  bool close = false;  ///< end the connection after this answer
};

std::string_view reason_phrase(std::uint16_t status);
/// RFC 3986 section 2.1 of one path segment or query value; nullopt for a bad escape, NUL or other control.
std::optional<std::string> percent_decode(std::string_view text);
/// Everything but unreserved characters is escaped.
std::string percent_encode(std::string_view text);
/// Value of `name` in `a=b&c=d`, decoded; nullopt where absent or badly escaped.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace fedgate::net
