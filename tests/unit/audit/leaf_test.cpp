// SPDX-License-Identifier: Apache-2.0
#include "audit/leaf.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <random>

#include "base/hash.h"
#include "base/json.h"
#include "unit/audit/audit_fixture.h"

namespace fedgate::audit {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::array<std::uint8_t, 16> some_nonce{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

std::string leaf_of(const AuditEvent& event, std::uint64_t index = 7, std::string_view log = some_log) {
  std::string leaf;
  append_leaf(leaf, draft_leaf(event, log, some_nonce), index);
  return leaf;
}

nlohmann::json parsed(const std::string& leaf) {
  auto dom = json::parse(leaf);
  if (!dom) throw std::runtime_error(dom.error().detail + ": " + leaf);
  return *dom;
}

std::string canonical(const std::string& leaf) {
  json::Parser parser;
  auto text = parser.canonical(leaf);
  return text ? *text : "not JSON: " + text.error().detail + ": " + leaf;
}

AuditEvent full_event() {
  auto event = event_number(1);
  event.actor = "agent@orga.example";
  event.peer_key = std::string(64, 'a');
  event.error_code = "upstream_failed";
  event.effect = Effect::failed;
  event.upstream = std::chrono::microseconds(987);
  event.counterparty = LeafReference{"orgb.example/fedgate/log/b/1", 42, sha256("other")};
  event.counterparty_checkpoint = MentionedHead{"orgb.example/fedgate/log/b/1", {40, sha256("root")}};
  return event;
}

TEST(Leaf, IsWhatTheDocumentSays) {
  EXPECT_EQ(
      leaf_of(full_event()),
      R"({"access":"read","action":"invoke","actor":"agent@orga.example","attempt":1,"call_hash":")" +
          std::string(64, 'c') + R"(","capability":"lookup","code":"upstream_failed","correlation_id":")" +
          full_event().correlation_id->str() + R"(","counterparty":{"checkpoint":{"root":")" + to_hex(sha256("root")) +
          R"(","size":40},"hash":")" + to_hex(sha256("other")) +
          R"(","index":42,"log":"orgb.example/fedgate/log/b/1"},"credential":"alice-laptop","decision":"allow","duration_us":1234,)"
          R"("event":"cross_org_request","index":7,"log":"orga.example/fedgate/log/a/1","nonce":"000102030405060708090a0b0c0d0e0f",)"
          R"("origin":"orga.example","outcome":"failed","peer_key":")" +
          std::string(64, 'a') +
          R"(","phase":"outcome","principal":"alice@orga.example","protocol":"http","reason":"number 1.","request_bytes":120,)"
          R"("resource":"inventory","response_bytes":4096,"rule":"our-devs-out","target":"orgb.example",)"
          R"("time":"2026-11-23T14:00:00.123456Z","upstream_us":987,"v":1})");
}

TEST(Leaf, LeavesOutWhatIsAbsent) {
  AuditEvent event;
  event.type = EventType::configuration_changed;
  EXPECT_EQ(
      leaf_of(event, 0),
      R"({"event":"configuration_changed","index":0,"log":"orga.example/fedgate/log/a/1",)"
      R"("nonce":"000102030405060708090a0b0c0d0e0f","phase":"event","time":"1970-01-01T00:00:00.000000Z","v":1})");
}

TEST(Leaf, OfTheCounterpartyWhatWasSeen) {
  AuditEvent event;
  event.counterparty_checkpoint = MentionedHead{"orgb.example/fedgate/log/b/1", {40, sha256("root")}};
  const auto only = R"("counterparty":{"checkpoint":{"root":")" + to_hex(sha256("root")) +
                    R"(","size":40},"log":"orgb.example/fedgate/log/b/1"})";
  const auto leaf = leaf_of(event);
  EXPECT_THAT(leaf, HasSubstr(only));
  EXPECT_EQ(canonical(leaf), leaf);
  const auto read = event_of(leaf);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->counterparty_checkpoint, event.counterparty_checkpoint);
  EXPECT_FALSE(read->counterparty);
  event.counterparty = LeafReference{"orgb.example/fedgate/log/b/2", 0, sha256("other")};
  EXPECT_THAT(leaf_of(event), Not(HasSubstr("checkpoint"))) << "of another log";
}

