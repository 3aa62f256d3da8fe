// SPDX-License-Identifier: Apache-2.0
#include "net/enrolment_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "raw_client.h"
#include "running_server.h"
#include "support/fake_clock.h"

namespace fedgate::net::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

Task<> ordinary(const Connection& connection, Request&, Response& response) {
  response.body = connection.stranger ? "a stranger in the wrong place" : connection.peer->node.str();
  co_return;
}

/// What the stranger must find at its own end, too.
Task<> describe(const Connection& connection, Request& request, Response& response) {
  const Presentation& seen = *connection.stranger;
  response.body = to_hex(Sha256(seen.exporter)) + " " + std::to_string(seen.rest.size()) + " " +
                  (seen.resumed ? "resumed" : "full") + " " + (connection.peer ? "known" : "unknown") + " " +
                  request.body;
  response.close = request.target == "/last";
  co_return;
}

struct Enrolling {
  explicit Enrolling(EnrolmentLimits limits = {}, Handle handle = describe)
      : gate(std::make_shared<EnrolmentGate>(
            clock, [this] { return open.load(); }, limits)),
        strangers(std::move(handle)),
        server(ordinary, setup(limits)) {}

  RunningServer::Setup setup(const EnrolmentLimits& limits) {
    TlsOptions options;
    const Credential credential = make_credential("gate.example");
    options.certificate_pem = credential.certificate;
    options.key_pem = credential.key;
    options.judge = believe;
    options.server_name = "gate.example";
    options.enrolment = gate;
    const std::shared_ptr<TlsContext> tls = TlsContext::make(TlsSide::server, options).value();
    RunningServer::Setup made;
    made.tls = [tls] { return tls; };
    made.enrolment = &strangers;
    made.enrolment_limits = limits;
    return made;
  }
  RawClient::Outcome ask(RawClient& client) { return client.ask(server.port(), "gate.example", alpn_enrolment); }
  Destination here(std::shared_ptr<TlsContext> tls, std::string name = "gate.example") const {
    return {.pool_key = {},
            .host = "127.0.0.1",
            .port = server.port(),
            .host_header = "gate.example",
            .tls = std::move(tls),
            .server_name = std::move(name)};
  }

  fedgate::test::FakeClock clock;  // the gate's minutes only
  std::atomic<bool> open{true};
  std::shared_ptr<EnrolmentGate> gate;
  FunctionHandler strangers;
  RunningServer server;
};

std::shared_ptr<TlsContext> our_tls(const std::string& name) {
  const Credential credential = make_credential(name);
  return EnrolmentConnection::make_tls(credential.certificate, credential.key).value();
}

std::string digest_of(const Credential& credential) { return to_hex(sha256(der_of(credential))); }

TEST(Enrolment, both_ends_see_each_others_certificate_and_the_same_binding) {
  Enrolling enrolling({}, [](const Connection& connection, Request& request, Response& response) -> Task<> {
    co_await describe(connection, request, response);
    response.body += " " + to_hex(sha256(connection.stranger->leaf));
  });
  const Credential ours = make_credential("newcomer.example");
  const auto tls = EnrolmentConnection::make_tls(ours.certificate, ours.key).value();
  enrolling.server.on(0, [&]() -> Task<> {
    Worker& worker = *enrolling.server.workers.front();
    auto connection = co_await EnrolmentConnection::open(worker, enrolling.here(tls), worker.wheel().now() + 5s);
    demand(connection);
    EXPECT_EQ(connection->server().protocol, enrolment_protocol);
    EXPECT_FALSE(connection->server().leaf.empty());
    EXPECT_FALSE(connection->server().resumed);
    const std::string expected = to_hex(Sha256(connection->server().exporter)) + " 0 full unknown ";
    for (const char* target : {"/first", "/last"}) {
      Request request{.method = "POST", .target = target, .headers = {}, .body = "hello"};
      auto response = co_await connection->send(request, worker.wheel().now() + 5s);
      demand(response);
      EXPECT_EQ(response->body, expected + "hello " + digest_of(ours));
    }
    Request more{.method = "POST", .target = "/", .headers = {}, .body = {}};
    auto refused = co_await connection->send(more, worker.wheel().now() + 5s);
    EXPECT_EQ(refused.error().code, Code::peer_unreachable);
  });
  EXPECT_EQ(enrolling.strangers.calls, 2);
  EXPECT_EQ(enrolling.server.handler.calls, 0);
}

