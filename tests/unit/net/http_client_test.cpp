// SPDX-License-Identifier: Apache-2.0
#include "net/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <future>

#include "raw_socket.h"
#include "running_server.h"
#include "support/temp_directory.h"

namespace fedgate::net::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class HttpClientTest : public testing::Test {
 protected:
  HttpClientTest() {
    worker.start([this](const std::exception&) { ++failures; });
  }
  ~HttpClientTest() override {
    if (client) {
      worker.run_and_wait([this]() -> Task<> {
        co_await client->stop();
        client.reset();
      });
    }
    worker.stop();
    EXPECT_EQ(failures, 0);
  }
  HttpClient& use(ClientLimits limits = {}) {
    client = std::make_unique<HttpClient>(worker, limits, log::silent(), metrics);
    return *client;
  }
  static Destination plain(std::uint16_t port) {
    Destination destination;
    destination.pool_key = "plain:" + std::to_string(port);
    destination.host = "127.0.0.1";
    destination.port = port;
    destination.host_header = "gate.example";
    return destination;
  }
  static Destination secure(std::uint16_t port, std::shared_ptr<TlsContext> tls,
                            const std::string& name = "gate.example") {
    Destination destination = plain(port);
    destination.tls = std::move(tls);
    destination.server_name = name;
    return destination;
  }
  static Request get(const std::string& target = "/") {
    Request request;
    request.method = "GET";
    request.target = target;
    return request;
  }
  Exchange send(const Destination& destination, const Request& request, std::chrono::milliseconds time = 10s) {
    if (!client) use();
    Exchange result;
    worker.run_and_wait(
        [&]() -> Task<> { result = co_await client->send(destination, request, worker.wheel().now() + time); });
    return result;
  }
  std::size_t idle() {
    std::size_t count = 0;
    on([&] { count = client->idle(); });
    return count;
  }
  void on(const std::function<void()>& work) {
    worker.run_and_wait([&]() -> Task<> {
      work();
      co_return;
    });
  }
  /// What a server that answers `bytes` and then ends the connection gives.
  Exchange answered(const std::string& bytes, const std::string& method = "GET") {
    RawServer server([&](RawSocket socket, int) {
      RawServer::head_of(socket);
      socket.send(bytes);
    });
    Request request = get();
    request.method = method;
    return send(plain(server.port()), request);
  }

  std::atomic<int> failures{0};
  Metrics metrics;
  Worker worker{0, system_clock()};
  std::unique_ptr<HttpClient> client;
};

TEST_F(HttpClientTest, asks_and_reuses_the_connection) {
  RunningServer server;
  Request request = get("/x");
  request.method = "POST";
  request.headers.add("X-Test", "1");
  request.body = "body";
  for (int i = 0; i < 3; ++i) {
    const Exchange exchange = send(plain(server.port()), request);
    ASSERT_TRUE(exchange.response.has_value()) << exchange.response.error().detail;
    EXPECT_EQ(exchange.response->status, 200);
    EXPECT_EQ(exchange.response->body, "POST /x body");
    EXPECT_EQ(exchange.sent, Sent::something);
    EXPECT_EQ(idle(), 1u);
  }
  EXPECT_EQ(server.connections(), 1u);
}

TEST_F(HttpClientTest, a_host_name_is_looked_up) {
  RunningServer server;
  Destination destination = plain(server.port());
  destination.host = "localhost";
  const Exchange exchange = send(destination, get());
  ASSERT_TRUE(exchange.response.has_value()) << exchange.response.error().detail;
  destination.host = "no-such-host.invalid";
  destination.pool_key = "invalid";
  const Exchange unknown = send(destination, get(), 8s);
  ASSERT_FALSE(unknown.response.has_value());
  EXPECT_EQ(unknown.response.error().code, Code::peer_unreachable);
}

TEST_F(HttpClientTest, a_unix_socket_is_reached_by_its_path) {
  const fedgate::test::TempDirectory directory;
  RunningServer::Setup setup;
  setup.address = "unix:" + directory.path("s");
  RunningServer server(echo, setup);
  Destination destination = plain(0);
  destination.host = directory.path("s");
  const Exchange exchange = send(destination, get("/u"));
  ASSERT_TRUE(exchange.response.has_value()) << exchange.response.error().detail;
  EXPECT_EQ(exchange.response->body, "GET /u ");
}

