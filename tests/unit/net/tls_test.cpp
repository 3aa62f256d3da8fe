// SPDX-License-Identifier: Apache-2.0
#include "net/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include <set>

#include "raw_client.h"
#include "running_server.h"

namespace fedgate::net::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

Task<> who(const Connection& connection, Request&, Response& response) {
  response.body = connection.peer ? connection.peer->node.str() : "nobody";
  co_return;
}

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

Result<PeerIdentity> suspicious(const PresentedChain& chain) {
  const std::string name = common_name(chain.leaf);
  if (name == "revoked.example") return fail(Code::node_not_trusted, "revoked");
  if (name == "throws.example") throw std::runtime_error("judge");
  return fail(Code::identity_mismatch, "unknown");
}

TEST(Tls, every_refusal_is_the_same_alert_and_no_HTTP) {
  RunningServer server(who, with(context(TlsSide::server, "gate.example", suspicious, "gate.example")));
  const auto expect_refused = [&](const char* what, const RawClient::Outcome& outcome) {
    EXPECT_EQ(outcome.answer, "") << what;
    EXPECT_THAT(outcome.alerts, testing::ElementsAre(refusal)) << what << ": " << outcome.reason;
  };
  for (const char* name : {"revoked.example", "throws.example", "stranger.example"}) {
    RawClient client(name);
    expect_refused(name, client.ask(server.port()));
  }
  RawClient bare("x", false);
  expect_refused("no certificate", bare.ask(server.port()));
  RawClient misled("stranger.example");
  expect_refused("wrong name", misled.ask(server.port(), "other.example"));
  RawClient nameless("stranger.example");
  expect_refused("no name", nameless.ask(server.port(), ""));
  RawClient modern("stranger.example");
  expect_refused("wrong protocol", modern.ask(server.port(), "gate.example", alpn_h2));
  RawClient enrolling("stranger.example");
  expect_refused("no enrolment here", enrolling.ask(server.port(), "gate.example", alpn_enrolment));
  EXPECT_EQ(server.handler.calls, 0);
  EXPECT_TRUE(eventually([&] { return server.metrics.tls_handshakes("server", "failed").Value() == 8; }));
}

TEST(Tls, an_older_version_is_refused_and_names_compare_without_case) {
  RunningServer server(who, with(context(TlsSide::server, "gate.example", believe, "gate.example")));
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
  client.send(who_request);
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
  ASSERT_TRUE(first.send(who_request));
  EXPECT_THAT(first.receive(), StartsWith("HTTP/1.1 200"));
  RawTls second(RawSocket::connect(server.port()), client.ctx.get(), false, "gate.example");
  ASSERT_TRUE(second.ok());
  ASSERT_TRUE(second.send(who_request));
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
  EXPECT_EQ(judged, 4) << "at the end of every handshake";
  trusted = false;
  SSL_SESSION* copy = SSL_SESSION_dup(client.session);  // OpenSSL's client gives up what was refused
  const auto refused = client.ask(server.port());
  EXPECT_TRUE(refused.resumed);
  EXPECT_EQ(refused.answer, "");
  EXPECT_THAT(refused.alerts, testing::ElementsAre(refusal));
  trusted = true;
  SSL_SESSION_free(client.session);
  client.session = copy;
  EXPECT_FALSE(client.ask(server.port()).resumed) << "a refusal drops the session";
  EXPECT_EQ(server.handler.calls, 5);
}

TEST(Tls, who_was_refused_was_given_no_session) {
  RunningServer server(who, with(context(TlsSide::server, "gate.example", suspicious)));
  RawClient client("revoked.example");
  client.ask(server.port());
  EXPECT_EQ(client.session, nullptr);
  RawClient bare("x", false);
  bare.ask(server.port());
  EXPECT_EQ(bare.session, nullptr);
}