TEST(Enrolment, no_two_connections_have_the_same_binding) {
  Enrolling enrolling;
  RawClient client("newcomer.example");
  const auto first = enrolling.ask(client);
  EXPECT_THAT(first.answer, HasSubstr("full unknown"));
  ASSERT_TRUE(eventually([&] { return enrolling.server.connections() == 0; }));
  const auto second = enrolling.ask(client);
  EXPECT_THAT(second.answer, HasSubstr("full unknown"));
  EXPECT_NE(first.answer, second.answer);
}

TEST(Enrolment, whoever_is_refused_gets_the_alert_that_everybody_gets) {
  Enrolling enrolling;
  RawClient bare("x", false);
  EXPECT_THAT(enrolling.ask(bare).alerts, ElementsAre(refusal));
  ASSERT_TRUE(eventually([&] { return enrolling.server.connections() == 0; }));
  RawClient misled("newcomer.example");
  EXPECT_THAT(misled.ask(enrolling.server.port(), "other.example", alpn_enrolment).alerts, ElementsAre(refusal));
  enrolling.open = false;
  RawClient late("newcomer.example");
  const auto closed = enrolling.ask(late);
  EXPECT_THAT(closed.alerts, ElementsAre(refusal));
  EXPECT_EQ(closed.answer, "");
  EXPECT_EQ(enrolling.strangers.calls, 0);
}

TEST(Enrolment, no_session_begins_there_and_none_goes_on_there) {
  Enrolling enrolling;
  RawClient client("newcomer.example");
  EXPECT_THAT(enrolling.ask(client).answer, StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(client.session, nullptr);
  ASSERT_TRUE(eventually([&] { return enrolling.server.connections() == 0; }));
  EXPECT_THAT(client.ask(enrolling.server.port(), "gate.example", alpn_http).answer,
              testing::EndsWith("newcomer.example"));
  ASSERT_NE(client.session, nullptr);
  const auto outcome = enrolling.ask(client);
  EXPECT_FALSE(outcome.resumed);
  EXPECT_THAT(outcome.answer, HasSubstr(" full unknown"));
}

TEST(Enrolment, who_offers_the_ordinary_protocol_too_is_judged) {
  Enrolling enrolling;
  RawClient client("newcomer.example");
  const std::string both = std::string(alpn_enrolment) + std::string(alpn_http);
  EXPECT_THAT(client.ask(enrolling.server.port(), "gate.example", both).answer, testing::EndsWith("newcomer.example"));
  EXPECT_EQ(enrolling.strangers.calls, 0);
}

TEST(Enrolment, one_connection_an_address_and_ten_a_minute) {
  EnrolmentLimits limits;
  limits.handshakes_per_minute = 3;
  Enrolling enrolling(limits);
  RawClient client("newcomer.example");
  SSL_CTX_set_alpn_protos(client.ctx.get(), reinterpret_cast<const unsigned char*>(alpn_enrolment.data()),
                          static_cast<unsigned>(alpn_enrolment.size()));
  {
    RawTls first(RawSocket::connect(enrolling.server.port()), client.ctx.get(), false, "gate.example");
    ASSERT_TRUE(first.ok());
    RawClient second("newcomer.example");
    EXPECT_THAT(enrolling.ask(second).alerts, ElementsAre(refusal));
  }
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(eventually([&] { return enrolling.server.connections() == 0; }));
    EXPECT_THAT(enrolling.ask(client).answer, StartsWith("HTTP/1.1 200")) << i;
  }
  ASSERT_TRUE(eventually([&] { return enrolling.server.connections() == 0; }));
  EXPECT_THAT(enrolling.ask(client).alerts, ElementsAre(refusal)) << "the fourth this minute";
  enrolling.clock.advance(1min);
  ASSERT_TRUE(eventually([&] { return enrolling.server.connections() == 0; }));
  EXPECT_THAT(enrolling.ask(client).answer, StartsWith("HTTP/1.1 200"));
}

