// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "adapters/http_adapter.h"
#include "base/worker.h"
#include "support/scripted_service.h"

namespace fedgate::adapters {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

using support::ScriptedService;

std::string answer(std::string_view status, std::string_view body = "{}",
                   std::string_view headers = "Content-Type: application/json\r\n") {
  return ScriptedService::answer(status, body, headers);
}

/// Gives the same answer to everybody, after a delay.
class Service : public ScriptedService {
 public:
  explicit Service(std::string bytes, std::chrono::milliseconds delay = 0ms)
      : ScriptedService([bytes = std::move(bytes), delay](const std::string&) {
          std::this_thread::sleep_for(delay);  // a slow service, not a wait for a condition
          return bytes;
        }) {}
};

class Kept final : public ReplySink {
 public:
  Task<Result<void>> begin(std::string_view type) override {
    content_type = type;
    ++begun;
    if (refuses) co_return fail(Code::response_too_large, "the sink is full");
    co_return Result<void>{};
  }
  Task<Result<void>> data(std::string_view bytes) override {
    body += bytes;
    co_return Result<void>{};
  }
  std::string content_type, body;
  int begun = 0;
  bool refuses = false;
};

class HttpAdapterTest : public testing::Test {
 protected:
  HttpAdapterTest() : worker_(0, system_clock()) {
    worker_.start([](const std::exception& error) { ADD_FAILURE() << error.what(); });
    net::ClientLimits limits;
    limits.body = 64 * 1024;
    client_ = std::make_unique<net::HttpClient>(worker_, limits, log::silent(), metrics_);
    resource_.id = *ResourceId::parse("inventory");
    resource_.headers = {{"X-Fixed", "yes"}};
    resource_.authorization = "Bearer upstream-secret";
    add("lookup", "GET /items/{sku}", Access::read);
    add("order", "POST /orders", Access::write);
    invocation_.correlation_id = CorrelationId::make(system_clock().wall(), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    invocation_.origin = *NodeId::parse("orga.example");
    invocation_.principal = *PrincipalId::parse("alice@orga.example");
    invocation_.resource = resource_.id;
    invocation_.capability = *CapabilityId::parse("lookup");
    invocation_.arguments = R"({"sku":"A-1"})";
    invocation_.deadline = system_clock().steady() + 10s;
  }
  ~HttpAdapterTest() override {
    worker_.run_and_wait([this]() -> Task<> { co_await client_->stop(); });
    adapter_.reset();
    client_.reset();
    worker_.finish();
  }
  void add(const char* id, const char* request, Access access) {
    auto& capability = resource_.capabilities.emplace_back();
    capability.id = *CapabilityId::parse(id);
    capability.access = access;
    capability.request = request;
  }
  void order() {
    invocation_.capability = *CapabilityId::parse("order");
    invocation_.arguments = R"({"sku":"A-1","count":2})";
  }
  Outcome invoke(std::uint16_t port) {
    resource_.url = "http://127.0.0.1:" + std::to_string(port) + "/api";
    auto adapter = HttpAdapter::make(resource_, *client_, worker_.clock());
    if (!adapter) {
      ADD_FAILURE() << adapter.error().detail;
      return {};
    }
    adapter_ = std::move(*adapter);
    Outcome outcome;
    worker_.run_and_wait([&]() -> Task<> { outcome = co_await adapter_->invoke(invocation_, sink_); });
    return outcome;
  }
  static void expect_failure(const Outcome& outcome, Code code, Effect effect) {
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->info().wire_name, code_info(code).wire_name) << outcome.error->detail;
    EXPECT_EQ(to_string(outcome.effect), to_string(effect)) << outcome.error->detail;
  }

