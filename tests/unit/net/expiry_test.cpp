// SPDX-License-Identifier: Apache-2.0
//
// An identity that has expired ends its connections, at both ends, whoever is at them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http_client.h"
#include "raw_client.h"
#include "running_server.h"
#include "support/fake_clock.h"

namespace fedgate::net::test {
namespace {

using namespace std::chrono_literals;
using testing::StartsWith;

Task<> fine(const Connection&, Request&, Response& response) {
  response.body = "fine";
  co_return;
}

/// Believes everybody for an hour.
Judge for_an_hour(const Clock& clock) {
  return [&clock, until = clock.wall() + 1h](const PresentedChain& chain) -> Result<PeerIdentity> {
    if (clock.wall() >= until) return fail(Code::identity_mismatch, "expired");
    auto identity = believe(chain);
    if (identity) identity->valid_until = until;
    return identity;
  };
}

class IdentityExpiry : public testing::Test {
 protected:
  RunningServer::Setup setup(Judge judge) {
    const auto tls = context(TlsSide::server, "gate.example", std::move(judge));
    RunningServer::Setup made;
    made.tls = [tls] { return tls; };
    made.clock = &clock;
    made.limits.idle = 24h;
    return made;
  }
  fedgate::test::FakeClock clock;
};

class ServerSide : public IdentityExpiry {
 protected:
  RunningServer server{fine, setup(for_an_hour(clock))};
  RawClient client{"orgb.example"};
  RawTls tls{RawSocket::connect(server.port()), client.ctx.get(), false, "gate.example"};
};

TEST_F(ServerSide, an_idle_connection_ends_within_two_seconds_of_the_expiry) {
  ASSERT_TRUE(tls.send(who_request));
  EXPECT_THAT(tls.receive(), StartsWith("HTTP/1.1 200"));
  clock.advance(1h - 1s);
  ASSERT_TRUE(tls.send(who_request));
  EXPECT_THAT(tls.receive(), StartsWith("HTTP/1.1 200")) << "a second before";
  clock.advance(3s);
  EXPECT_EQ(tls.receive(), "");
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST_F(ServerSide, no_request_is_served_after_it) {
  ASSERT_TRUE(tls.send(who_request));
  EXPECT_THAT(tls.receive(), StartsWith("HTTP/1.1 200"));
  clock.set_wall(clock.wall() + 1h);  // no time passes for whoever looks once a second
  ASSERT_TRUE(tls.send(who_request));
  EXPECT_EQ(tls.receive(), "");
  EXPECT_EQ(server.handler.calls, 1);
}

TEST_F(IdentityExpiry, what_runs_on_it_is_cancelled) {
  std::atomic<bool> cancelled{false};
  RunningServer server(
      [&](const Connection&, Request&, Response&) -> Task<> {
        try {
          asio::steady_timer forever(co_await asio::this_coro::executor, 1h);
          co_await forever.async_wait(use_task);
        } catch (const boost::system::system_error&) {
          cancelled = true;
          throw;
        }
      },
      setup(for_an_hour(clock)));
  RawClient client("orgb.example");
  RawTls tls(RawSocket::connect(server.port()), client.ctx.get(), false, "gate.example");
  ASSERT_TRUE(tls.send(who_request));
  ASSERT_TRUE(eventually([&] { return server.handler.calls == 1; }));
  clock.advance(1h + 2s);
  EXPECT_TRUE(eventually([&] { return cancelled.load(); }));
  EXPECT_EQ(tls.receive(), "");
}

TEST_F(IdentityExpiry, a_session_does_not_outlive_it) {
  RunningServer server(fine, setup(for_an_hour(clock)));
  RawClient client("orgb.example");
  EXPECT_THAT(client.ask(server.port()).answer, StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(client.ask(server.port()).resumed);
  clock.advance(1h);
  EXPECT_EQ(client.ask(server.port()).alerts, std::vector<int>{refusal});
}

TEST_F(IdentityExpiry, who_never_expires_stays) {
  RunningServer server(fine, setup(believe));
  RawClient client("orgb.example");
  RawTls tls(RawSocket::connect(server.port()), client.ctx.get(), false, "gate.example");
  ASSERT_TRUE(tls.send(who_request));
  EXPECT_THAT(tls.receive(), StartsWith("HTTP/1.1 200"));
  clock.advance(20h);
  ASSERT_TRUE(tls.send(who_request));
  EXPECT_THAT(tls.receive(), StartsWith("HTTP/1.1 200"));
}

/// The calling end: the server believes everybody for ever.
class ClientSide : public IdentityExpiry {
 protected:
  ClientSide() {
    worker.start([](const std::exception& error) { ADD_FAILURE() << error.what(); });
  }
  ~ClientSide() override {
    worker.run_and_wait([this]() -> Task<> { co_await client.stop(); });
    worker.finish();
  }
  Exchange send(std::uint16_t port) {
    Exchange result;
    Destination destination{.pool_key = "gate",
                            .host = "127.0.0.1",
                            .port = port,
                            .host_header = "gate.example",
                            .tls = tls,
                            .server_name = "gate.example"};
    Request request{.method = "GET", .target = "/", .headers = {}, .body = {}};
    worker.run_and_wait(
        [&]() -> Task<> { result = co_await client.send(destination, request, worker.wheel().now() + 24h); });
    return result;
  }
  std::size_t idle() {
    std::size_t count = 0;
    worker.run_and_wait([&]() -> Task<> {
      count = client.idle();
      co_return;
    });
    return count;
  }

  Metrics metrics;
  Worker worker{0, clock};
  ClientLimits limits{.idle = 24h};
  HttpClient client{worker, limits, log::silent(), metrics};
  std::shared_ptr<TlsContext> tls = context(TlsSide::client, "orga.example", for_an_hour(clock));
};

TEST_F(ClientSide, a_pooled_connection_ends_within_two_seconds_of_the_expiry) {
  RunningServer server(fine, setup(believe));
  ASSERT_TRUE(send(server.port()).response.has_value());
  EXPECT_EQ(idle(), 1U);
  clock.advance(1h - 2s);
  EXPECT_EQ(idle(), 1U);
  clock.advance(4s);
  EXPECT_TRUE(eventually([&] { return idle() == 0; }));
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
  EXPECT_EQ(send(server.port()).response.error().code, Code::peer_unreachable) << "the judge refuses it now";
}

TEST_F(ClientSide, no_request_leaves_after_it) {
  RunningServer server(fine, setup(believe));
  ASSERT_TRUE(send(server.port()).response.has_value());
  clock.set_wall(clock.wall() + 1h);
  const Exchange exchange = send(server.port());
  EXPECT_FALSE(exchange.response.has_value());
  EXPECT_EQ(exchange.sent, Sent::nothing);
  EXPECT_EQ(server.handler.calls, 1);
}

TEST_F(ClientSide, a_call_that_runs_is_ended) {
  RunningServer server(
      [](const Connection&, Request&, Response&) -> Task<> {
        asio::steady_timer forever(co_await asio::this_coro::executor, 1h);
        co_await forever.async_wait(use_task);
      },
      setup(believe));
  std::jthread mover([&] {
    EXPECT_TRUE(eventually([&] { return server.handler.calls == 1; }));
    clock.advance(1h + 2s);
  });
  const Exchange exchange = send(server.port());
  EXPECT_FALSE(exchange.response.has_value());
  EXPECT_EQ(exchange.sent, Sent::something);
}

}  // namespace
}  // namespace fedgate::net::test