TEST(Enrolment, another_key_share_costs_no_second_place) {
  EnrolmentLimits limits;
  limits.handshakes_per_minute = 1;
  Enrolling enrolling(limits);
  RawClient client("newcomer.example");
  SSL_CTX_set1_groups_list(client.ctx.get(), "P-521:P-256");
  EXPECT_THAT(enrolling.ask(client).answer, StartsWith("HTTP/1.1 200"));
}

TEST(Enrolment, the_places_are_few_in_all) {
  const fedgate::test::FakeClock clock;
  EnrolmentGate gate(clock, [] { return true; }, {.connections = 2, .handshakes_per_minute = 100});
  const auto one = gate.admit("192.0.2.1:1000");
  const auto two = gate.admit("[2001:db8:0:1::1]:1000");
  EXPECT_TRUE(one && two);
  EXPECT_THAT(gate.admit("192.0.2.2:1000").error().detail, HasSubstr("total"));
  EnrolmentGate wide(clock, [] { return true; }, {.connections = 9, .handshakes_per_minute = 100});
  const auto here = wide.admit("[2001:db8:0:1::1]:1000");
  EXPECT_THAT(wide.admit("[2001:db8:0:1:ffff::9]:7").error().detail, HasSubstr("per_address"));
  EXPECT_TRUE(wide.admit("[2001:db8:0:2::1]:1000").has_value());
  const auto v4 = wide.admit("192.0.2.1:1");
  EXPECT_FALSE(wide.admit("[::ffff:192.0.2.1]:2").has_value()) << "the same address, mapped";
}

TEST(Enrolment, a_stranger_ends_after_its_bytes_and_after_its_time) {
  EnrolmentLimits limits;
  limits.time = 300ms;
  Enrolling enrolling(limits);
  RawClient client("newcomer.example");
  SSL_CTX_set_alpn_protos(client.ctx.get(), reinterpret_cast<const unsigned char*>(alpn_enrolment.data()),
                          static_cast<unsigned>(alpn_enrolment.size()));
  RawTls slow(RawSocket::connect(enrolling.server.port()), client.ctx.get(), false, "gate.example");
  ASSERT_TRUE(slow.ok());
  slow.send("GET /slow HTTP/1.1\r\n");
  EXPECT_EQ(slow.receive(), "") << "not even a 408";
  EXPECT_TRUE(eventually([&] { return enrolling.server.connections() == 0; }));

  Enrolling patient;
  RawTls greedy(RawSocket::connect(patient.server.port()), client.ctx.get(), false, "gate.example");
  ASSERT_TRUE(greedy.ok());
  greedy.send("POST /big HTTP/1.1\r\nHost: gate.example\r\nContent-Length: 40000\r\n\r\n");
  for (int i = 0; i < 10; ++i) greedy.send(std::string(4000, 'x'));
  EXPECT_EQ(greedy.receive(), "");
  EXPECT_EQ(patient.strangers.calls, 0);
  EXPECT_TRUE(eventually([&] { return patient.server.connections() == 0; }));
}

TEST(Enrolment, a_handler_that_takes_too_long_is_cancelled) {
  EnrolmentLimits limits;
  limits.time = 200ms;
  std::atomic<bool> cancelled{false};
  Enrolling enrolling(limits, [&](const Connection&, Request&, Response&) -> Task<> {
    try {
      asio::steady_timer forever(co_await asio::this_coro::executor, 1h);
      co_await forever.async_wait(use_task);
    } catch (const boost::system::system_error&) {
      cancelled = true;
      throw;
    }
  });
  RawClient client("newcomer.example");
  EXPECT_EQ(enrolling.ask(client).answer, "");
  EXPECT_TRUE(eventually([&] { return cancelled.load(); }));
}

