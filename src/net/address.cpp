// SPDX-License-Identifier: Apache-2.0
#include "net/address.h"

#include <boost/asio/ip/address.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>

#include "net/ascii.h"

namespace fedgate::net {
namespace {

Result<std::uint16_t> parse_port(std::string_view text, std::string_view whole) {
  std::uint16_t port = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (ec != std::errc{} || end != text.data() + text.size()) {
    return fail(Code::invalid_configuration, "'" + std::string(whole) + "': the port must be a number from 0 to 65535");
  }
  return port;
}

bool is_v6(const std::string& host) {
  boost::system::error_code ec;
  boost::asio::ip::make_address_v6(host, ec);
  return !ec;
}

bool is_name(std::string_view host) {
  for (const char c : host) {
    if (!is_letter(c) && !is_digit(c) && c != '-' && c != '.' && c != '_') return false;
  }
  return !host.empty() && host.size() <= 253;
}

}  // namespace

bool Address::loopback() const {
  if (is_unix || same_text(host, "localhost")) return true;
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(host, ec);
  return !ec && address.is_loopback();
}

Result<Address> parse_address(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return fail(Code::invalid_configuration, "'" + std::string(text) + "' is not an address: " + std::string(why) +
                                                 "; write host:port, [v6]:port or unix:/path");
  };
  Address address;
  if (text.starts_with("unix:")) {
    address.host = text.substr(5);
    address.is_unix = true;
    if (!address.host.starts_with('/')) return wrong("the path of a unix socket must be absolute");
    if (address.host.size() > 107) return wrong("the path of a unix socket has at most 107 bytes");
    if (address.host.find('\0') != std::string::npos) return wrong("NUL in a path");
    return address;
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("the port is missing");
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return wrong("a bracket is not closed");
    address.host = host.substr(1, host.size() - 2);
    if (!is_v6(address.host)) return wrong("not an IPv6 address in the brackets");
  } else {
    if (!is_name(host)) return wrong("not a host name or IPv4 address");
    address.host = host;
  }
  auto port = parse_port(text.substr(colon + 1), text);
  if (!port) return fail(std::move(port.error()));
  address.port = *port;
  return address;
}

namespace {

namespace ip = boost::asio::ip;

/// A v4-mapped IPv6 address is the IPv4 address that it holds.
ip::address plain(const ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  return address;
}

std::string octets_of(const ip::address& address) {
  const auto copy = [](const auto& bytes) {
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  return address.is_v4() ? copy(address.to_v4().to_bytes()) : copy(address.to_v6().to_bytes());
}

bool same_bits(const std::string& a, const std::string& b, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (a.compare(0, whole, b, 0, whole) != 0) return false;
  if (bits % 8 == 0) return true;
  const unsigned mask = 0xFFU << (8 - bits % 8);
  return ((static_cast<unsigned char>(a[whole]) ^ static_cast<unsigned char>(b[whole])) & mask) == 0;
}

}  // namespace

bool Network::contains(const ip::address& address) const {
  const auto candidate = plain(address);
  if (candidate.is_v4() != base.is_v4()) return false;
  return same_bits(octets_of(candidate), octets_of(base), bits);
}

Result<Network> parse_network(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return fail(Code::invalid_configuration, "'" + std::string(text) + "' is not a network: " + std::string(why) +
                                                 "; write an address, or one with a prefix as in 192.0.2.0/24");
  };
  const auto slash = text.find('/');
  boost::system::error_code ec;
  Network network;
  network.base = ip::make_address(std::string(text.substr(0, slash)), ec);
  if (ec) return wrong("not an IP address");
  if (network.base != plain(network.base)) return wrong("a v4-mapped address; write the IPv4 address");
  const unsigned most = network.base.is_v4() ? 32 : 128;
  network.bits = most;
  if (slash == std::string_view::npos) return network;
  const std::string_view digits = text.substr(slash + 1);
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), network.bits);
  if (problem != std::errc{} || end != digits.data() + digits.size() || network.bits > most)
    return wrong("the prefix must be a number from 0 to " + std::to_string(most));
  const std::string octets = octets_of(network.base);
  for (unsigned bit = network.bits; bit < most; ++bit) {
    const bool set = (static_cast<unsigned char>(octets[bit / 8]) >> (7 - bit % 8) & 1U) != 0;
    if (set) return wrong("bits are set beyond the prefix");
  }
  return network;
}

ip::address address_of(std::string_view remote) {
  const auto colon = remote.rfind(':');
  std::string_view host = remote.substr(0, colon == std::string_view::npos ? remote.size() : colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code ec;
  const auto address = ip::make_address(std::string(host), ec);
  return ec ? ip::address() : plain(address);
}

std::string source_of(const ip::address& address) {
  const auto one = plain(address);
  std::string octets = octets_of(one);
  if (one.is_v6()) octets.resize(8);
  return octets;
}

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return fail(Code::invalid_configuration, "'" + std::string(text) + "' is not a usable URL: " + std::string(why));
  };
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return wrong(parsed.error().message());
  const boost::urls::url_view& view = *parsed;
  Url url;
  for (const char c : view.scheme()) url.scheme.push_back(lower(c));
  if (url.scheme != "http" && url.scheme != "https") return wrong("only http and https");
  if (view.has_userinfo()) return wrong("user information in a URL; credentials belong into a file");
  if (view.has_query() || view.has_fragment()) return wrong("query or fragment");
  // The address inside the brackets, not the brackets: that is what is connected to.
  const auto host = view.host_type() == boost::urls::host_type::ipv6 ? view.host_address() : view.host();
  for (const char c : host) url.host.push_back(lower(c));
  if (view.host_type() != boost::urls::host_type::ipv6 && !is_name(url.host))
    return wrong("the host is missing or malformed");
  url.port = url.scheme == "https" ? 443 : 80;
  if (view.has_port() && !view.port().empty()) {
    const std::string digits(view.port().begin(), view.port().end());
    auto port = parse_port(digits, text);
    if (!port || *port == 0) return wrong("the port must be a number from 1 to 65535");
    url.port = *port;
  }
  url.path = std::string(view.encoded_path().begin(), view.encoded_path().end());
  while (url.path.ends_with('/')) url.path.pop_back();
  return url;
}

}  // namespace fedgate::net
