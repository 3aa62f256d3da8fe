// SPDX-License-Identifier: Apache-2.0
#include "net/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include "raw_socket.h"
#include "running_server.h"

namespace fedgate::net::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

const std::string request = "GET /who HTTP/1.1\r\nHost: gate.example\r\n\r\n";

Task<> who(const Connection& connection, Request&, Response& response) {
  response.body = connection.peer ? connection.peer->node.str() : "nobody";
  co_return;
}

struct FreeCtx {
  void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
};
using Ctx = std::unique_ptr<SSL_CTX, FreeCtx>;

/// A raw client that keeps the newest session it was given.
struct RawClient {
  explicit RawClient(const std::string& name, bool with_certificate = true) {
    const Credential credential = make_credential(name);
    ctx.reset(RawTls::make_context(false, with_certificate ? &credential : nullptr));
    SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_CLIENT);
    SSL_CTX_set_app_data(ctx.get(), this);
    SSL_CTX_sess_set_new_cb(ctx.get(), [](SSL* ssl, SSL_SESSION* session) {
      auto* self = static_cast<RawClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
      SSL_SESSION_free(self->session);
      self->session = session;
      return 1;
    });
  }
  ~RawClient() { SSL_SESSION_free(session); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  struct Outcome {
    std::string answer;
    std::string reason;
    bool resumed = false;
  };
  /// Asks once on a connection of its own.
  Outcome ask(std::uint16_t port, const std::string& sni = "gate.example", std::string_view alpn = {}) {
    if (!alpn.empty())
      SSL_CTX_set_alpn_protos(ctx.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                              static_cast<unsigned>(alpn.size()));
    RawTls tls(RawSocket::connect(port), ctx.get(), false, sni, session);
    if (!tls.ok()) return {.answer = {}, .reason = tls.reason()};
    const bool resumed = SSL_session_reused(tls.ssl()) == 1;
    tls.send(request);
    std::string answer = tls.receive();
    Outcome outcome{.answer = std::move(answer), .reason = tls.reason(), .resumed = resumed};
    SSL_shutdown(tls.ssl());
    return outcome;
  }
  Ctx ctx;
  SSL_SESSION* session = nullptr;
};

RunningServer::Setup with(const std::shared_ptr<TlsContext>& tls) {
  RunningServer::Setup setup;
  setup.tls = [tls] { return tls; };
  return setup;
}

TEST(Tls, a_client_that_is_believed_is_known_by_its_node) {
  RunningServer server(who, with(context(TlsSide::server, "gate.example", believe)));
  RawClient client("orgb.example");
  EXPECT_THAT(client.ask(server.port()).answer, testing::EndsWith("orgb.example"));
  EXPECT_EQ(server.metrics.tls_handshakes("server", "ok").Value(), 1);
}

TEST(Tls, every_refusal_is_the_same_alert_and_no_HTTP) {
  const auto judge = [](const PresentedChain& chain) -> Result<PeerIdentity> {
    const std::string name = common_name(chain.leaf);
    if (name == "revoked.example") return fail(Code::node_not_trusted, "revoked");
    if (name == "throws.example") throw std::runtime_error("judge");
    return fail(Code::identity_mismatch, "unknown");
  };
  RunningServer server(who, with(context(TlsSide::server, "gate.example", judge, "gate.example")));
  std::set<std::string> reasons;
  for (const char* name : {"revoked.example", "throws.example", "stranger.example"}) {
    RawClient client(name);
    const auto outcome = client.ask(server.port());
    EXPECT_EQ(outcome.answer, "") << name;
    reasons.insert(outcome.reason);
  }
  RawClient wrong_name("stranger.example");
  reasons.insert(wrong_name.ask(server.port(), "other.example").reason);
  EXPECT_THAT(reasons, testing::ElementsAre(HasSubstr("handshake failure")));
  EXPECT_EQ(server.handler.calls, 0);
  EXPECT_TRUE(eventually([&] { return server.metrics.tls_handshakes("server", "failed").Value() == 4; }));
}

