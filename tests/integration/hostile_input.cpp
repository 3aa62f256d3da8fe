// SPDX-License-Identifier: Apache-2.0
//
// Promise: oversize, deep, malformed and slow input is refused at once, by the limit it exceeds, and harms nobody.
#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/write.hpp>

#include "net/address.h"
#include "support/eventually.h"
#include "support/federation.h"

namespace fedgate {
namespace {

using test::call_of;

/// Bytes on a plain socket, and what came back until the server closed it or five seconds passed.
std::string raw(const test::Organisation& at, const std::string& bytes,
                std::chrono::milliseconds bound = std::chrono::seconds(5)) {
  const auto to = at.clients();
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  socket.connect({asio::ip::make_address(to.host), to.port});
  boost::system::error_code ignored;
  asio::write(socket, asio::buffer(bytes), ignored);
  std::string answer(65'536, '\0');
  std::size_t have = 0;
  asio::steady_timer timer(io, bound);
  timer.async_wait([&](auto ec) {
    if (!ec) socket.close();
  });
  std::function<void()> read = [&] {
    socket.async_read_some(asio::buffer(answer.data() + have, answer.size() - have), [&](auto ec, std::size_t n) {
      have += n;
      if (!ec && have < answer.size())
        read();
      else
        timer.cancel();
    });
  };
  read();
  io.run();
  answer.resize(have);
  return answer;
}

class HostileInput : public ::testing::Test {
 protected:
  HostileInput() : orgs(2) {
    orgs.a().settings.server_limits.header_time = std::chrono::milliseconds(300);
    orgs.a().settings.server_limits.body_time = std::chrono::milliseconds(300);
    orgs.start();
  }
  std::string post(const std::string& headers, const std::string& body) const {
    return "POST /api/v2/federation/invoke HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + orgs_a().token +
           "\r\nContent-Type: application/json\r\n" + headers + "\r\n" + body;
  }
  const test::Organisation& orgs_a() const { return const_cast<test::Federation&>(orgs).a(); }
  void still_serves() { EXPECT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 200); }
  test::Federation orgs;
};

TEST_F(HostileInput, ABodyBeyondTheLimitIs413) {
  auto body = call_of('b', "order");
  body["arguments"]["big"] = std::string(1024 * 1024 + 1, 'x');
  EXPECT_EQ(orgs.a().invoke(orgs.client, body).status, 413);
  still_serves();
}

TEST_F(HostileInput, DepthBeyondTheLimitIsRefused) {
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  const auto answer = orgs.a().invoke(
      orgs.client,
      nlohmann::json(R"({"resource_id":"inventory-b","capability_id":"order","arguments":{"x":)" + deep + "}}"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.code(), "invalid_json");
  still_serves();
}

TEST_F(HostileInput, JsonThatNlohmannWouldTakeIsRefused) {
  for (const std::string& bad :
       {std::string("{\"resource_id\":\"inventory-b\",\"capability_id\":\"lookup\",\"capability_id\":\"order\"}"),
        std::string("\xEF\xBB\xBF{\"resource_id\":\"inventory-b\",\"capability_id\":\"lookup\"}"),
        R"({"resource_id":"inventory-b","capability_id":"lookup"})" + std::string(1, '\0') + "{}",
        std::string("{\"resource_id\":\"inventory-b\",\"capability_id\":\"lookup\"} x")}) {
    const auto answer = orgs.a().invoke(orgs.client, nlohmann::json(bad));
    EXPECT_EQ(answer.status, 400) << bad;
  }
  still_serves();
}

TEST_F(HostileInput, AMisspeltMemberIsRefusedByName) {
  const auto answer = orgs.a().invoke(
      orgs.client, {{"resource_id", "inventory-b"}, {"capability_id", "lookup"}, {"argument", {{"sku", 1}}}});
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body["detail"].get<std::string>().find("\"argument\""), std::string::npos);
}

TEST_F(HostileInput, AnIdempotencyKeyIsNotIgnored) {
  const auto answer = orgs.a().invoke(orgs.client, call_of('b', "order"), {{"Idempotency-Key", "k1"}});
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body["detail"].get<std::string>().find("Idempotency-Key"), std::string::npos);
  EXPECT_TRUE(orgs.b().upstream->seen().empty());
}

TEST_F(HostileInput, HeadersBeyondTheLimitAre431) {
  EXPECT_NE(raw(orgs_a(), post("X-Big: " + std::string(20'000, 'x') + "\r\n", "")).find("HTTP/1.1 431"),
            std::string::npos);
  still_serves();
}

TEST_F(HostileInput, SmuggledLengthsAre400AndTheConnectionEnds) {
  for (const std::string headers :
       {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n", "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: \"chunked\"\r\n",
        "Content-Length: +5\r\n", "Host: localhost\r\nContent-Length: 0\r\n"}) {
    const auto answer = raw(orgs_a(), post(headers, "0\r\n\r\nGET /api/v2/whoami HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400")) << headers << answer;
    EXPECT_EQ(answer.find("HTTP/1.1", 5), std::string::npos) << "a second answer: " << headers << answer;
  }
  still_serves();
}

TEST_F(HostileInput, ASlowHeadAndASlowBodyEndByTheirTimes) {
  const auto begin = std::chrono::steady_clock::now();
  const auto head = raw(orgs_a(), "POST /api/v2/federation/invoke HTTP/1.1\r\nHost: loc");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 408")) << head;
  const auto body = raw(orgs_a(), post("Content-Length: 100\r\n", "{"));
  EXPECT_TRUE(body.starts_with("HTTP/1.1 408")) << body;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
  still_serves();
}

}  // namespace
}  // namespace fedgate