TEST(Enrolment, chains_and_keys_that_cost_too_much_are_refused_unjudged) {
  Enrolling enrolling;
  RawClient long_chain("newcomer.example");
  for (int i = 0; i < 4; ++i) add_to_chain(long_chain.ctx.get(), make_credential("ca.example"));
  EXPECT_THAT(enrolling.ask(long_chain).alerts, ElementsAre(refusal));
  ASSERT_TRUE(eventually([&] { return enrolling.server.connections() == 0; }));
  RawClient four("newcomer.example");
  for (int i = 0; i < 3; ++i) add_to_chain(four.ctx.get(), make_credential("ca.example"));
  EXPECT_THAT(enrolling.ask(four).answer, HasSubstr(" 3 full"));
  ASSERT_TRUE(eventually([&] { return enrolling.server.connections() == 0; }));
  RawClient big_key("newcomer.example");
  add_to_chain(big_key.ctx.get(), make_rsa_credential("ca.example", 4104));
  EXPECT_THAT(enrolling.ask(big_key).alerts, ElementsAre(refusal));
}

TEST(Enrolment, a_closed_door_and_a_server_without_enrolment_are_unreachable) {
  Enrolling enrolling;
  enrolling.open = false;
  const auto tls = our_tls("newcomer.example");
  enrolling.server.on(0, [&]() -> Task<> {
    Worker& worker = *enrolling.server.workers.front();
    auto closed = co_await EnrolmentConnection::open(worker, enrolling.here(tls), worker.wheel().now() + 5s);
    if (closed) throw std::runtime_error("it must fail");
    EXPECT_EQ(closed.error().code, Code::peer_unreachable);
    EXPECT_THAT(closed.error().detail, HasSubstr("handshake failure"));
  });
  const Credential credential = make_credential("gate.example");
  const Ctx silent(RawTls::make_context(true, &credential));
  RawServer deaf([&](RawSocket socket, int) { RawTls tls(std::move(socket), silent.get(), true); });
  enrolling.server.on(0, [&]() -> Task<> {
    Worker& worker = *enrolling.server.workers.front();
    Destination where = enrolling.here(tls);
    where.port = deaf.port();
    auto other = co_await EnrolmentConnection::open(worker, where, worker.wheel().now() + 5s);
    if (other) throw std::runtime_error("it must fail");
    EXPECT_THAT(other.error().detail, HasSubstr("does not speak"));
  });
}

TEST(Enrolment, answers_are_bounded_and_waited_for_until_the_deadline) {
  Enrolling enrolling({}, [](const Connection&, Request& request, Response& response) -> Task<> {
    if (request.target == "/big") response.body.assign(100'000, 'x');
    if (request.target == "/slow") {
      asio::steady_timer later(co_await asio::this_coro::executor, 1h);
      co_await later.async_wait(use_task);
    }
  });
  const auto tls = our_tls("newcomer.example");
  enrolling.server.on(0, [&]() -> Task<> {
    Worker& worker = *enrolling.server.workers.front();
    for (const auto& [target, code] :
         {std::pair{"/big", Code::response_too_large}, std::pair{"/slow", Code::deadline_exceeded}}) {
      auto connection = co_await EnrolmentConnection::open(worker, enrolling.here(tls), worker.wheel().now() + 5s);
      demand(connection);
      Request request{.method = "POST", .target = target, .headers = {}, .body = {}};
      auto response = co_await connection->send(request, worker.wheel().now() + 300ms);
      if (response) throw std::runtime_error("it must fail");
      EXPECT_EQ(response.error().code, code) << response.error().detail;
      connection->close();
      co_await sleep_until(worker.wheel(), worker.wheel().now() + 50ms);
    }
  });
}

}  // namespace
}  // namespace fedgate::net::test
