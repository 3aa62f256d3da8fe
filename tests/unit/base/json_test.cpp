// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace fedgate::json {
namespace {

using namespace std::string_literals;

std::string verdict(const std::string& text, Limits limits = {}) {
  Parser parser(limits);
  const auto valid = parser.validate(text);
  return valid ? "accepted" : std::string(valid.error().info().wire_name) + ": " + valid.error().detail;
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(StrictJson, AcceptsEveryKindOfValue) {
  for (const auto* text :
       {"null", " true ", "false", "0", "-0", "-1.5e-3", "\"\"", "[]", "{}", "\t[1, {\"a\" : [ ] }]\r\n",
        "\"\\u00e9\\ud83d\\ude00 \\/\"", "\"\x7f\"", "18446744073709551615", "-9223372036854775808"}) {
    EXPECT_EQ(verdict(text), "accepted") << text;
  }
}

TEST(StrictJson, NothingMayFollowTheText) {
  for (const std::string& text :
       {"{}\0"s, "{}\0{}"s, "{} x"s, "{}{}"s, "1 2"s, "[] ,"s, "null\0"s, "\0{}"s, "{}\x1a"s, "{}\f"s}) {
    EXPECT_NE(verdict(text), "accepted") << text;
  }
}

TEST(StrictJson, NoByteOrderMark) {
  EXPECT_NE(verdict("\xEF\xBB\xBF{}").find("byte order mark"), std::string::npos);
  EXPECT_NE(verdict(" \xEF\xBB\xBF{}"), "accepted");
}

TEST(StrictJson, DuplicateKeysAtEveryLevelAfterUnescaping) {
  for (const auto* text :
       {R"({"a":1,"a":2})", R"({"a":1,"b":2,"\u0061":3})", R"({"x":[1,{"k":{"":0,"":0}}]})", R"([[{"\/":1,"/":2}]])",
        R"({"a":{"x":1},"b":2,"a":{"x":1}})", R"({"\ud83d\ude00":1,"😀":2})", R"({"x":{"a":1},"y":{"q":1,"q":1}})"}) {
    EXPECT_NE(verdict(text).find("twice"), std::string::npos) << text << " " << verdict(text);
  }
  for (const auto* text :
       {R"({"a":1,"A":2})", R"({"a":{"a":{"a":1}}})", R"([{"a":1},{"a":1}])", "{\"\xC3\xA9\":1,\"e\xCC\x81\":2}"}) {
    EXPECT_EQ(verdict(text), "accepted") << text;
  }
}

TEST(StrictJson, DuplicateKeysInLargeObjects) {
  std::string members;
  for (int i = 0; i < 20000; ++i) members += "\"key" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  EXPECT_EQ(verdict("{" + members + "\"last\":0}"), "accepted");
  EXPECT_NE(verdict("{" + members + "\"key7\":0}").find("\"key7\" twice"), std::string::npos);
}

TEST(StrictJson, DepthIsBounded) {
  EXPECT_EQ(verdict(nested(32)), "accepted");
  EXPECT_NE(verdict(nested(33)).find("nested deeper than 32"), std::string::npos) << verdict(nested(33));
  EXPECT_EQ(verdict(nested(1), {.depth = 1}), "accepted");
  EXPECT_NE(verdict(nested(2), {.depth = 1}), "accepted");
  EXPECT_NE(verdict(R"({"a":{}})", {.depth = 1}), "accepted");
  EXPECT_NE(verdict(std::string(500'000, '[')), "accepted");
  EXPECT_NE(verdict(nested(400'000), {.depth = 4'000'000'000U}), "accepted");
}

TEST(StrictJson, SizeIsBounded) {
  EXPECT_EQ(verdict("[1,2]", {.bytes = 5}), "accepted");
  EXPECT_TRUE(verdict("[1,23]", {.bytes = 5}).starts_with("payload_too_large"));
  Parser parser({.bytes = 5});
  EXPECT_FALSE(parser.validate("[1,23]").has_value());
  parser.set_limits({.bytes = 6});
  EXPECT_TRUE(parser.validate("[1,23]").has_value());
}

TEST(StrictJson, StringsAreUtf8WithWholeSurrogatePairs) {
  for (const std::string& text : {R"("\ud800")"s,
                                  R"("\udc00")"s,
                                  R"("\ud800\ud800")"s,
                                  R"("\ud83dx")"s,
                                  R"("\ud83d\u0041")"s,
                                  R"("\ude00\ud83d")"s,
                                  R"({"\udfff":1})"s,
                                  R"("\\\ud800")"s,
                                  R"("\ud83d\ude00\ude00")"s,
                                  "\"\xED\xA0\x80\""s,
                                  "\"\xC0\x80\""s,
                                  "\"\xF5\x80\x80\x80\""s,
                                  "\"\xFF\""s,
                                  "\"\xE2\x82\""s,
                                  "\"\x80\""s,
                                  "\"a\nb\""s,
                                  "\"a\0b\""s,
                                  "\"\x1f\""s,
                                  R"("\x41")"s,
                                  R"("\u12g4")"s,
                                  "\"\\"s,
                                  "\""s}) {
    EXPECT_NE(verdict(text), "accepted") << text;
  }
  EXPECT_EQ(verdict(R"("\\ud800")"), "accepted");  // an escaped backslash, then letters
  EXPECT_EQ(verdict(R"("\u0000")"), "accepted");
}

TEST(StrictJson, NumbersAreDoublesOrSixtyFourBitIntegers) {
  for (const auto* text :
       {"18446744073709551616", "-9223372036854775809", "1e400", "-1e309", "123456789012345678901234567890", "01", "-",
        "+1", ".5", "1.", "1e", "0x1", "NaN", "Infinity", "-Infinity", "1_000", "--1", "00"}) {
    EXPECT_NE(verdict(text), "accepted") << text;
  }
  for (const auto* text : {"1e308", "1.0", "123456789012345678901234567890.0", "5e-324", "1e-400", "0.1E+2"}) {
    EXPECT_EQ(verdict(text), "accepted") << text;
  }
}

TEST(StrictJson, SyntaxIsNotExtended) {
  for (const auto* text :
       {"",     "   ", "{a:1}", "{'a':1}", "[1,]",    "{\"a\":1,}", "[1 2]", "{\"a\" 1}", "// c\n1", "/**/1",    "tru",
        "True", "nul", "[",     "}",       "{\"a\"}", "{1:2}",      "[}",    "{\"a\":1]", "\"a",     "undefined"}) {
    EXPECT_TRUE(verdict(text).starts_with("invalid_json")) << text;
  }
}

TEST(StrictJson, MessagesNameTheByteWhereKnown) {
  EXPECT_NE(verdict(R"({"a":1,})").find("(at byte 7)"), std::string::npos) << verdict(R"({"a":1,})");
  EXPECT_NE(verdict("[1,\n tru]").find("(at byte 8)"), std::string::npos) << verdict("[1,\n tru]");
}

TEST(Parser, ListsTheMembersOfAnObject) {
  Parser parser;
  const std::string text =
      " {\"resource_id\":\"in\\u0076entory\" ,\"arguments\" : { \"sku\":\"}\\\"]\", \"n\":[1,{\"x\":[]}] } , "
      "\"k\\ney\":-1.50e1,"
      "\"t\":true,\"z\":null\n, \"list\":[ ] } ";
  const auto fields = parser.object(text);
  ASSERT_TRUE(fields.has_value()) << fields.error().detail;
  ASSERT_EQ(fields->size(), 6U);
  const auto expect = [&](std::size_t i, std::string_view key, Kind kind, std::string_view raw,
                          std::string_view unescaped) {
    const Field& field = (*fields)[i];
    EXPECT_EQ(field.key, key);
    EXPECT_EQ(field.kind, kind) << key;
    EXPECT_EQ(field.raw, raw) << key;
    EXPECT_EQ(field.text, unescaped) << key;
    EXPECT_GE(field.raw.data(), text.data());
    EXPECT_LE(field.raw.data() + field.raw.size(), text.data() + text.size());
  };
  expect(0, "resource_id", Kind::string, "\"in\\u0076entory\"", "inventory");
  expect(1, "arguments", Kind::object, "{ \"sku\":\"}\\\"]\", \"n\":[1,{\"x\":[]}] }", "");
  expect(2, "k\ney", Kind::number, "-1.50e1", "");
  expect(3, "t", Kind::boolean, "true", "");
  expect(4, "z", Kind::null, "null", "");
  expect(5, "list", Kind::array, "[ ]", "");
}

TEST(Parser, ObjectWantsAnObject) {
  Parser parser;
  for (const auto* text : {"[]", "1", "\"{}\"", "null"}) {
    const auto fields = parser.object(text);
    ASSERT_FALSE(fields.has_value()) << text;
    EXPECT_EQ(fields.error().code, Code::invalid_json);
  }
  const auto empty = parser.object(" { } ");
  ASSERT_TRUE(empty.has_value());
  EXPECT_TRUE(empty->empty());
}

TEST(Parser, ServesOneTextAfterAnother) {
  Parser parser;
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(parser.object(R"({"a":1,"a":1})").has_value());
    const std::string large = "{\"v\":\"" + std::string(100'000, 'x') + "\"}";
    EXPECT_EQ(parser.object(large).value()[0].text.size(), 100'000U);
    EXPECT_EQ(parser.object(R"({"a":1})").value().size(), 1U);
  }
  Parser moved = std::move(parser);
  EXPECT_EQ(moved.object(R"({"b":"c"})").value()[0].text, "c");
}

TEST(ParseDom, IsStrictToo) {
  EXPECT_EQ(parse(R"({"a":[1,2.5,"x"],"b":18446744073709551615})").value(),
            nlohmann::json::parse(R"({"a":[1,2.5,"x"],"b":18446744073709551615})"));
  for (const std::string& text : {R"({"a":1,"a":2})"s, "{}\0"s, "\xEF\xBB\xBF{}"s, nested(33)}) {
    const auto value = parse(text);
    ASSERT_FALSE(value.has_value()) << text;
    EXPECT_EQ(value.error().code, Code::invalid_json);
  }
}

// RFC 8785 appendix B.
TEST(Canonical, NumberSamplesOfTheRfc) {
  const std::pair<std::uint64_t, std::string_view> samples[] = {{0x0000000000000000, "0"},
                                                                {0x8000000000000000, "0"},
                                                                {0x0000000000000001, "5e-324"},
                                                                {0x8000000000000001, "-5e-324"},
                                                                {0x7fefffffffffffff, "1.7976931348623157e+308"},
                                                                {0xffefffffffffffff, "-1.7976931348623157e+308"},
                                                                {0x4340000000000000, "9007199254740992"},
                                                                {0xc340000000000000, "-9007199254740992"},
                                                                {0x4430000000000000, "295147905179352830000"},
                                                                {0x44b52d02c7e14af5, "9.999999999999997e+22"},
                                                                {0x44b52d02c7e14af6, "1e+23"},
                                                                {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
                                                                {0x444b1ae4d6e2ef4e, "999999999999999700000"},
                                                                {0x444b1ae4d6e2ef4f, "999999999999999900000"},
                                                                {0x444b1ae4d6e2ef50, "1e+21"},
                                                                {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
                                                                {0x3eb0c6f7a0b5ed8d, "0.000001"},
                                                                {0x41b3de4355555553, "333333333.3333332"},
                                                                {0x41b3de4355555554, "333333333.33333325"},
                                                                {0x41b3de4355555555, "333333333.3333333"},
                                                                {0x41b3de4355555556, "333333333.3333334"},
                                                                {0x41b3de4355555557, "333333333.33333343"},
                                                                {0xbecbf647612f3696, "-0.0000033333333333333333"},
                                                                {0x43143ff3c1cb0959, "1424953923781206.2"}};
  for (const auto& [bits, text] : samples) {
    std::string out;
    append_number(out, std::bit_cast<double>(bits));
    EXPECT_EQ(out, text);
  }
}

std::string canonical(std::string_view text) {
  Parser parser;
  auto out = parser.canonical(text);
  return out ? *out : out.error().detail;
}

// RFC 8785 sections 3.2.2 and 3.2.4.
TEST(Canonical, SampleOfTheRfc) {
  EXPECT_EQ(canonical(R"({
     "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
     "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
     "literals": [null, true, false]
   })"),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":"
            "\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

// RFC 8785 section 3.2.3: sorted by UTF-16 code units, so that U+1F600 stands before U+FB33.
TEST(Canonical, SortsByUtf16CodeUnits) {
  EXPECT_EQ(
      canonical(R"({"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",
                          "\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"})"),
      "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\",\"\xC3\xB6\":\"Latin Small Letter O With "
      "Diaeresis\","
      "\"\xE2\x82\xAC\":\"Euro Sign\",\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\",\"\xEF\xAC\xB3\":\"Hebrew Letter "
      "Dalet With Dagesh\"}");
  EXPECT_EQ(canonical("{\"\\ue000\":1,\"\\udbff\\udfff\":2,\"\\ud7ff\":3,\"aa\":4,\"a\":5,\"\":6}"),
            "{\"\":6,\"a\":5,\"aa\":4,\"\xED\x9F\xBF\":3,\"\xF4\x8F\xBF\xBF\":2,\"\xEE\x80\x80\":1}");
}

TEST(Canonical, IntegersAreDoublesToo) {
  EXPECT_EQ(canonical("[9007199254740993,-9223372036854775808,18446744073709551615,-0,-0.0,100,1e2]"),
            "[9007199254740992,-9223372036854776000,18446744073709552000,0,0,100,100]");
  EXPECT_EQ(canonical(" { \"b\" : { } , \"a\" : [ ] } "), "{\"a\":[],\"b\":{}}");
}

TEST(Canonical, IsItsOwnFixedPoint) {
  const std::string once = canonical(R"({"z":[{"b":1,"a":"\u0001\u007f\b\f"}],"é":1.10})");
  EXPECT_EQ(once, "{\"z\":[{\"a\":\"\\u0001\x7f\\b\\f\",\"b\":1}],\"\xC3\xA9\":1.1}");
  EXPECT_EQ(canonical(once), once);
}

TEST(AppendString, MakesAnythingValid) {
  const auto written = [](std::string_view text) {
    std::string out;
    append_string(out, text);
    return out;
  };
  EXPECT_EQ(written("a\"\\/\n\x01\x1f"), "\"a\\\"\\\\/\\n\\u0001\\u001f\"");
  EXPECT_EQ(written("\xF0\x9F\x98\x80\xC3\xA9"), "\"\xF0\x9F\x98\x80\xC3\xA9\"");
  EXPECT_EQ(written("a\xFFz\xC3"), "\"a\xEF\xBF\xBDz\xEF\xBF\xBD\"");
  EXPECT_EQ(written("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(3, static_cast<char>(byte));
    EXPECT_EQ(verdict(written(text)), "accepted") << byte;
  }
}

TEST(JsonStrings, OfAMember) {
  Parser parser;
  const auto fields = parser.object(R"({"a":["x","\u00e9\"",""],"b":[],"c":["x",1],"d":"x","e":[["x"]]})");
  ASSERT_TRUE(fields);
  const auto a = parser.strings((*fields)[0]);
  ASSERT_TRUE(a);
  EXPECT_EQ(*a, (std::vector<std::string_view>{"x", "\xC3\xA9\"", ""}));
  const auto b = parser.strings((*fields)[1]);
  ASSERT_TRUE(b);
  EXPECT_TRUE(b->empty());
  for (const std::size_t other : {2U, 3U, 4U}) EXPECT_FALSE(parser.strings((*fields)[other])) << (*fields)[other].key;
}

}  // namespace
}  // namespace fedgate::json