TEST(Tls, a_client_without_certificate_or_with_another_protocol_is_refused) {
  RunningServer server(who, with(context(TlsSide::server, "gate.example", believe, "gate.example")));
  RawClient bare("x", false);
  EXPECT_EQ(bare.ask(server.port()).answer, "");
  RawClient client("orgb.example");
  EXPECT_THAT(client.ask(server.port(), "gate.example", std::string_view("\x02h2", 3)).reason,
              HasSubstr("no application protocol"));
  RawClient named("orgb.example");
  EXPECT_THAT(named.ask(server.port(), "GATE.example", std::string_view("\x02h2\x08http/1.1", 12)).answer,
              StartsWith("HTTP/1.1 200"));
  RawClient old("orgb.example");
  SSL_CTX_set_max_proto_version(old.ctx.get(), TLS1_2_VERSION);
  EXPECT_EQ(old.ask(server.port()).answer, "");
  EXPECT_EQ(server.handler.calls, 1);
}

TEST(Tls, plain_text_and_garbage_get_no_HTTP) {
  RunningServer server(who, with(context(TlsSide::server, "gate.example", believe)));
  auto client = RawSocket::connect(server.port());
  client.send(request);
  std::string got;
  while (true) {
    auto some = client.receive();
    if (!some || some->empty()) break;
    got += *some;
  }
  EXPECT_EQ(got.find("HTTP/1"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(Tls, a_handshake_that_stalls_ends_and_strangers_of_one_address_are_bounded) {
  auto setup = with(context(TlsSide::server, "gate.example", believe));
  setup.limits.handshake = 200ms;
  setup.limits.unauthenticated_per_address = 2;
  RunningServer server(who, setup);
  auto one = RawSocket::connect(server.port());
  auto two = RawSocket::connect(server.port());
  ASSERT_TRUE(eventually([&] { return server.connections() == 2; }));
  EXPECT_EQ(RawSocket::connect(server.port()).all(), "");
  EXPECT_EQ(server.metrics.rejected_connections("test", "per_address").Value(), 1);
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
  RawClient client("orgb.example");
  EXPECT_THAT(client.ask(server.port()).answer, StartsWith("HTTP/1.1 200"));
}

TEST(Tls, who_is_authenticated_no_longer_counts_as_a_stranger) {
  auto setup = with(context(TlsSide::server, "gate.example", believe));
  setup.limits.unauthenticated_per_address = 1;
  RunningServer server(who, setup);
  RawClient client("orgb.example");
  RawTls first(RawSocket::connect(server.port()), client.ctx.get(), false, "gate.example");
  ASSERT_TRUE(first.send(request));
  EXPECT_THAT(first.receive(), StartsWith("HTTP/1.1 200"));
  RawTls second(RawSocket::connect(server.port()), client.ctx.get(), false, "gate.example");
  ASSERT_TRUE(second.ok());
  ASSERT_TRUE(second.send(request));
  EXPECT_THAT(second.receive(), StartsWith("HTTP/1.1 200"));
}

TEST(Tls, a_resumed_session_is_judged_again) {
  std::atomic<bool> trusted{true};
  std::atomic<int> judged{0};
  const auto judge = [&](const PresentedChain& chain) -> Result<PeerIdentity> {
    ++judged;
    if (!trusted) return fail(Code::node_not_trusted, "revoked");
    return believe(chain);
  };
  RunningServer server(who, with(context(TlsSide::server, "gate.example", judge)));
  RawClient client("orgb.example");
  EXPECT_FALSE(client.ask(server.port()).resumed);
  ASSERT_NE(client.session, nullptr);
  for (int i = 0; i < 3; ++i) {
    const auto again = client.ask(server.port());
    EXPECT_TRUE(again.resumed);
    EXPECT_THAT(again.answer, testing::EndsWith("orgb.example"));
  }
  EXPECT_EQ(judged, 8) << "twice a connection: when the certificate or the session comes, and at the end";
  trusted = false;
  const auto refused = client.ask(server.port());
  EXPECT_TRUE(refused.resumed);
  EXPECT_EQ(refused.answer, "");
  EXPECT_EQ(server.handler.calls, 4);
}

// A client may hold its last message back until its anchor has been replaced.
TEST(Tls, what_is_judged_at_the_end_of_the_handshake_counts) {
  std::atomic<int> judged{0};
  const auto judge = [&](const PresentedChain& chain) -> Result<PeerIdentity> {
    if (++judged > 1) return fail(Code::identity_mismatch, "the anchor was replaced meanwhile");
    return believe(chain);
  };
  RunningServer server(who, with(context(TlsSide::server, "gate.example", judge)));
  RawClient client("orgb.example");
  EXPECT_EQ(client.ask(server.port()).answer, "");
  EXPECT_EQ(judged, 2);
  EXPECT_EQ(server.handler.calls, 0);
}

TEST(Tls, sessions_of_a_node_are_forgotten_and_those_of_others_kept) {
  const auto tls = context(TlsSide::server, "gate.example", believe);
  RunningServer server(who, with(tls));
  RawClient b("orgb.example");
  RawClient c("orgc.example");
  b.ask(server.port());
  c.ask(server.port());
  tls->forget_sessions(NodeId::parse("orgb.example").value());
  EXPECT_FALSE(b.ask(server.port()).resumed);
  EXPECT_TRUE(c.ask(server.port()).resumed);
  tls->forget_sessions({});
  EXPECT_FALSE(c.ask(server.port()).resumed);
}

TEST(Tls, a_session_is_of_one_context_only) {
  std::vector<std::shared_ptr<TlsContext>> contexts{context(TlsSide::server, "gate.example", believe),
                                                    context(TlsSide::server, "gate.example", believe)};
  std::atomic<std::size_t> current{0};
  RunningServer::Setup setup;
  setup.tls = [&] { return contexts[current]; };
  RunningServer server(who, setup);
  RawClient client("orgb.example");
  client.ask(server.port());
  current = 1;
  const auto outcome = client.ask(server.port());
  EXPECT_FALSE(outcome.resumed);
  EXPECT_THAT(outcome.answer, StartsWith("HTTP/1.1 200"));
}

TEST(Tls, the_session_cache_is_bounded) {
  TlsOptions options;
  const Credential credential = make_credential("gate.example");
  options.certificate_pem = credential.certificate;
  options.key_pem = credential.key;
  options.judge = believe;
  options.session_cache = 1;
  const std::shared_ptr<TlsContext> tls = TlsContext::make(TlsSide::server, options).value();
  RunningServer server(who, with(tls));
  RawClient b("orgb.example");
  RawClient c("orgc.example");
  b.ask(server.port());
  c.ask(server.port());
  EXPECT_TRUE(c.ask(server.port()).resumed);
  EXPECT_FALSE(b.ask(server.port()).resumed);
}

TEST(Tls, wrong_material_is_refused_with_a_reason) {
  const Credential one = make_credential("one.example");
  const Credential two = make_credential("two.example");
  TlsOptions options;
  options.certificate_pem = one.certificate;
  options.key_pem = two.key;
  const auto mixed = TlsContext::make(TlsSide::server, options);
  ASSERT_FALSE(mixed.has_value());
  EXPECT_EQ(mixed.error().code, Code::invalid_certificate);
  EXPECT_THAT(mixed.error().detail, HasSubstr("not the certificate's"));
  options.key_pem = "nonsense";
  EXPECT_FALSE(TlsContext::make(TlsSide::server, options).has_value());
  options.certificate_pem.clear();
  options.key_pem.clear();
  EXPECT_FALSE(TlsContext::make(TlsSide::server, options).has_value());
  EXPECT_TRUE(TlsContext::make(TlsSide::client, options).has_value());
}

TEST(Tls, large_bodies_pass_whole_in_both_directions) {
  RunningServer::Setup setup = with(context(TlsSide::server, "gate.example", believe));
  setup.limits.body = 4 << 20;
  RunningServer server(
      [](const Connection&, Request& asked, Response& response) -> Task<> {
        response.body = std::move(asked.body);
        co_return;
      },
      setup);
  RawClient client("orgb.example");
  RawTls tls(RawSocket::connect(server.port()), client.ctx.get(), false, "gate.example");
  ASSERT_TRUE(tls.ok());
  std::string body;
  for (int i = 0; body.size() < (3 << 20); ++i) body += std::to_string(i);
  ASSERT_TRUE(tls.send("POST / HTTP/1.1\r\nHost: gate.example\r\nConnection: close\r\nContent-Length: " +
                       std::to_string(body.size()) + "\r\n\r\n"));
  for (std::size_t at = 0; at < body.size(); at += 50'000)
    ASSERT_TRUE(tls.send(std::string_view(body).substr(at, 50'000)));
  std::string got;
  for (std::string some = tls.receive(); !some.empty(); some = tls.receive()) got += some;
  EXPECT_TRUE(tls.orderly());
  ASSERT_GT(got.size(), body.size());
  EXPECT_EQ(got.substr(got.size() - body.size()), body);
}

}  // namespace
}  // namespace fedgate::net::test