TEST_F(HttpClientTest, nobody_listening_means_nothing_was_sent) {
  std::uint16_t port = 0;
  {
    port = RawServer([](RawSocket, int) {}).port();
  }
  const Exchange exchange = send(plain(port), get());
  ASSERT_FALSE(exchange.response.has_value());
  EXPECT_EQ(exchange.response.error().code, Code::peer_unreachable);
  EXPECT_EQ(exchange.sent, Sent::nothing);
}

TEST_F(HttpClientTest, a_connection_that_the_server_closed_is_gone_before_it_is_taken) {
  RunningServer::Setup setup;
  setup.limits.idle = 30ms;
  RunningServer server(echo, setup);
  ASSERT_TRUE(send(plain(server.port()), get()).response.has_value());
  EXPECT_TRUE(eventually([&] { return idle() == 0; }));
  EXPECT_TRUE(send(plain(server.port()), get()).response.has_value());
}

TEST_F(HttpClientTest, bytes_that_nobody_asked_for_end_an_idle_connection) {
  std::promise<void> first_done;
  RawServer server([&](RawSocket socket, int number) {
    RawServer::head_of(socket);
    socket.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(number));
    if (number > 1) return;
    first_done.get_future().wait();
    socket.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    std::ignore = socket.receive();
  });
  EXPECT_EQ(send(plain(server.port()), get()).response->body, "1");
  EXPECT_EQ(idle(), 1u);
  first_done.set_value();
  EXPECT_TRUE(eventually([&] { return idle() == 0; }));
  EXPECT_EQ(send(plain(server.port()), get()).response->body, "2");
}

/// The server ends the first connection while the client's thread is held up, so that nothing notices: with a
/// reset writing fails, with a mere end it does not.
struct Death {
  const char* name;
  int linger_on;
};
class DeadPooledConnection : public HttpClientTest, public testing::WithParamInterface<Death> {};

TEST_P(DeadPooledConnection, is_tried_again_only_if_nothing_was_sent) {
  std::promise<void> end;
  std::promise<void> ended;
  RawServer server([&](RawSocket socket, int number) {
    RawServer::head_of(socket);
    socket.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(number));
    if (number > 1) return;
    end.get_future().wait();
    const linger how{.l_onoff = GetParam().linger_on, .l_linger = 0};
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_LINGER, &how, sizeof how);
    socket.close();
    ended.set_value();
  });
  ASSERT_EQ(send(plain(server.port()), get()).response->body, "1");
  Exchange result;
  worker.run_and_wait([&]() -> Task<> {
    end.set_value();
    ended.get_future().wait();
    const Destination destination = plain(server.port());
    const Request request = get();
    result = co_await client->send(destination, request, worker.wheel().now() + 10s);
  });
  EXPECT_EQ(result.sent, Sent::something);
  if (GetParam().linger_on != 0) {
    ASSERT_TRUE(result.response.has_value()) << result.response.error().detail;
    EXPECT_EQ(result.response->body, "2");
  } else {
    ASSERT_FALSE(result.response.has_value());
    EXPECT_EQ(result.response.error().code, Code::peer_protocol_error);
    EXPECT_EQ(server.accepted(), 1);
  }
}
INSTANTIATE_TEST_SUITE_P(Ways, DeadPooledConnection, testing::Values(Death{"reset", 1}, Death{"end", 0}),
                         [](const auto& tested) { return tested.param.name; });

TEST_F(HttpClientTest, idle_connections_grow_old_and_are_bounded) {
  RunningServer server;
  ClientLimits limits;
  limits.idle = 40ms;
  use(limits);
  ASSERT_TRUE(send(plain(server.port()), get()).response.has_value());
  EXPECT_TRUE(eventually([&] { return idle() == 0 && server.connections() == 0; }));
}

