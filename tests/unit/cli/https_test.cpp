// SPDX-License-Identifier: Apache-2.0
//
// `--url https://…` against a real TLS server: whom it believes.
#include <gmock/gmock.h>

#include "net/http_server.h"
#include "running.h"
#include "trust/dev_pki.h"

namespace fedgate::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class Answers final : public net::Handler {
 public:
  Task<> handle(const net::Connection&, net::Request& request, net::Response& response) override {
    authorization = request.headers.find("Authorization").value_or("");
    response.headers.add("Content-Type", "application/json");
    response.body = R"({"success":true,"result":{"ok":1}})";
    co_return;
  }
  std::string authorization;
};

class Https : public Folder {
 protected:
  void SetUp() override {
    Folder::SetUp();
    write("token", "fgt_secret\n");
  }
  void serve(const std::vector<std::string>& names, bool server_auth = true) {
    const auto now = system_clock().wall() - std::chrono::minutes(5);
    const auto ca = trust::make_dev_ca("A", now);
    ASSERT_TRUE(ca);
    trust::LeafRequest request;
    request.dns_names = names;
    request.server_auth = server_auth;
    request.not_before = now;
    const auto leaf = trust::issue_dev_leaf(*ca, request);
    ASSERT_TRUE(leaf) << leaf.error().detail;
    write("ca.crt", ca->certificate_pem);
    net::TlsOptions tls;
    tls.certificate_pem = leaf->certificate_pem;
    tls.key_pem = leaf->key_pem;
    const auto context = net::TlsContext::make(net::TlsSide::server, tls);
    ASSERT_TRUE(context) << context.error().detail;
    net::Listener::Options options;
    options.address = "127.0.0.1:0";
    auto listener = net::Listener::bind(worker_, options, log::silent());
    ASSERT_TRUE(listener) << listener.error().detail;
    listener_ = std::move(*listener);
    listener_->start({&server_}, [context = *context] { return context; });
    worker_.start([](const std::exception& error) { ADD_FAILURE() << error.what(); });
  }
  void TearDown() override {
    if (!listener_) return;
    worker_.run_and_wait([this]() -> Task<> {
      listener_->stop();
      co_await server_.drain(worker_.clock().steady() + std::chrono::seconds(2));
    });
    worker_.finish();
    Folder::TearDown();
  }
  Ran invoke(std::vector<std::string> more, const std::string& host = "localhost") const {
    const auto port = listener_->local().substr(listener_->local().rfind(':'));
    std::vector<std::string> words{"invoke",       "r",          "c", "--url", "https://" + host + port,
                                   "--token-file", path("token")};
    words.insert(words.end(), more.begin(), more.end());
    return run_words(std::move(words));
  }
  void expect_distrust(const Ran& ran) const {
    EXPECT_EQ(ran.status, 1) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("is not valid"));
    EXPECT_THAT(ran.err, HasSubstr("--ca-file"));
    EXPECT_EQ(handler_.authorization, "") << "the token went to a stranger";
  }

  Metrics metrics_;
  Worker worker_{0, system_clock()};
  Answers handler_;
  net::HttpServer server_{worker_, {.name = "clients", .limits = {}, .hosts = {}}, handler_, log::silent(), metrics_};
  std::unique_ptr<net::Listener> listener_;
};

TEST_F(Https, BelievesTheNamedCa) {
  serve({"localhost"});
  const auto ran = invoke({"--ca-file", path("ca.crt")});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\"ok\": 1"));
  EXPECT_EQ(handler_.authorization, "Bearer fgt_secret");
}

TEST_F(Https, DoesNotBelieveAStranger) {
  serve({"localhost"});
  expect_distrust(invoke({}));
}

TEST_F(Https, WantsTheNameOfTheHost) {
  serve({"gate.orga.example"});
  expect_distrust(invoke({"--ca-file", path("ca.crt")}));
  expect_distrust(invoke({"--ca-file", path("ca.crt")}, "127.0.0.1"));
}

TEST_F(Https, WantsAServersCertificate) {
  serve({"localhost"}, false);
  expect_distrust(invoke({"--ca-file", path("ca.crt")}));
}

TEST_F(Https, NamesACaFileThatIsNone) {
  serve({"localhost"});
  write("not-a-ca", "text");
  const auto ran = invoke({"--ca-file", path("not-a-ca")});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("cannot be read as PEM"));
}

}  // namespace
}  // namespace fedgate::cli
