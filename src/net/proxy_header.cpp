// SPDX-License-Identifier: Apache-2.0
#include "net/proxy_header.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <vector>

namespace fedgate::net {
namespace {

namespace ip = boost::asio::ip;

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view begin_v1 = "PROXY ";
constexpr std::size_t fixed_v2 = 16;
// No header of version 1 is shorter, and version 2 is told apart in as many bytes: nothing behind either is read.
constexpr std::size_t first_read = 8;

std::unexpected<Error> malformed(std::string_view why) { return fail(Code::bad_request, std::string(why)); }

unsigned octet(std::string_view bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at]); }

std::string written(const ip::address& address, unsigned port) {
  const std::string host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  return host + ":" + std::to_string(port);
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const auto space = line.find(' ');
    words.push_back(line.substr(0, space));
    if (space == std::string_view::npos) return words;
    line.remove_prefix(space + 1);
  }
}

Result<unsigned> port_of(std::string_view text) {
  unsigned port = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool leading_zero = text.size() > 1 && text.front() == '0';
  if (ec != std::errc{} || end != text.data() + text.size() || port > 65'535 || leading_zero)
    return malformed("a port that is none");
  return port;
}

template <class Address>
Address address_at(std::string_view payload) {
  typename Address::bytes_type bytes;
  std::copy_n(payload.begin(), bytes.size(), bytes.begin());
  return Address(bytes);
}

/// Appends exactly `size` bytes.
Task<Result<void>> read_more(Stream& stream, std::string& into, std::size_t size, SteadyTime deadline) {
  std::array<char, longest_proxy_header_v2> bytes;
  while (size > 0) {
    auto got = co_await stream.read_some({bytes.data(), std::min(size, bytes.size())}, deadline);
    if (!got) co_return fail(std::move(got.error()));
    if (*got == 0) co_return fail(Code::io_error, "the connection ended within it");
    into.append(bytes.data(), *got);
    size -= *got;
  }
  co_return Result<void>{};
}

}  // namespace

Result<std::string> parse_proxy_v1(std::string_view line) {
  if (!line.starts_with(begin_v1)) return malformed("it does not begin with PROXY");
  const auto words = words_of(line.substr(begin_v1.size()));
  if (words.front() == "UNKNOWN") return std::string();
  if (words.size() != 5 || (words.front() != "TCP4" && words.front() != "TCP6"))
    return malformed("neither TCP4, TCP6 nor UNKNOWN with its four values");
  std::array<ip::address, 2> addresses;
  for (std::size_t i = 0; i < 2; ++i) {
    boost::system::error_code ec;
    addresses[i] = ip::make_address(std::string(words[i + 1]), ec);
    if (ec || addresses[i].is_v4() != (words.front() == "TCP4")) return malformed("an address that is none");
  }
  auto port = port_of(words[3]);
  auto to = port_of(words[4]);
  if (!port || !to) return malformed("a port that is none");
  return written(addresses.front(), *port);
}

Result<std::string> parse_proxy_v2(std::string_view fixed, std::string_view payload) {
  if (fixed.size() != fixed_v2 || !fixed.starts_with(signature)) return malformed("not the signature of version 2");
  const unsigned version = octet(fixed, 12) >> 4;
  const unsigned command = octet(fixed, 12) & 0x0F;
  const unsigned family = octet(fixed, 13) >> 4;
  const unsigned transport = octet(fixed, 13) & 0x0F;
  if (version != 2 || command > 1) return malformed("an unknown version or command");
  if (command == 0) return std::string();  // LOCAL: the balancer's own health check
  if (family > 3 || transport > 2) return malformed("an unknown address family or transport");
  if (family == 0 || family == 3 || transport != 1) return std::string();
  const std::size_t size = family == 1 ? 4 : 16;
  if (payload.size() < 2 * size + 4) return malformed("too short for its addresses");
  const unsigned port = octet(payload, 2 * size) << 8 | octet(payload, 2 * size + 1);
  if (family == 1) return written(address_at<ip::address_v4>(payload), port);
  return written(address_at<ip::address_v6>(payload), port);
}

Task<Result<std::string>> read_proxy_header(Stream& stream, SteadyTime deadline) {
  std::string header;
  auto read = co_await read_more(stream, header, first_read, deadline);
  if (!read) co_return fail(std::move(read.error()));
  if (header == signature.substr(0, first_read)) {
    read = co_await read_more(stream, header, fixed_v2 - first_read, deadline);
    if (!read) co_return fail(std::move(read.error()));
    const std::size_t size = octet(header, 14) << 8 | octet(header, 15);
    if (!header.starts_with(signature) || fixed_v2 + size > longest_proxy_header_v2)
      co_return malformed("not the signature of version 2, or too long");
    std::string payload;
    read = co_await read_more(stream, payload, size, deadline);
    if (!read) co_return fail(std::move(read.error()));
    co_return parse_proxy_v2(header, payload);
  }
  if (!header.starts_with(begin_v1)) co_return malformed("neither of version 1 nor of version 2");
  while (!header.ends_with("\r\n")) {
    if (header.size() >= longest_proxy_header_v1) co_return malformed("a line that does not end");
    read = co_await read_more(stream, header, 1, deadline);
    if (!read) co_return fail(std::move(read.error()));
  }
  header.resize(header.size() - 2);
  co_return parse_proxy_v1(header);
}

}  // namespace fedgate::net