// A client may hold its last message back until its anchor has been replaced.
TEST(Tls, what_is_judged_at_the_end_of_the_handshake_counts) {
  std::atomic<bool> trusted{true};
  std::atomic<int> judged{0};
  const auto judge = [&](const PresentedChain& chain) -> Result<PeerIdentity> {
    ++judged;
    if (!trusted) return fail(Code::identity_mismatch, "the anchor was replaced meanwhile");
    return believe(chain);
  };
  RunningServer server(who, with(context(TlsSide::server, "gate.example", judge)));
  RawClient client("orgb.example");
  // All but the last message: what the client writes then stays in memory until it is released.
  const auto socket = RawSocket::connect(server.port());
  SSL* ssl = SSL_new(client.ctx.get());
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, BIO_new_socket(socket.fd(), BIO_NOCLOSE), out);
  SSL_set_connect_state(ssl);
  const auto release = [&] {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out, &bytes);
    socket.send({bytes, static_cast<std::size_t>(size)});
    BIO_reset(out);
  };
  socket.patience(100ms);
  ASSERT_NE(SSL_do_handshake(ssl), 1);
  release();
  socket.patience(10s);
  ASSERT_EQ(SSL_do_handshake(ssl), 1);
  EXPECT_EQ(judged, 0);
  trusted = false;
  release();
  char byte;
  EXPECT_LE(SSL_read(ssl, &byte, 1), 0);
  EXPECT_THAT(client.alerts, testing::ElementsAre(refusal));
  EXPECT_EQ(judged, 1);
  EXPECT_EQ(server.handler.calls, 0);
  SSL_free(ssl);
}

/// A key that claims to be this certificate's, but is not.
EVP_PKEY* false_key(const X509* certificate) {
  std::string point(65, '\0');
  std::size_t size = 0;
  EVP_PKEY_get_octet_string_param(X509_get0_pubkey(certificate), OSSL_PKEY_PARAM_PUB_KEY,
                                  reinterpret_cast<unsigned char*>(point.data()), point.size(), &size);
  BIGNUM* secret = BN_new();
  BN_set_word(secret, 4711);
  OSSL_PARAM_BLD* parts = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, point.data(), size);
  OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_PRIV_KEY, secret);
  OSSL_PARAM* params = OSSL_PARAM_BLD_to_param(parts);
  EVP_PKEY_CTX* maker = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(maker);
  EVP_PKEY_fromdata(maker, &key, EVP_PKEY_KEYPAIR, params);
  EVP_PKEY_CTX_free(maker);
  OSSL_PARAM_free(params);
  OSSL_PARAM_BLD_free(parts);
  BN_free(secret);
  return key;
}

TEST(Tls, certificates_of_others_do_not_tell_whom_we_trust) {
  std::atomic<int> judged{0};
  const auto judge = [&](const PresentedChain& chain) -> Result<PeerIdentity> {
    ++judged;
    if (common_name(chain.leaf) != "partner.example") return fail(Code::identity_mismatch, "unknown");
    return believe(chain);
  };
  RunningServer server(who, with(context(TlsSide::server, "gate.example", judge)));
  std::set<std::vector<int>> alerts;
  for (const char* name : {"partner.example", "stranger.example"}) {
    X509* stolen = read_certificate(make_credential(name));
    EVP_PKEY* key = false_key(stolen);
    ASSERT_NE(key, nullptr);
    RawClient thief("thief.example");
    ASSERT_EQ(SSL_CTX_use_certificate(thief.ctx.get(), stolen), 1);
    ASSERT_EQ(SSL_CTX_use_PrivateKey(thief.ctx.get(), key), 1);
    alerts.insert(thief.ask(server.port()).alerts);
    EVP_PKEY_free(key);
    X509_free(stolen);
  }
  EXPECT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts.begin()->size(), 1U);
  EXPECT_EQ(judged, 0);
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