TEST_F(HttpClientTest, too_many_connections_are_overloaded_at_once) {
  Worker* theirs = nullptr;
  RunningServer server([&](const Connection&, Request&, Response&) -> Task<> {
    co_await sleep_until(theirs->wheel(), theirs->wheel().now() + 1h);
  });
  theirs = server.workers[0].get();
  ClientLimits limits;
  limits.connections_per_destination = 1;
  use(limits);
  std::promise<Exchange> slow;
  const Destination destination = plain(server.port());
  const Request request = get();
  asio::co_spawn(worker.io(), client->send(destination, request, worker.wheel().now() + 10s),
                 [&](std::exception_ptr, Exchange exchange) { slow.set_value(std::move(exchange)); });
  ASSERT_TRUE(eventually([&] { return server.handler.calls == 1; }));
  const Exchange second = send(destination, request);
  ASSERT_FALSE(second.response.has_value());
  EXPECT_EQ(second.response.error().code, Code::overloaded);
  EXPECT_EQ(second.sent, Sent::nothing);
  on([&] { client->purge(destination.pool_key); });
  const Exchange purged = slow.get_future().get();
  ASSERT_FALSE(purged.response.has_value());
  EXPECT_EQ(purged.response.error().code, Code::peer_protocol_error);
  EXPECT_EQ(purged.sent, Sent::something);
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST_F(HttpClientTest, purge_closes_idle_connections_of_that_key_only) {
  RunningServer one;
  RunningServer two;
  ASSERT_TRUE(send(plain(one.port()), get()).response.has_value());
  ASSERT_TRUE(send(plain(two.port()), get()).response.has_value());
  EXPECT_EQ(idle(), 2u);
  on([&] { client->purge(plain(one.port()).pool_key); });
  EXPECT_EQ(idle(), 1u);
  EXPECT_TRUE(eventually([&] { return one.connections() == 0; }));
  EXPECT_EQ(two.connections(), 1u);
  EXPECT_TRUE(send(plain(one.port()), get()).response.has_value());
}

TEST_F(HttpClientTest, purge_counts_what_it_closes_says_when_it_is_closed_and_wakes_who_waits) {
  Worker* theirs = nullptr;
  RunningServer server([&](const Connection&, Request& request, Response&) -> Task<> {
    if (request.target == "/slow") co_await sleep_until(theirs->wheel(), theirs->wheel().now() + 1h);
  });
  theirs = server.workers[0].get();
  ClientLimits limits;
  limits.connecting_per_destination = 0;  // whoever finds no idle connection waits
  const Destination destination = plain(server.port());
  use();
  ASSERT_TRUE(send(destination, get()).response.has_value());
  std::promise<Exchange> slow;
  const Request request = get("/slow");
  asio::co_spawn(worker.io(), client->send(destination, request, worker.wheel().now() + 10s),
                 [&](std::exception_ptr, Exchange exchange) { slow.set_value(std::move(exchange)); });
  ASSERT_TRUE(eventually([&] { return server.handler.calls == 2; }));
  ASSERT_TRUE(send(destination, get()).response.has_value());
  std::atomic<bool> closed{false};
  std::size_t count = 0;
  Ticket held(nullptr, [&](void*) { closed = true; });
  on([&] {
    count = client->purge(destination.pool_key, held);
    held.reset();
  });
  EXPECT_EQ(count, 2u) << "one is busy, one is idle";
  EXPECT_FALSE(slow.get_future().get().response.has_value());
  EXPECT_TRUE(eventually([&] { return closed.load(); }));
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));

  std::promise<Exchange> waiting;
  HttpClient other(worker, limits, log::silent(), metrics);
  asio::co_spawn(worker.io(), other.send(destination, request, worker.wheel().now() + 10s),
                 [&](std::exception_ptr, Exchange exchange) { waiting.set_value(std::move(exchange)); });
  on([&] { EXPECT_EQ(other.purge(destination.pool_key), 0u); });
  const Exchange woken = waiting.get_future().get();
  ASSERT_FALSE(woken.response.has_value());
  EXPECT_EQ(woken.response.error().code, Code::peer_unreachable);
  EXPECT_EQ(woken.sent, Sent::nothing);
  on([&] {});
}

