// SPDX-License-Identifier: Apache-2.0
#include "net/proxy_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/address.h"
#include "raw_client.h"
#include "running_server.h"

namespace fedgate::net::test {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::StartsWith;

const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
const std::string v4_payload("\xC0\x00\x02\x07\x7F\x00\x00\x01\x12\x67\x20\xFB", 12);  // 192.0.2.7:4711

std::string v2(char command, char family, const std::string& payload) {
  std::string header = signature;
  header.push_back(command);
  header.push_back(family);
  header.push_back(static_cast<char>(payload.size() >> 8));
  header.push_back(static_cast<char>(payload.size() & 0xFF));
  return header + payload;
}

Result<std::string> parsed(const std::string& header) {
  return parse_proxy_v2(std::string_view(header).substr(0, 16), std::string_view(header).substr(16));
}

TEST(ProxyHeader, version_1_names_the_source) {
  EXPECT_EQ(parse_proxy_v1("PROXY TCP4 192.0.2.7 198.51.100.1 4711 8443").value(), "192.0.2.7:4711");
  EXPECT_EQ(parse_proxy_v1("PROXY TCP6 2001:db8::7 2001:db8::1 4711 8443").value(), "[2001:db8::7]:4711");
  EXPECT_EQ(parse_proxy_v1("PROXY UNKNOWN").value(), "");
  EXPECT_EQ(parse_proxy_v1("PROXY UNKNOWN ffff::1 ffff::2 1 2").value(), "");
}

TEST(ProxyHeader, what_is_not_quite_version_1_is_refused) {
  for (const char* line :
       {"", "PROXY", "PROXY ", "PROXY TCP4", "PROXY TCP4 192.0.2.7 198.51.100.1 4711",
        "PROXY TCP4 192.0.2.7 198.51.100.1 4711 8443 1", "PROXY  TCP4 192.0.2.7 198.51.100.1 4711 8443",
        "PROXY TCP4 2001:db8::7 2001:db8::1 1 2", "PROXY TCP6 192.0.2.7 198.51.100.1 1 2",
        "PROXY TCP4 192.0.2.7 198.51.100.1 65536 8443", "PROXY TCP4 192.0.2.7 198.51.100.1 -1 8443",
        "PROXY TCP4 192.0.2.7 198.51.100.1 04711 8443", "PROXY TCP4 192.0.2.999 198.51.100.1 4711 8443",
        "PROXY UDP4 192.0.2.7 198.51.100.1 4711 8443", "proxy TCP4 192.0.2.7 198.51.100.1 4711 8443"}) {
    EXPECT_FALSE(parse_proxy_v1(line).has_value()) << line;
  }
}

TEST(ProxyHeader, version_2_names_the_source) {
  EXPECT_EQ(parsed(v2('\x21', '\x11', v4_payload)).value(), "192.0.2.7:4711");
  EXPECT_EQ(parsed(v2('\x21', '\x11', v4_payload + "\x04\x00\x01x")).value(), "192.0.2.7:4711") << "with a TLV behind";
  const std::string v6 = std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 16) + std::string(16, '\1') +
                         std::string("\x12\x67\x20\xFB", 4);
  EXPECT_EQ(parsed(v2('\x21', '\x21', v6)).value(), "[2001:db8::7]:4711");
  EXPECT_EQ(parsed(v2('\x20', '\x00', "")).value(), "") << "LOCAL";
  EXPECT_EQ(parsed(v2('\x21', '\x31', std::string(216, 'x'))).value(), "") << "a unix socket";
}

TEST(ProxyHeader, what_is_not_quite_version_2_is_refused) {
  EXPECT_FALSE(parsed(v2('\x11', '\x11', v4_payload)).has_value()) << "version";
  EXPECT_FALSE(parsed(v2('\x22', '\x11', v4_payload)).has_value()) << "command";
  EXPECT_FALSE(parsed(v2('\x21', '\x41', v4_payload)).has_value()) << "family";
  EXPECT_FALSE(parsed(v2('\x21', '\x13', v4_payload)).has_value()) << "transport";
  EXPECT_FALSE(parsed(v2('\x21', '\x11', v4_payload.substr(0, 11))).has_value()) << "short";
  EXPECT_FALSE(parsed(v2('\x21', '\x21', v4_payload)).has_value()) << "short for IPv6";
}

