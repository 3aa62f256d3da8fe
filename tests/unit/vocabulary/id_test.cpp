// SPDX-License-Identifier: Apache-2.0
#include "fedgate/id.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace fedgate {
namespace {

using namespace std::string_literals;

const std::string label63(63, 'a');

template <class Id>
std::string problem(const std::string& text) {
  const auto parsed = Id::parse(text);
  return parsed ? "accepted" : parsed.error().detail;
}

TEST(NodeId, AcceptsDnsNames) {
  for (const std::string& text : {"orgb.example"s, "a.b"s, "gate-1.orgb.example"s, "xn--bcher-kva.example"s,
                                  "1a.2b.example"s, label63 + ".example", "9.example"s}) {
    const auto id = NodeId::parse(text);
    ASSERT_TRUE(id.has_value()) << id.error().detail;
    EXPECT_EQ(id->str(), text);
  }
}

TEST(NodeId, RefusesWhatIsNoLowerCaseDnsName) {
  const std::string longest = label63 + "." + label63 + "." + label63 + "." + label63.substr(0, 61);
  ASSERT_EQ(longest.size(), 253U);
  EXPECT_TRUE(NodeId::parse(longest).has_value());
  for (const std::string& text :
       {""s, "example"s, ".example"s, "orgb."s, "orgb..example"s, "Orgb.example"s, "org_b.example"s, "-a.example"s,
        "a-.example"s, "orgb.example."s, "*.example"s, "org b.example"s, "orgb.example\0"s, "b\xC3\xBC.example"s,
        "10.0.0.1"s, "orgb.example:8443"s, "a" + label63 + ".example", longest + "x"}) {
    const auto id = NodeId::parse(text);
    ASSERT_FALSE(id.has_value()) << text;
    EXPECT_EQ(id.error().code, Code::bad_request);
    EXPECT_TRUE(id.error().detail.starts_with("node id '")) << id.error().detail;
  }
}

TEST(Name, MessagesAreShortAndPrintable) {
  const std::string detail = problem<NodeId>("\x1b[31m\n" + std::string(5000, 'x'));
  EXPECT_LT(detail.size(), 200U);
  EXPECT_EQ(detail.find('\x1b'), std::string::npos);
  EXPECT_EQ(detail.find('\n'), std::string::npos);
}

TEST(PrincipalId, LocalPartAndDomain) {
  const auto alice = PrincipalId::parse("Alice.B+x_1-@orga.example");
  ASSERT_TRUE(alice.has_value()) << alice.error().detail;
  EXPECT_EQ(domain_of(*alice), "orga.example");
  EXPECT_TRUE(PrincipalId::parse(std::string(64, 'a') + "@orga.example").has_value());
  for (const std::string& text :
       {""s, "alice"s, "@orga.example"s, "alice@"s, "alice@orga"s, "a@b@orga.example"s, "alice@Orga.example"s,
        "al ice@orga.example"s, "al\"ice@orga.example"s, "alice@*.example"s, std::string(65, 'a') + "@orga.example"}) {
    EXPECT_NE(problem<PrincipalId>(text), "accepted") << text;
  }
}

TEST(ResourceId, WordsAndUris) {
  for (const std::string& text :
       {"inventory"s, "mcp://orgb.example/inventory"s, "a~b_c.d:e@f-g"s, std::string(256, 'r')}) {
    EXPECT_EQ(problem<ResourceId>(text), "accepted") << text;
  }
  for (const std::string& text : {""s, "in ventory"s, "a?b"s, "a%20b"s, "a\nb"s, "\xC3\xBC"s, std::string(257, 'r')}) {
    EXPECT_NE(problem<ResourceId>(text), "accepted") << text;
  }
}

TEST(CapabilityId, NoAtSignAndAtMost128) {
  EXPECT_EQ(problem<CapabilityId>("tools/call:x"), "accepted");
  EXPECT_EQ(problem<CapabilityId>(std::string(128, 'c')), "accepted");
  EXPECT_NE(problem<CapabilityId>("a@b"), "accepted");
  EXPECT_NE(problem<CapabilityId>(std::string(129, 'c')), "accepted");
}

// RFC 9562 appendix A.6: 2022-02-22T19:22:22Z.
constexpr std::string_view rfc_example = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

TEST(CorrelationId, TheRfcExample) {
  const auto id = CorrelationId::parse(rfc_example);
  ASSERT_TRUE(id.has_value()) << id.error().detail;
  EXPECT_EQ(id->time(), WallTime(std::chrono::milliseconds(0x017F22E279B0)));
  EXPECT_EQ(id->str(), rfc_example);
}

TEST(CorrelationId, MadeFromTimeAndEntropy) {
  // The entropy's top bits in bytes 0 and 2 give way to version and variant.
  const auto id = CorrelationId::make(WallTime(std::chrono::microseconds(0x017F22E279B0 * 1000L + 999)),
                                      {0xFC, 0xC3, 0xD8, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F});
  EXPECT_EQ(id.str(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  EXPECT_EQ(CorrelationId::parse(id.str()).value(), id);
}

TEST(CorrelationId, LaterIsGreater) {
  const std::array<std::uint8_t, 10> high{255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
  const auto first = CorrelationId::make(WallTime(std::chrono::milliseconds(1000)), high);
  const auto second = CorrelationId::make(WallTime(std::chrono::milliseconds(1001)), {});
  EXPECT_LT(first, second);
  EXPECT_NE(std::hash<CorrelationId>{}(first), std::hash<CorrelationId>{}(second));
}

TEST(CorrelationId, RefusesOtherForms) {
  for (const std::string& text :
       {""s, "017F22E2-79B0-7CC3-98C4-DC0C0C07398F"s, "017f22e279b07cc398c4dc0c0c07398f"s,
        "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}"s, "017f22e2-79b0-4cc3-98c4-dc0c0c07398f"s,  // version 4
        "017f22e2-79b0-7cc3-c8c4-dc0c0c07398f"s,                                             // variant 110
        "017f22e2-79b0-7cc3-18c4-dc0c0c07398f"s,                                             // variant 0
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g"s, "017f22e2-79b0-7cc3-98c4-dc0c0c07398"s,
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f "s, "017f22e2_79b0-7cc3-98c4-dc0c0c07398f"s,
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398\0"s}) {
    EXPECT_NE(problem<CorrelationId>(text), "accepted") << text;
  }
}

}  // namespace
}  // namespace fedgate