TEST(Leaf, HashIsRfc6962s) {
  EXPECT_EQ(to_hex(leaf_hash("")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  EXPECT_EQ(leaf_hash("abc"), sha256(std::string("\0abc", 4)));
  EXPECT_EQ(leaf_hash(std::string(5000, 'x')), sha256('\0' + std::string(5000, 'x')));
}

// Any text that can be put into an event: words, quotes, controls, overrides, broken UTF-8, very long.
std::string any_text(std::mt19937_64& chance) {
  static const std::vector<std::string> pieces{"a",
                                               "Z9._-",
                                               "\"",
                                               "\\",
                                               "\n",
                                               std::string(1, '\0'),
                                               "\x1b[31m",
                                               "\x7f",
                                               "é",
                                               "ü",
                                               "漢字",
                                               "😀",
                                               "\u202E",
                                               "\u2066",
                                               "\u200F",
                                               "\u061C",
                                               "\u0085",
                                               "\xC3",
                                               "\xED\xA0\x80",
                                               "\xF5\x80\x80\x80",
                                               "\xC0\xAF",
                                               "\xFF",
                                               "</script>",
                                               "\",\"phase\":\"intent",
                                               "\u2028",
                                               "\uFEFF"};
  std::string text;
  const auto count = chance() % 8 == 0 ? 700 : chance() % 12;
  for (std::uint64_t i = 0; i < count; ++i) text += pieces[chance() % pieces.size()];
  return text;
}

AuditEvent any_event(std::mt19937_64& chance) {
  AuditEvent event;
  const auto sometimes = [&] { return chance() % 4 != 0; };
  event.type = static_cast<EventType>(chance() % 9);
  event.phase = static_cast<Phase>(chance() % 3);
  event.time = WallTime(std::chrono::microseconds(static_cast<std::int64_t>(chance() % 4'000'000'000'000'000)));
  if (sometimes()) event.correlation_id = *event_number(chance()).correlation_id;
  event.attempt = static_cast<std::uint32_t>(chance() % 3);
  for (auto* text : {&event.origin, &event.target, &event.peer_key, &event.principal, &event.actor,
                     &event.credential_id, &event.resource, &event.resource_protocol, &event.capability, &event.action,
                     &event.error_code, &event.reason, &event.call_hash}) {
    if (sometimes()) *text = any_text(chance);
  }
  if (sometimes()) event.access = static_cast<Access>(chance() % 2);
  if (sometimes()) event.decision = Decision{static_cast<Verdict>(chance() % 2), any_text(chance), any_text(chance)};
  if (sometimes()) event.effect = static_cast<Effect>(chance() % 4);
  event.request_bytes = chance() >> (chance() % 64);
  event.response_bytes = chance() >> (chance() % 64);
  event.duration = std::chrono::microseconds(static_cast<std::int64_t>(chance() >> (chance() % 64)));
  event.upstream = std::chrono::microseconds(static_cast<std::int64_t>(chance() >> (chance() % 64)));
  if (sometimes())
    event.counterparty = LeafReference{any_text(chance), chance() >> (chance() % 64), sha256(any_text(chance))};
  return event;
}

TEST(Leaf, IsCanonicalBoundedAndReadableWhateverTheEventHolds) {
  std::mt19937_64 chance(20261123);
  for (int i = 0; i < 3000; ++i) {
    const auto event = any_event(chance);
    const auto index = chance() >> (11 + chance() % 53);
    const auto leaf = leaf_of(event, index);
    ASSERT_EQ(leaf, canonical(leaf));
    ASSERT_LE(leaf.size(), leaf_max_bytes);
    for (const std::string_view bad :
         {"\u202E", "\u2066", "\u200F", "\u061C", "\u0085", "\u2028", "\uFEFF", "\x7f", "\x1b", "\\u"})
      ASSERT_THAT(leaf, Not(HasSubstr(std::string(bad))));
    const auto row = row_of(leaf);
    ASSERT_TRUE(row) << row.error().detail << leaf;
    ASSERT_EQ(row->index, index);
    const auto read = event_of(leaf);
    ASSERT_TRUE(read) << read.error().detail << leaf;
    ASSERT_EQ(leaf_of(*read, index), leaf) << "a leaf says all that it was made from";
  }
}

TEST(Leaf, TheLongestOfEverythingFits) {
  AuditEvent event = full_event();
  for (auto* text : {&event.origin, &event.target, &event.peer_key, &event.principal, &event.actor,
                     &event.credential_id, &event.resource, &event.resource_protocol, &event.capability, &event.action,
                     &event.error_code, &event.reason, &event.call_hash})
    *text = std::string(10'000, 'x');
  event.type = EventType::cross_org_authorization_denied;
  event.attempt = UINT32_MAX;
  event.decision = Decision{Verdict::allow, std::string(10'000, 'r'), ""};
  event.request_bytes = event.response_bytes = UINT64_MAX;
  event.duration = event.upstream = std::chrono::microseconds::max();
  event.counterparty->log = std::string(10'000, 'l');
  event.counterparty->index = UINT64_MAX;
  event.counterparty_checkpoint = MentionedHead{event.counterparty->log, {UINT64_MAX, sha256("root")}};
  event.time = WallTime::max();
  const auto leaf = leaf_of(event, UINT64_MAX, std::string(10'000, 'l'));
  EXPECT_LE(leaf.size(), leaf_max_bytes);
  EXPECT_THAT(leaf, HasSubstr(R"("request_bytes":9007199254740991,)"));
  EXPECT_THAT(leaf, HasSubstr(R"("time":"9999-12-31T00:00:00.000000Z")"));
}

TEST(Leaf, WellFormedNamesAreNeverCut) {
  auto event = full_event();
  const std::string node =
      std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(61, 'd');
  event.origin = event.target = node;
  event.principal = event.actor = std::string(64, 'p') + "@" + node;
  event.resource = std::string(256, 'r');
  event.capability = std::string(128, 'c');
  const auto leaf = parsed(leaf_of(event));
  EXPECT_EQ(leaf["origin"], node);
  EXPECT_EQ(leaf["principal"], event.principal);
  EXPECT_EQ(leaf["actor"], event.actor);
  EXPECT_EQ(leaf["resource"], event.resource);
  EXPECT_EQ(leaf["capability"], event.capability);
}

TEST(Leaf, TextsAreCutBetweenCharacters) {
  auto event = full_event();
  for (std::size_t lead = 0; lead < 4; ++lead) {
    event.reason = std::string(lead, 'x');
    for (int i = 0; i < 100; ++i) event.reason += "😀";
    const auto reason = parsed(leaf_of(event))["reason"].get<std::string>();
    EXPECT_LE(reason.size(), 256U);
    EXPECT_GT(reason.size(), 252U);
    EXPECT_TRUE(event.reason.starts_with(reason));
    EXPECT_EQ((reason.size() - lead) % 4, 0U);
  }
}

TEST(Leaf, WhatWouldMisleadIsReplaced) {
  auto event = full_event();
  event.reason =
      "a\u202Eb\u2069c\u200Ed\ne\x01"
      "f\u009Bg\xC3h";
  EXPECT_EQ(parsed(leaf_of(event))["reason"], "a\uFFFDb\uFFFDc\uFFFDd\uFFFDe\uFFFDf\uFFFDg\uFFFDh");
}

TEST(Leaf, RowHasWhatTheLeafSays) {
  const auto leaf = leaf_of(full_event(), 12345);
  const auto row = row_of(leaf);
  ASSERT_TRUE(row) << row.error().detail;
  EXPECT_EQ(row->log, some_log);
  EXPECT_EQ(row->index, 12345U);
  EXPECT_EQ(row->leaf, leaf);
  EXPECT_EQ(row->timestamp, full_event().time);
  EXPECT_EQ(row->event_type, "cross_org_request");
  EXPECT_EQ(row->phase, "outcome");
  EXPECT_EQ(row->principal, "alice@orga.example");
  EXPECT_EQ(row->principal_org, "orga.example");
  EXPECT_EQ(row->actor, "agent@orga.example");
  EXPECT_EQ(row->credential_id, "alice-laptop");
  EXPECT_EQ(row->resource, "inventory");
  EXPECT_EQ(row->resource_protocol, "http");
  EXPECT_EQ(row->capability_id, "lookup");
  EXPECT_EQ(row->action, "invoke");
  EXPECT_EQ(row->decision, "allow");
  EXPECT_EQ(row->reason, "number 1.");
  EXPECT_EQ(row->policy_id, "our-devs-out");
  EXPECT_EQ(row->outcome, "failed");
  EXPECT_EQ(row->error_code, "upstream_failed");
  EXPECT_EQ(row->correlation_id, full_event().correlation_id->str());
  EXPECT_EQ(row->source_node, "orga.example");
  EXPECT_EQ(row->target_node, "orgb.example");
  EXPECT_EQ(row->attempt, 1U);
  EXPECT_EQ(row->duration_us, 1234);
  EXPECT_EQ(row->upstream_us, 987);
  EXPECT_EQ(row->request_bytes, 120U);
  EXPECT_EQ(row->response_bytes, 4096U);
  EXPECT_FALSE(row->estimated_cost || row->actual_cost);
}

TEST(Leaf, RowRefusesWhatIsNotALeaf) {
  const auto leaf = leaf_of(full_event());
  ASSERT_TRUE(row_of(leaf));
  const auto changed = [&](std::string_view what, std::string_view by) {
    auto text = leaf;
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos);
    text.replace(at, what.size(), by);
    return text;
  };
  for (const auto& bad :
       {std::string(), std::string("{}"), std::string("[]"), leaf.substr(1), leaf + " x",
        changed(R"("v":1)", R"("v":2)"), changed(R"(,"v":1)", ""), changed("2026-11-23T", "2026-13-23T"),
        changed("14:00:00", "24:00:00"), changed(R"("index":7)", R"("index":-7)"),
        changed(R"("index":7)", R"("index":"7")"), changed("upstream_us", "upstream_xs"),
        changed(R"("principal":"alice@orga.example")", R"("principal":5)")}) {
    const auto row = row_of(bad);
    EXPECT_FALSE(row) << bad;
    if (!row) EXPECT_EQ(row.error().code, Code::internal);
  }
}

template <class Name>
Name named(std::string_view text) {
  auto name = Name::parse(text);
  if (!name) throw std::runtime_error(name.error().detail);
  return *name;
}

TEST(Leaf, CallHashCoversTheWholeCall) {
  Invocation call;
  call.correlation_id = *event_number(1).correlation_id;
  call.attempt = 2;
  call.origin = named<NodeId>("orga.example");
  call.target = named<NodeId>("orgb.example");
  call.principal = named<PrincipalId>("alice@orga.example");
  call.resource = named<ResourceId>("inventory");
  call.capability = named<CapabilityId>("lookup");
  const auto id = call.correlation_id.str();
  const std::string text =
      R"({"arguments":{"sku":"a"},"attempt":2,"capability":"lookup","correlation_id":")" + id +
      R"(","origin":"orga.example","principal":"alice@orga.example","resource":"inventory","target":"orgb.example"})";
  EXPECT_EQ(canonical(text), text);
  const auto hash = call_hash("nonce", call, R"({"sku":"a"})");
  EXPECT_EQ(hash, to_hex(hmac_sha256("nonce", text)));
  call.actor = named<PrincipalId>("agent@orga.example");
  EXPECT_EQ(call_hash("nonce", call, R"({"sku":"a"})"),
            to_hex(hmac_sha256("nonce", R"({"actor":"agent@orga.example",)" + text.substr(1))));
}

}  // namespace
}  // namespace fedgate::audit
