// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/address.h"
#include "net/http_gate.h"
#include "net/http_message.h"
#include "net/http_writer.h"

namespace fedgate::net {
namespace {

TEST(Headers, are_found_without_case_and_counted) {
  Headers headers;
  headers.add("Content-Type", "a");
  headers.add("X", "1");
  headers.add("x", "2");
  EXPECT_EQ(headers.find("content-TYPE"), "a");
  EXPECT_EQ(headers.find("X"), "1");
  EXPECT_EQ(headers.count("X"), 2u);
  EXPECT_EQ(headers.find("y"), std::nullopt);
  EXPECT_EQ(headers.at(2).value, "2");
  headers.clear();
  EXPECT_EQ(headers.size(), 0u);
  EXPECT_EQ(headers.find("X"), std::nullopt);
}

TEST(Request, splits_its_target) {
  Request request;
  request.target = "/a/b?c=d?e";
  EXPECT_EQ(request.path(), "/a/b");
  EXPECT_EQ(request.query(), "c=d?e");
  request.target = "/a";
  EXPECT_EQ(request.query(), "");
}

TEST(Percent, round_trips_and_refuses_bad_escapes_and_controls) {
  std::string all;
  for (int c = 0x20; c < 256; ++c) {
    if (c != 0x7F) all.push_back(static_cast<char>(c));
  }
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_encode("a/b c~"), "a%2Fb%20c~");
  for (const char* bad : {"%", "%1", "%zz", "%00", "%0a", "%7f", "a%"})
    EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
}

TEST(Query, gives_the_decoded_value) {
  EXPECT_EQ(query_value("a=1&b=x%20y&c", "b"), "x y");
  EXPECT_EQ(query_value("a=1&b=x%20y&c", "c"), "");
  EXPECT_EQ(query_value("a=1", "b"), std::nullopt);
  EXPECT_EQ(query_value("a=%zz", "a"), std::nullopt);
  EXPECT_EQ(query_value("", "a"), std::nullopt);
}

TEST(Gate, lets_ordinary_requests_pass) {
  Request request;
  request.method = "POST";
  request.target = "/a?b=%20";
  request.headers.add("Host", "GATE.example:8443");
  request.headers.add("Content-Length", "12");
  const auto facts = judge_request_head(request, 11, {"gate.example"});
  ASSERT_TRUE(facts.has_value()) << facts.error().detail;
  EXPECT_EQ(facts->content_length, 12u);
  EXPECT_FALSE(facts->chunked);
  EXPECT_TRUE(judge_request_head(request, 11, {}).has_value());
  EXPECT_FALSE(judge_request_head(request, 11, {"other.example"}).has_value());
  EXPECT_FALSE(judge_request_head(request, 20, {}).has_value());
}

TEST(Gate, knows_hosts_with_brackets) {
  const auto judge = [](const std::string& host, const std::vector<std::string>& ours) {
    Request request;
    request.method = "GET";
    request.target = "/";
    request.headers.add("Host", host);
    return judge_request_head(request, 11, ours).has_value();
  };
  EXPECT_TRUE(judge("[::1]:80", {"::1"}));
  EXPECT_TRUE(judge("[::1]", {"[::1]"}));
  EXPECT_FALSE(judge("[::2]", {"::1"}));
  for (const char* bad : {"", ":80", "a b", "[::1", "[::1]x", "[]", "a:", "a:123456", "a/b", "a,b", "a%41"})
    EXPECT_FALSE(judge(bad, {})) << bad;
}

TEST(Gate, decides_whether_a_connection_stays_open) {
  Headers none;
  EXPECT_TRUE(stays_open(none, 11));
  EXPECT_FALSE(stays_open(none, 10));
  Headers both;
  both.add("Connection", "foo, Close ,keep-alive");
  EXPECT_FALSE(stays_open(both, 11));
  Headers alive;
  alive.add("connection", "Keep-Alive");
  EXPECT_TRUE(stays_open(alive, 10));
}

TEST(Writer, dates_are_those_of_RFC_9110) {
  DateText date;
  EXPECT_EQ(date.at(WallTime(std::chrono::seconds(784'111'777))), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(WallTime(std::chrono::seconds(784'111'778))), "Sun, 06 Nov 1994 08:49:38 GMT");
}

TEST(Writer, reads_the_dates_that_it_writes_and_no_others) {
  EXPECT_EQ(parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), WallTime(std::chrono::seconds(784'111'777)));
  for (const char* bad :
       {"", "Mon, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:60 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 ovD 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, -6 Nov 1994 08:49:37 GMT"})
    EXPECT_EQ(parse_date(bad), std::nullopt) << bad;
}

TEST(Address, parses_the_three_forms) {
  const auto v4 = parse_address("127.0.0.1:8080");
  ASSERT_TRUE(v4.has_value());
  EXPECT_EQ(v4->host, "127.0.0.1");
  EXPECT_EQ(v4->port, 8080);
  EXPECT_TRUE(v4->loopback());
  const auto v6 = parse_address("[2001:db8::1]:443");
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(v6->host, "2001:db8::1");
  EXPECT_FALSE(v6->loopback());
  const auto unix_socket = parse_address("unix:/run/x.sock");
  ASSERT_TRUE(unix_socket.has_value());
  EXPECT_TRUE(unix_socket->is_unix && unix_socket->loopback());
  EXPECT_FALSE(parse_address("0.0.0.0:0")->loopback());
  EXPECT_TRUE(parse_address("[::1]:0")->loopback());
  for (const char* bad : {"", "host", ":80", "host:", "host:x", "host:65536", "::1:80", "[::1]", "[x]:1", "unix:rel",
                          "a b:1", "host:-1"}) {
    const auto wrong = parse_address(bad);
    ASSERT_FALSE(wrong.has_value()) << bad;
    EXPECT_EQ(wrong.error().code, Code::invalid_configuration);
  }
}

TEST(Url, allows_what_an_endpoint_may_be) {
  const auto url = parse_url("HTTPS://Gate.Orgb.example/base/");
  ASSERT_TRUE(url.has_value()) << url.error().detail;
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "gate.orgb.example");
  EXPECT_EQ(url->port, 443);
  EXPECT_EQ(url->path, "/base");
  EXPECT_EQ(parse_url("http://127.0.0.1:9000")->port, 9000);
  EXPECT_EQ(parse_url("http://[::1]:9000/")->host, "::1");
  for (const char* bad : {"", "gate.example", "ftp://a/", "http://u:p@a/", "http://a/?q", "http://a/#f", "http:///x",
                          "http://a:0/", "http://a:99999/", "http://a b/"}) {
    EXPECT_FALSE(parse_url(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace fedgate::net