TEST(Tls, another_key_share_may_be_asked_for) {
  RunningServer server(who, with(context(TlsSide::server, "gate.example", believe)));
  RawClient client("orgb.example");
  SSL_CTX_set1_groups_list(client.ctx.get(), "P-521:P-256");
  EXPECT_THAT(client.ask(server.port()).answer, StartsWith("HTTP/1.1 200"));
  RawClient costly("orgb.example");
  SSL_CTX_set1_groups_list(costly.ctx.get(), "P-521:ffdhe8192");
  EXPECT_EQ(costly.ask(server.port()).answer, "");
}

TEST(Tls, no_session_allows_early_data) {
  RunningServer server(who, with(context(TlsSide::server, "gate.example", believe)));
  RawClient client("orgb.example");
  client.ask(server.port());
  ASSERT_NE(client.session, nullptr);
  EXPECT_EQ(SSL_SESSION_get_max_early_data(client.session), 0U);
}

TEST(Tls, a_handshake_that_is_too_large_ends) {
  RunningServer server(who, with(context(TlsSide::server, "gate.example", believe)));
  RawClient chained("orgb.example");
  const Credential issuer = make_credential("ca.example");
  for (int i = 0; i < 200; ++i) add_to_chain(chained.ctx.get(), issuer);
  EXPECT_EQ(chained.ask(server.port()).answer, "");
  RawClient wordy("orgb.example");
  std::string alpn(alpn_http);
  while (alpn.size() < 50'000) alpn += std::string(1, '\xF0') + std::string(0xF0, 'x');
  EXPECT_EQ(wordy.ask(server.port(), "gate.example", alpn).answer, "");
  EXPECT_EQ(server.handler.calls, 0);
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(Tls, strangers_are_bounded_in_total) {
  auto setup = with(context(TlsSide::server, "gate.example", believe));
  setup.limits.unauthenticated = 2;
  RunningServer server(who, setup);
  auto one = RawSocket::connect(server.port());
  auto two = RawSocket::connect(server.port());
  ASSERT_TRUE(eventually([&] { return server.connections() == 2; }));
  EXPECT_EQ(RawSocket::connect(server.port()).all(), "");
  EXPECT_EQ(server.metrics.rejected_connections("test", "total").Value(), 1);
  one.close();
  ASSERT_TRUE(eventually([&] { return server.connections() == 1; }));
  RawClient client("orgb.example");
  EXPECT_THAT(client.ask(server.port()).answer, StartsWith("HTTP/1.1 200"));
}

TEST(Tls, keys_may_be_updated_but_not_without_end) {
  RunningServer server(who, with(context(TlsSide::server, "gate.example", believe)));
  RawClient client("orgb.example");
  RawTls tls(RawSocket::connect(server.port()), client.ctx.get(), false, "gate.example");
  const auto update = [&] {
    return SSL_key_update(tls.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(tls.ssl()) == 1;
  };
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(update());
  ASSERT_TRUE(tls.send(who_request));
  EXPECT_THAT(tls.receive(), StartsWith("HTTP/1.1 200"));
  for (int i = 0; i < 400 && update(); ++i) continue;
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(Tls, our_staple_reaches_who_asks_for_it_and_the_newest_one) {
  const auto tls = context(TlsSide::server, "gate.example", believe);
  RunningServer server(who, with(tls));
  const auto stapled = [&] {
    RawClient client("orgb.example");
    SSL_CTX_set_tlsext_status_type(client.ctx.get(), TLSEXT_STATUSTYPE_ocsp);
    RawTls raw(RawSocket::connect(server.port()), client.ctx.get(), false, "gate.example");
    const unsigned char* bytes = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(raw.ssl(), &bytes);
    return size < 0 ? std::string() : std::string(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  };
  EXPECT_EQ(stapled(), "");
  tls->staple("first answer");
  EXPECT_EQ(stapled(), "first answer");
  tls->staple("second answer");
  EXPECT_EQ(stapled(), "second answer");
  RawClient incurious("orgb.example");
  EXPECT_THAT(incurious.ask(server.port()).answer, StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace fedgate::net::test
