// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/http_adapter.h"

namespace fedgate::adapters {
namespace {

using testing::HasSubstr;
using testing::Not;
using Arguments = Capability::Arguments;

class Filling : public testing::Test {
 protected:
  Result<net::Request> fill(std::string_view text, std::string_view arguments, Arguments mode = Arguments::automatic,
                            std::string_view base = "") {
    const auto parsed = RequestTemplate::parse(text);
    if (!parsed) return fail(parsed.error());
    return parsed->fill(base, arguments, mode, parser_);
  }
  std::string target(std::string_view text, std::string_view arguments) {
    const auto request = fill(text, arguments);
    return request ? request->target : "error: " + request.error().detail;
  }
  std::string problem(std::string_view text, std::string_view arguments, Arguments mode = Arguments::automatic) {
    const auto request = fill(text, arguments, mode);
    if (request) return "no error, but " + request->target;
    EXPECT_EQ(request.error().code, Code::invalid_arguments);
    return request.error().detail;
  }
  json::Parser parser_;
};

TEST(RequestTemplateParse, KnowsMethodAndArguments) {
  const auto parsed = RequestTemplate::parse("PATCH /a/{b}/c-{d}.json");
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(parsed->method(), "PATCH");
  EXPECT_THAT(parsed->arguments(), testing::ElementsAre("b", "d"));
}

class BadTemplate : public testing::TestWithParam<const char*> {};

TEST_P(BadTemplate, IsRefusedWithARightOne) {
  const auto parsed = RequestTemplate::parse(GetParam());
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::invalid_configuration);
  EXPECT_THAT(parsed.error().detail, HasSubstr("GET /items/{sku}"));
}

INSTANTIATE_TEST_SUITE_P(Each, BadTemplate,
                         testing::Values("", "GET", "/items", "GET items", "get /items", "TRACE /items",
                                         "CONNECT /items", "OPTIONS /items", "GET  /items", "GET /a b",
                                         "GET /a\r\nX: y", "GET /a\tb", "GET /a?b=c", "GET /a#b", "GET //host/a",
                                         "GET /a/../b", "GET /a/./b", "GET /a/%2e%2e/b", "GET /a/.%2E/b", "GET /a%2",
                                         "GET /a%zz", "GET /a%00", "GET /{", "GET /{}", "GET /}", "GET /{a}}",
                                         "GET /{a b}", "GET /{a/b}", "GET /{a}/{a}", "GET /{{a}}", "GET /\xC3\xA9",
                                         "GET http://host/a", "GET /a\\..\\b"));

TEST(RequestTemplateParse, RefusesTooManyArgumentsAndTooLongText) {
  std::string many = "GET /";
  for (int i = 0; i < 33; ++i) many += "{a" + std::to_string(i) + "}/";
  EXPECT_FALSE(RequestTemplate::parse(many));
  EXPECT_FALSE(RequestTemplate::parse("GET /" + std::string(3000, 'a')));
  EXPECT_FALSE(RequestTemplate::parse("GET /{" + std::string(65, 'a') + "}"));
}

TEST_F(Filling, PutsOtherArgumentsIntoTheQuery) {
  EXPECT_EQ(target("GET /items/{sku}",
                   R"({"sku":"A-1047-BLK","warehouse":"AMS-3","include_lots":true,"as_of":"2026-11-01T00:00:00Z"})"),
            "/items/A-1047-BLK?warehouse=AMS-3&include_lots=true&as_of=2026-11-01T00%3A00%3A00Z");
  EXPECT_EQ(target("DELETE /items/{n}", R"({"n":7})"), "/items/7");
  EXPECT_EQ(target("HEAD /items", R"({"a":"1"})"), "/items?a=1");
  EXPECT_EQ(target("GET /items", "{}"), "/items");
}

TEST_F(Filling, PutsOtherArgumentsIntoTheBodyByteForByte) {
  const auto request =
      fill("POST /notes/{country}", R"({ "text":"caf\u00e9",  "country":"NL","n": 1.50e3 ,"list":[ 1,{"a":null}]})");
  ASSERT_TRUE(request) << request.error().detail;
  EXPECT_EQ(request->target, "/notes/NL");
  EXPECT_EQ(request->body, R"({"text":"caf\u00e9","n":1.50e3,"list":[ 1,{"a":null}]})");
  EXPECT_EQ(request->headers.find("Content-Type"), "application/json");
  EXPECT_EQ(request->method, "POST");
}

TEST_F(Filling, SendsAnEmptyObjectWhereAMethodWantsABody) {
  for (const char* text : {"POST /a", "PUT /a", "PATCH /a"}) {
    const auto request = fill(text, "{}");
    ASSERT_TRUE(request);
    EXPECT_EQ(request->body, "{}") << text;
  }
}

TEST_F(Filling, ObeysAnExplicitMode) {
  const auto in_query = fill("POST /a/{b}", R"({"b":"x","c":"y"})", Arguments::query);
  ASSERT_TRUE(in_query);
  EXPECT_EQ(in_query->target, "/a/x?c=y");
  EXPECT_TRUE(in_query->body.empty());
  EXPECT_FALSE(in_query->headers.find("Content-Type"));
  const auto in_body = fill("DELETE /a/{b}", R"({"b":"x","c":"y"})", Arguments::body);
  ASSERT_TRUE(in_body);
  EXPECT_EQ(in_body->target, "/a/x");
  EXPECT_EQ(in_body->body, R"({"c":"y"})");
}

TEST_F(Filling, KeepsTheBasePath) {
  const auto request = fill("GET /items/{sku}", R"({"sku":"a"})", Arguments::automatic, "/api/v1");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->target, "/api/v1/items/a");
}