TEST(ProxyHeader, networks_are_read_strictly_and_compared_by_their_bits) {
  const auto contains = [](const char* network, const char* address) {
    return parse_network(network).value().contains(boost::asio::ip::make_address(address));
  };
  EXPECT_TRUE(contains("192.0.2.0/24", "192.0.2.255"));
  EXPECT_FALSE(contains("192.0.2.0/24", "192.0.3.0"));
  EXPECT_TRUE(contains("192.0.2.128/25", "192.0.2.129"));
  EXPECT_FALSE(contains("192.0.2.128/25", "192.0.2.127"));
  EXPECT_TRUE(contains("192.0.2.1", "::ffff:192.0.2.1"));
  EXPECT_TRUE(contains("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
  for (const char* wrong : {"", "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/2x", "2001:db8::/129",
                            "::ffff:192.0.2.1", "gate.example", "192.0.2/24"}) {
    EXPECT_FALSE(parse_network(wrong).has_value()) << wrong;
  }
}

Task<> where_from(const Connection& connection, Request&, Response& response) {
  response.body = connection.remote;
  co_return;
}

RunningServer::Setup behind(const std::string& balancers) {
  const auto tls = context(TlsSide::server, "gate.example", believe);
  RunningServer::Setup setup;
  setup.tls = [tls] { return tls; };
  setup.proxy_protocol_from = {parse_network(balancers).value()};
  return setup;
}

std::string asked_with(const RunningServer& server, const std::string& header) {
  RawClient client("orgb.example");
  auto socket = RawSocket::connect(server.port());
  socket.send(header);
  return client.ask(std::move(socket), "gate.example").answer;
}

TEST(ProxyHeader, a_balancer_says_whose_connection_it_is) {
  RunningServer server(where_from, behind("127.0.0.0/8"));
  EXPECT_THAT(asked_with(server, "PROXY TCP4 192.0.2.7 198.51.100.1 4711 8443\r\n"), EndsWith("192.0.2.7:4711"));
  EXPECT_THAT(asked_with(server, v2('\x21', '\x11', v4_payload)), EndsWith("192.0.2.7:4711"));
  EXPECT_THAT(asked_with(server, v2('\x21', '\x11', v4_payload + std::string(1000, '\0'))), EndsWith("192.0.2.7:4711"));
  EXPECT_THAT(asked_with(server, "PROXY UNKNOWN\r\n"), testing::HasSubstr("127.0.0.1:"));
}

TEST(ProxyHeader, a_balancer_must_send_one_and_send_it_soon) {
  auto setup = behind("127.0.0.1");
  setup.limits.handshake = 200ms;
  RunningServer server(where_from, setup);
  for (const std::string& header :
       {std::string(), std::string("GET / HTTP/1.1\r\n\r\n"), "PROXY TCP4 " + std::string(200, '1'),
        v2('\x21', '\x11', std::string(1025, 'x')), std::string("PROXY TCP4 nobody nobody 1 2\r\n"),
        signature.substr(0, 8) + "QUIT!and more"}) {
    EXPECT_EQ(asked_with(server, header), "") << header;
  }
  EXPECT_EQ(server.handler.calls, 0);
  const auto begun = std::chrono::steady_clock::now();
  auto silent = RawSocket::connect(server.port());
  silent.send("PROXY TCP4 19");
  EXPECT_EQ(silent.all(), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
  EXPECT_EQ(server.metrics.rejected_connections("test", "proxy_header").Value(), 7);
}

TEST(ProxyHeader, from_anybody_else_it_is_not_read) {
  RunningServer server(where_from, behind("192.0.2.0/24"));
  EXPECT_EQ(asked_with(server, "PROXY TCP4 192.0.2.7 198.51.100.1 4711 8443\r\n"), "");
  EXPECT_THAT(asked_with(server, ""), StartsWith("HTTP/1.1 200"));
}

TEST(ProxyHeader, strangers_are_counted_by_the_address_that_it_names) {
  auto setup = behind("127.0.0.1");
  setup.limits.unauthenticated_per_address = 1;
  RunningServer server(where_from, setup);
  const auto stalled = [&](const std::string& address) {
    auto socket = RawSocket::connect(server.port());
    socket.send("PROXY TCP4 " + address + " 198.51.100.1 4711 8443\r\n");
    return socket;
  };
  const auto one = stalled("192.0.2.1");
  const auto two = stalled("192.0.2.2");
  ASSERT_TRUE(eventually([&] { return server.connections() == 2; }));
  const auto again = stalled("192.0.2.1");
  EXPECT_EQ(again.all(), "");
  EXPECT_EQ(server.metrics.rejected_connections("test", "per_address").Value(), 1);
  EXPECT_TRUE(eventually([&] { return server.connections() == 2; }));
}

}  // namespace
}  // namespace fedgate::net::test