TEST_F(HttpClientTest, cancelling_closes_the_connection_so_that_the_server_sees_it) {
  std::atomic<bool> cut{false};
  Worker* theirs = nullptr;
  RunningServer server([&](const Connection&, Request&, Response&) -> Task<> {
    try {
      co_await sleep_until(theirs->wheel(), theirs->wheel().now() + 1h);
    } catch (...) {
      cut = true;
      throw;
    }
  });
  theirs = server.workers[0].get();
  use();
  asio::cancellation_signal signal;
  std::promise<bool> aborted;
  const Destination destination = plain(server.port());
  const Request request = get();
  asio::co_spawn(worker.io(), client->send(destination, request, worker.wheel().now() + 10s),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr thrown, const Exchange&) {
                   aborted.set_value(thrown != nullptr);
                 }));
  ASSERT_TRUE(eventually([&] { return server.handler.calls == 1; }));
  on([&] { signal.emit(asio::cancellation_type::terminal); });
  EXPECT_TRUE(aborted.get_future().get());
  EXPECT_TRUE(eventually([&] { return cut && server.connections() == 0; }));
  EXPECT_EQ(idle(), 0u);
}

TEST_F(HttpClientTest, a_stalling_server_costs_the_deadline_and_no_more) {
  RawServer server([](RawSocket socket, int) {
    RawServer::head_of(socket);
    socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    std::ignore = socket.receive();
  });
  const auto begin = std::chrono::steady_clock::now();
  const Exchange exchange = send(plain(server.port()), get(), 100ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  ASSERT_FALSE(exchange.response.has_value());
  EXPECT_EQ(exchange.response.error().code, Code::deadline_exceeded);
  EXPECT_EQ(exchange.sent, Sent::something);
}

TEST_F(HttpClientTest, a_server_that_never_finishes_its_handshake_is_unreachable) {
  RawServer server([](RawSocket socket, int) {
    while (auto some = socket.receive()) {
      if (some->empty()) return;
    }
  });
  ClientLimits limits;
  limits.connect = 100ms;
  use(limits);
  const Exchange exchange = send(secure(server.port(), context(TlsSide::client, "orga.example", believe)), get());
  ASSERT_FALSE(exchange.response.has_value());
  EXPECT_EQ(exchange.response.error().code, Code::peer_unreachable);
  EXPECT_EQ(exchange.sent, Sent::nothing);
}

TEST_F(HttpClientTest, answers_that_are_not_to_be_believed) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::vector<std::pair<std::string, Code>> cases{
      {"", Code::peer_protocol_error},
      {"garbage garbage garbage\r\n\r\n", Code::peer_protocol_error},
      {"HTTP/2.0 200 OK\r\n\r\n", Code::peer_protocol_error},
      {ok + "Content-Length: 10\r\n\r\nabc", Code::peer_protocol_error},
      {ok + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", Code::peer_protocol_error},
      {ok + "Content-Length: 3, 3\r\n\r\nabc", Code::peer_protocol_error},
      {ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Code::peer_protocol_error},
      {ok + "Transfer-Encoding: gzip\r\n\r\nabc", Code::peer_protocol_error},
      {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Code::peer_protocol_error},
      {ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nab", Code::peer_protocol_error},
      {ok + "\r\nno length, and yet it stays open", Code::peer_protocol_error},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nabcde", Code::peer_protocol_error},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", Code::peer_protocol_error},
      {[&] {
         std::string all;
         for (int i = 0; i < 9; ++i) all += "HTTP/1.1 103 Early Hints\r\n\r\n";
         return all;
       }() +
           ok + "Content-Length: 0\r\n\r\n",
       Code::peer_protocol_error},
      {ok + "X: " + std::string(20'000, 'a') + "\r\nContent-Length: 0\r\n\r\n", Code::peer_protocol_error},
      {ok + "Content-Length: 9999999\r\n\r\nabc", Code::response_too_large},
      {ok + "Transfer-Encoding: chunked\r\n\r\nffffff\r\nabc", Code::response_too_large},
      {ok + "Connection: close\r\n\r\n" + std::string(1'100'000, 'a'), Code::response_too_large},
  };
  for (const auto& [bytes, code] : cases) {
    const Exchange exchange = answered(bytes);
    ASSERT_FALSE(exchange.response.has_value()) << bytes.substr(0, 80);
    EXPECT_EQ(exchange.response.error().code, code) << bytes.substr(0, 80) << ": " << exchange.response.error().detail;
    EXPECT_EQ(exchange.sent, Sent::something);
    EXPECT_EQ(idle(), 0u) << bytes.substr(0, 80);
  }
}

TEST_F(HttpClientTest, answers_that_are_unusual_and_right) {
  const Exchange interim =
      answered("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab");
  ASSERT_TRUE(interim.response.has_value()) << interim.response.error().detail;
  EXPECT_EQ(interim.response->body, "ab");
  EXPECT_EQ(interim.response->headers.find("link"), std::nullopt);
  const Exchange until_end = answered("HTTP/1.0 200 OK\r\n\r\nuntil the end");
  ASSERT_TRUE(until_end.response.has_value()) << until_end.response.error().detail;
  EXPECT_EQ(until_end.response->body, "until the end");
  const Exchange head = answered("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "HEAD");
  ASSERT_TRUE(head.response.has_value()) << head.response.error().detail;
  EXPECT_EQ(head.response->body, "");
  const Exchange not_modified = answered("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
  ASSERT_TRUE(not_modified.response.has_value()) << not_modified.response.error().detail;
  const Exchange chunked =
      answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  ASSERT_TRUE(chunked.response.has_value()) << chunked.response.error().detail;
  EXPECT_EQ(chunked.response->body, "abc");
}

TEST_F(HttpClientTest, a_header_that_would_break_the_request_is_not_sent) {
  RunningServer server;
  Request request = get();
  request.headers.add("X", "a\r\nEvil: b");
  const Exchange exchange = send(plain(server.port()), request);
  ASSERT_FALSE(exchange.response.has_value());
  EXPECT_EQ(exchange.sent, Sent::nothing);
  EXPECT_EQ(send(plain(server.port()), get("/a b")).sent, Sent::nothing);
  for (const char* name : {"Host", "content-length", "Transfer-Encoding", "Connection"}) {
    Request forged = get();
    forged.headers.add(name, "1");
    EXPECT_EQ(send(plain(server.port()), forged).sent, Sent::nothing) << name;
  }
  EXPECT_EQ(server.handler.calls, 0);
}

Task<> who(const Connection& connection, Request&, Response& response) {
  response.body = connection.peer ? connection.peer->node.str() : "nobody";
  co_return;
}

TEST_F(HttpClientTest, both_ends_know_each_other_and_sessions_resume) {
  RunningServer::Setup setup;
  const auto served = context(TlsSide::server, "gate.example", believe, "gate.example");
  setup.tls = [&] { return served; };
  RunningServer server(who, setup);
  std::atomic<int> judged{0};
  std::atomic<bool> trusted{true};
  std::string expected;
  const auto tls = context(TlsSide::client, "orga.example", [&](const PresentedChain& chain) -> Result<PeerIdentity> {
    ++judged;
    expected = chain.expected;
    if (!trusted) return fail(Code::node_not_trusted, "revoked");
    return believe(chain);
  });
  const Destination destination = secure(server.port(), tls);
  for (int i = 0; i < 3; ++i) {
    const Exchange exchange = send(destination, get());
    ASSERT_TRUE(exchange.response.has_value()) << exchange.response.error().detail;
    EXPECT_EQ(exchange.response->body, "orga.example");
    ASSERT_TRUE(exchange.peer.has_value());
    EXPECT_EQ(exchange.peer->node.str(), "gate.example");
    on([&] { client->purge(destination.pool_key); });
  }
  EXPECT_EQ(expected, "gate.example");
  EXPECT_EQ(judged, 3) << "each connection, resumed or not";
  trusted = false;
  const Exchange refused = send(destination, get());
  ASSERT_FALSE(refused.response.has_value());
  EXPECT_EQ(refused.response.error().code, Code::peer_unreachable);
  EXPECT_THAT(refused.response.error().detail, HasSubstr("revoked"));
  EXPECT_EQ(refused.sent, Sent::nothing);
  EXPECT_EQ(metrics.tls_handshakes("client", "failed").Value(), 1);
}

TEST_F(HttpClientTest, sessions_are_really_resumed) {
  const Credential credential = make_credential("gate.example");
  SSL_CTX* ctx = RawTls::make_context(true, &credential);
  std::atomic<int> resumed{0};
  {
    RawServer server([&](RawSocket socket, int) {
      RawTls tls(std::move(socket), ctx, true);
      if (!tls.ok()) return;
      resumed += SSL_session_reused(tls.ssl());
      tls.receive();
      tls.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
      SSL_shutdown(tls.ssl());
    });
    const auto tls = context(TlsSide::client, "orga.example", believe);
    for (int i = 0; i < 3; ++i) {
      const Exchange exchange = send(secure(server.port(), tls), get());
      ASSERT_TRUE(exchange.response.has_value()) << exchange.response.error().detail;
    }
    EXPECT_EQ(resumed, 2);
    tls->forget_sessions(NodeId::parse("gate.example").value());
    ASSERT_TRUE(send(secure(server.port(), tls), get()).response.has_value());
    EXPECT_EQ(resumed, 2);
  }
  SSL_CTX_free(ctx);
}

TEST_F(HttpClientTest, a_server_that_refuses_our_certificate_is_named_as_such) {
  RunningServer::Setup setup;
  const auto served = context(TlsSide::server, "gate.example", [](const PresentedChain&) -> Result<PeerIdentity> {
    return fail(Code::node_not_trusted, "no");
  });
  setup.tls = [&] { return served; };
  RunningServer server(who, setup);
  const Exchange exchange = send(secure(server.port(), context(TlsSide::client, "orga.example", believe)), get());
  ASSERT_FALSE(exchange.response.has_value());
  EXPECT_EQ(exchange.response.error().code, Code::peer_refused);
  EXPECT_EQ(server.handler.calls, 0);
}

TEST_F(HttpClientTest, an_answer_cut_without_close_notify_is_no_answer) {
  const Credential credential = make_credential("gate.example");
  SSL_CTX* ctx = RawTls::make_context(true, &credential);
  for (const bool orderly : {true, false}) {
    RawServer server([&](RawSocket socket, int) {
      RawTls tls(std::move(socket), ctx, true);
      if (!tls.ok()) return;
      tls.receive();
      tls.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npart of it");
      if (orderly) SSL_shutdown(tls.ssl());
    });
    const Exchange exchange = send(secure(server.port(), context(TlsSide::client, "orga.example", believe)), get());
    EXPECT_EQ(exchange.response.has_value(), orderly);
    if (!orderly) EXPECT_EQ(exchange.response.error().code, Code::peer_protocol_error);
  }
  SSL_CTX_free(ctx);
}

TEST_F(HttpClientTest, a_server_that_closes_idle_TLS_connections_is_noticed) {
  RunningServer::Setup setup;
  const auto served = context(TlsSide::server, "gate.example", believe);
  setup.tls = [&] { return served; };
  setup.limits.idle = 30ms;
  RunningServer server(who, setup);
  const Destination destination = secure(server.port(), context(TlsSide::client, "orga.example", believe));
  ASSERT_TRUE(send(destination, get()).response.has_value());
  EXPECT_TRUE(eventually([&] { return idle() == 0; }));
  ASSERT_TRUE(send(destination, get()).response.has_value());
}

TEST_F(HttpClientTest, a_stopped_client_refuses) {
  RunningServer server;
  ASSERT_TRUE(send(plain(server.port()), get()).response.has_value());
  worker.run_and_wait([this]() -> Task<> { co_await client->stop(); });
  EXPECT_EQ(idle(), 0u);
  const Exchange exchange = send(plain(server.port()), get());
  ASSERT_FALSE(exchange.response.has_value());
  EXPECT_EQ(exchange.sent, Sent::nothing);
}

TEST_F(HttpClientTest, the_judge_sees_the_servers_staple_on_resumed_sessions_too) {
  const auto served = context(TlsSide::server, "gate.example", believe);
  served->staple("not revoked");
  RunningServer::Setup setup;
  setup.tls = [&] { return served; };
  RunningServer server(
      [](const Connection&, Request&, Response& response) -> Task<> {
        response.close = true;
        co_return;
      },
      setup);
  std::vector<std::string> staples;
  const auto tls = context(TlsSide::client, "orga.example", [&](const PresentedChain& chain) -> Result<PeerIdentity> {
    staples.push_back(chain.ocsp);
    return believe(chain);
  });
  const Destination destination = secure(server.port(), tls);
  ASSERT_TRUE(send(destination, get()).response.has_value());
  served->staple("");
  ASSERT_TRUE(send(destination, get()).response.has_value());
  ASSERT_TRUE(send(destination, get()).response.has_value());
  EXPECT_THAT(staples, testing::ElementsAre("not revoked", "not revoked", "not revoked"));
  tls->forget_sessions({});
  ASSERT_TRUE(send(destination, get()).response.has_value());
  EXPECT_EQ(staples.back(), "");
}

}  // namespace
}  // namespace fedgate::net::test