TEST_F(Filling, NamesAllThatIsMissingAtOnce) {
  const auto text = problem("GET /{a}/{b}/{c}", R"({"b":"x"})");
  EXPECT_THAT(text, HasSubstr("\"a\" is missing"));
  EXPECT_THAT(text, HasSubstr("\"c\" is missing"));
  EXPECT_THAT(text, Not(HasSubstr("\"b\"")));
}

TEST_F(Filling, EncodesWhateverCouldEndASegment) {
  EXPECT_EQ(target("GET /i/{x}", R"({"x":"a/b"})"), "/i/a%2Fb");
  EXPECT_EQ(target("GET /i/{x}", R"({"x":"a?b=c#d&e"})"), "/i/a%3Fb%3Dc%23d%26e");
  EXPECT_EQ(target("GET /i/{x}", R"({"x":"a b"})"), "/i/a%20b");
  EXPECT_EQ(target("GET /i/{x}", R"({"x":"50%"})"), "/i/50%25");
  EXPECT_EQ(target("GET /i/{x}", R"({"x":"caf\u00e9 \ud83c\uddf3"})"), "/i/caf%C3%A9%20%F0%9F%87%B3");
  EXPECT_EQ(target("GET /i/{x}", R"({"x":"http://evil.example/"})"), "/i/http%3A%2F%2Fevil.example%2F");
  EXPECT_EQ(target("GET /i/{x}/z", R"({"x":"@evil.example:80"})"), "/i/%40evil.example%3A80/z");
  EXPECT_EQ(target("GET /i/{x}", R"({"x":-1.5E+2})"), "/i/-1.5E%2B2");
  EXPECT_EQ(target("GET /i/{x}", R"({"x":false})"), "/i/false");
}

TEST_F(Filling, EncodesWhateverCouldEndAQueryValueOrTheRequestLine) {
  EXPECT_EQ(target("GET /i", R"({"q":"a&b=c"})"), "/i?q=a%26b%3Dc");
  EXPECT_EQ(target("GET /i", R"({"q":" HTTP/1.1\r\nHost: evil\r\n\r\n"})"),
            "/i?q=%20HTTP%2F1.1%0D%0AHost%3A%20evil%0D%0A%0D%0A");
  EXPECT_EQ(target("GET /i", R"({"a&b=c\r\nX":"v"})"), "/i?a%26b%3Dc%0D%0AX=v");
  EXPECT_EQ(target("GET /i", R"({"q":"\u0000"})"), "/i?q=%00");
  EXPECT_EQ(target("GET /i", R"({"q":"../.."})"), "/i?q=..%2F..");
}

TEST_F(Filling, RefusesValuesThatWouldChangeThePath) {
  for (const char* value : {"", ".", "..", "../admin", "a/../../admin", "a/..", "a/./b", "..\\\\admin", "%2e%2e",
                            "%2E%2e/admin", ".%2e", "a%2F..%2Fb", "..;x=y"}) {
    EXPECT_THAT(problem("GET /items/{x}/lots", R"({"x":")" + std::string(value) + "\"}"), HasSubstr("\"x\" ")) << value;
  }
  EXPECT_EQ(target("GET /items/{x}", R"({"x":"..."})"), "/items/...");
  EXPECT_EQ(target("GET /items/{x}", R"({"x":"a..b"})"), "/items/a..b");
}

TEST_F(Filling, RefusesControlCharactersInThePath) {
  for (const char* value : {R"(a\r\nb)", R"(\u0000)", R"(a\u0000.txt)", R"(\t)", R"(\u007f)"}) {
    EXPECT_THAT(problem("GET /items/{x}", R"({"x":")" + std::string(value) + "\"}"), HasSubstr("control character"))
        << value;
  }
}

TEST_F(Filling, RefusesADotSegmentMadeOfHarmlessParts) {
  EXPECT_THAT(problem("GET /i/.{x}", R"({"x":"."})"), HasSubstr("dot segment"));
  EXPECT_THAT(problem("GET /i/{x}.{y}/z", R"({"x":".","y":"a"})"), HasSubstr("dot segment"));
  EXPECT_THAT(problem("GET /i/.{x}", R"({"x":"./a"})"), HasSubstr("dot segment"));
  EXPECT_EQ(target("GET /i/{x}{y}", R"({"x":"a","y":"b"})"), "/i/ab");
}

TEST_F(Filling, WantsScalarsInPathAndQuery) {
  for (const char* value : {"null", "[]", "{}", R"(["a"])"}) {
    EXPECT_THAT(problem("GET /{x}", R"({"x":)" + std::string(value) + "}"), HasSubstr("must be a string")) << value;
    EXPECT_THAT(problem("GET /a", R"({"x":)" + std::string(value) + "}"), HasSubstr("must be a string")) << value;
  }
  const auto both = problem("GET /{x}", R"({"x":[],"y":{}})");
  EXPECT_THAT(both, HasSubstr("\"x\""));
  EXPECT_THAT(both, HasSubstr("\"y\""));
}

TEST_F(Filling, RefusesWhatIsNotAnObject) {
  for (const char* text : {"", "[]", "1", "{", R"({"a":1,"a":2})", "{} x"}) {
    EXPECT_THAT(problem("GET /a", text), HasSubstr("arguments: ")) << text;
  }
}

TEST_F(Filling, BoundsTheTarget) {
  const std::string huge(9000, 'a');
  EXPECT_THAT(problem("GET /{x}", R"({"x":")" + huge + "\"}"), HasSubstr("8192"));
  EXPECT_THAT(problem("GET /a", R"({"x":")" + huge + "\"}"), HasSubstr("8192"));
  const auto body = fill("POST /a", R"({"x":")" + huge + "\"}");
  ASSERT_TRUE(body);
  EXPECT_EQ(body->target, "/a");
  EXPECT_EQ(body->body.size(), huge.size() + 8);
}