  Metrics metrics_;
  Worker worker_;
  std::unique_ptr<net::HttpClient> client_;
  Resource resource_;
  std::unique_ptr<HttpAdapter> adapter_;
  Invocation invocation_;
  Kept sink_;
};

TEST_F(HttpAdapterTest, PassesTheAnswerOn) {
  const Service service(answer("200 OK", R"({"on_hand":3})"), 20ms);
  const auto outcome = invoke(service.port());
  ASSERT_TRUE(outcome.ok()) << outcome.error->detail;
  EXPECT_EQ(outcome.effect, Effect::succeeded);
  EXPECT_EQ(outcome.response_bytes, 13U);
  EXPECT_EQ(sink_.content_type, "application/json");
  EXPECT_EQ(sink_.body, R"({"on_hand":3})");
  EXPECT_GE(outcome.timing.upstream, 20ms);
}

TEST_F(HttpAdapterTest, TellsTheServiceWhoAsksAndNothingElseOfTheCaller) {
  const Service service(answer("200 OK"));
  invocation_.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  invocation_.context = R"({"secret":"of the caller"})";
  ASSERT_TRUE(invoke(service.port()).ok());
  const auto seen = service.seen();
  EXPECT_THAT(seen, testing::StartsWith("GET /api/items/A-1 HTTP/1.1\r\n"));
  EXPECT_THAT(seen, HasSubstr("Host: 127.0.0.1:" + std::to_string(service.port()) + "\r\n"));
  EXPECT_THAT(seen, HasSubstr("Fedgate-Correlation-Id: " + invocation_.correlation_id.str() + "\r\n"));
  EXPECT_THAT(seen, HasSubstr("Fedgate-Principal: alice@orga.example\r\n"));
  EXPECT_THAT(seen, HasSubstr("Fedgate-Origin: orga.example\r\n"));
  EXPECT_THAT(seen, HasSubstr("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"));
  EXPECT_THAT(seen, HasSubstr("X-Fixed: yes\r\n"));
  EXPECT_THAT(seen, HasSubstr("Authorization: Bearer upstream-secret\r\n"));
  EXPECT_THAT(seen, Not(HasSubstr("of the caller")));
}

TEST_F(HttpAdapterTest, DropsATraceparentThatIsNone) {
  const Service service(answer("200 OK"));
  invocation_.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX-Admin: yes";
  ASSERT_TRUE(invoke(service.port()).ok());
  EXPECT_THAT(service.seen(), Not(HasSubstr("X-Admin")));
  EXPECT_THAT(service.seen(), Not(HasSubstr("traceparent")));
}

TEST_F(HttpAdapterTest, SendsABody) {
  const Service service(answer("201 Created", R"({"id":1})"));
  order();
  ASSERT_TRUE(invoke(service.port()).ok());
  EXPECT_THAT(service.seen(), testing::StartsWith("POST /api/orders HTTP/1.1\r\n"));
  EXPECT_THAT(service.seen(), HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(service.seen(), testing::EndsWith("\r\n\r\n"
                                                R"({"sku":"A-1","count":2})"));
}

TEST_F(HttpAdapterTest, SucceedsWithoutABodyOrType) {
  const Service service("HTTP/1.1 204 No Content\r\n\r\n");
  const auto outcome = invoke(service.port());
  ASSERT_TRUE(outcome.ok()) << outcome.error->detail;
  EXPECT_EQ(sink_.begun, 1);
  EXPECT_EQ(sink_.content_type, "");
}

TEST_F(HttpAdapterTest, MapsWhatTheServiceAnswers) {
  struct Row {
    const char* status;
    Code code;
    Effect read;
    Effect write;
  };
  for (const Row& row : {Row{"400 Bad Request", Code::upstream_rejected, Effect::failed, Effect::failed},
                         Row{"404 Not Found", Code::upstream_rejected, Effect::failed, Effect::failed},
                         Row{"429 Too Many Requests", Code::upstream_rejected, Effect::failed, Effect::failed},
                         Row{"500 Internal Server Error", Code::upstream_failed, Effect::failed, Effect::failed},
                         Row{"502 Bad Gateway", Code::upstream_failed, Effect::failed, Effect::unknown},
                         Row{"503 Service Unavailable", Code::upstream_failed, Effect::failed, Effect::unknown},
                         Row{"504 Gateway Timeout", Code::upstream_failed, Effect::failed, Effect::unknown},
                         Row{"302 Found", Code::upstream_protocol_error, Effect::failed, Effect::unknown}}) {
    SCOPED_TRACE(row.status);
    const Service service(answer(row.status, R"({"private":"of the service"})", "Location: /elsewhere\r\n"));
    invocation_.capability = *CapabilityId::parse("lookup");
    invocation_.arguments = R"({"sku":"A-1"})";
    const auto read = invoke(service.port());
    expect_failure(read, row.code, row.read);
    EXPECT_EQ(read.decided_by, DecidedBy::upstream);
    EXPECT_THAT(read.error->detail, Not(HasSubstr("of the service")));
    order();
    expect_failure(invoke(service.port()), row.code, row.write);
  }
  EXPECT_EQ(sink_.begun, 0) << "a failure has no result";
}

TEST_F(HttpAdapterTest, SaysThatNothingWasSentToAServiceThatIsDown) {
  std::uint16_t port = 0;
  {
    port = Service(answer("200 OK")).port();
  }
  order();
  expect_failure(invoke(port), Code::upstream_unreachable, Effect::not_sent);
}

TEST_F(HttpAdapterTest, DoesNotKnowWhatASlowServiceDid) {
  const Service service(answer("200 OK"), 1500ms);
  resource_.capabilities[1].timeout = 100ms;
  order();
  const auto outcome = invoke(service.port());
  expect_failure(outcome, Code::deadline_exceeded, Effect::unknown);
  EXPECT_GE(outcome.timing.upstream, 100ms);
  EXPECT_LT(outcome.timing.upstream, 1400ms);
}

TEST_F(HttpAdapterTest, KeepsTheCallersDeadlineWhereItIsSooner) {
  const Service service(answer("200 OK"), 1500ms);
  invocation_.deadline = system_clock().steady() + 100ms;
  const auto outcome = invoke(service.port());
  expect_failure(outcome, Code::deadline_exceeded, Effect::unknown);
  EXPECT_LT(outcome.timing.upstream, 1400ms);
}

TEST_F(HttpAdapterTest, DistrustsABrokenAnswer) {
  for (const char* bytes : {"garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "",
                            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"}) {
    SCOPED_TRACE(bytes);
    const Service service(bytes);
    order();
    expect_failure(invoke(service.port()), Code::upstream_protocol_error, Effect::unknown);
  }
  EXPECT_EQ(sink_.begun, 0);
}

TEST_F(HttpAdapterTest, RefusesACompressedAnswer) {
  const Service service(answer("200 OK", "\x1f\x8b", "Content-Encoding: gzip\r\n"));
  expect_failure(invoke(service.port()), Code::upstream_protocol_error, Effect::unknown);
  EXPECT_EQ(sink_.begun, 0);
}

TEST_F(HttpAdapterTest, BoundsTheAnswer) {
  const Service service(answer("200 OK", std::string(100 * 1024, 'a')));
  expect_failure(invoke(service.port()), Code::response_too_large, Effect::unknown);
}

TEST_F(HttpAdapterTest, ReportsASinkThatRefuses) {
  const Service service(answer("200 OK"));
  sink_.refuses = true;
  const auto outcome = invoke(service.port());
  expect_failure(outcome, Code::response_too_large, Effect::unknown);
  EXPECT_EQ(outcome.decided_by, DecidedBy::target);
}

TEST_F(HttpAdapterTest, SendsNothingForWrongArgumentsOrAnUnknownCapability) {
  const Service service(answer("200 OK"));
  invocation_.arguments = R"({"sku":".."})";
  const auto wrong = invoke(service.port());
  expect_failure(wrong, Code::invalid_arguments, Effect::not_sent);
  EXPECT_EQ(wrong.decided_by, DecidedBy::target);
  invocation_.capability = *CapabilityId::parse("other");
  expect_failure(invoke(service.port()), Code::capability_not_found, Effect::not_sent);
  EXPECT_EQ(service.seen(), "");
}

TEST_F(HttpAdapterTest, RefusesOptionsItCannotServe) {
  resource_.url = "https://service.example";
  EXPECT_FALSE(HttpAdapter::make(resource_, *client_, worker_.clock()));
  resource_.url = "http://127.0.0.1:9";
  resource_.capabilities[0].arguments = Capability::Arguments::body;
  EXPECT_FALSE(HttpAdapter::make(resource_, *client_, worker_.clock()));
  resource_.capabilities[0].arguments = Capability::Arguments::automatic;
  resource_.capabilities[0].request = "nonsense";
  EXPECT_FALSE(HttpAdapter::make(resource_, *client_, worker_.clock()));
}

}  // namespace
}  // namespace fedgate::adapters