TEST_F(Filling, ShortensAndEscapesNamesInMessages) {
  std::string arguments = "{";
  for (int i = 0; i < 1000; ++i) arguments += "\"\\u001b[2J" + std::string(200, 'n') + std::to_string(i) + "\":[],";
  arguments.back() = '}';
  const auto text = problem("GET /a", arguments);
  EXPECT_LT(text.size(), 2000U);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST_F(Filling, EscapesMemberNamesInTheBody) {
  const auto request = fill("POST /a", R"({"a\"b\n":1})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->body, R"({"a\"b\n":1})");
}

TEST(ResourceTable, TellsResourceFromCapability) {
  Resource inventory;
  inventory.id = *ResourceId::parse("inventory");
  inventory.capabilities.emplace_back().id = *CapabilityId::parse("lookup");
  const ResourceTable table({std::move(inventory)});
  const auto lookup = *CapabilityId::parse("lookup");
  const auto both = table.find(*ResourceId::parse("inventory"), lookup);
  ASSERT_NE(both.capability, nullptr);
  EXPECT_EQ(both.capability->id, lookup);
  EXPECT_EQ(both.resource->id.view(), "inventory");
  const auto half = table.find(*ResourceId::parse("inventory"), *CapabilityId::parse("other"));
  EXPECT_NE(half.resource, nullptr);
  EXPECT_EQ(half.capability, nullptr);
  EXPECT_EQ(table.find(*ResourceId::parse("other"), lookup).resource, nullptr);
}

}  // namespace
}  // namespace fedgate::adapters
