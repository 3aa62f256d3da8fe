// SPDX-License-Identifier: Apache-2.0
#include "wire/rotation_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "wire/bundle_text.h"

namespace fedgate::wire {
namespace {

using Json = nlohmann::json;

ServedBundle served() {
  Bundle bundle;
  bundle.node = NodeId::parse("orga.example").value();
  bundle.anchors = {"an anchor"};
  return {state_bundle(bundle).value(), "a chain", {"a cross certificate"}, std::string("\0\xff'", 3)};
}

Acknowledgement acknowledgement() {
  return {NodeId::parse("orgb.example").value(),         7,        sha256("bundle"),
          WallTime(std::chrono::seconds(1'800'000'000)), "a leaf", std::string("\0\xff'", 3)};
}

TEST(RotationText, GoesThereAndBack) {
  const auto one = served();
  const auto back = parse_served_bundle(served_bundle_body(one));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(back->bundle, one.bundle) << "to the byte: it is known by its hash";
  EXPECT_EQ(back->chain, one.chain);
  EXPECT_EQ(back->cross_certificates, one.cross_certificates);
  EXPECT_EQ(back->signature, one.signature);
  EXPECT_EQ(parse_acknowledgement(acknowledgement_body(acknowledgement())).value(), acknowledgement());
}

TEST(RotationText, WhatIsWrongInABundle) {
  const auto good = Json::parse(served_bundle_body(served()));
  const auto refused = [&](const char* member, const Json& value) {
    auto json = good;
    json[member] = value;
    return !parse_served_bundle(json.dump());
  };
  EXPECT_TRUE(refused("bundle", "text"));
  EXPECT_TRUE(refused("bundle", Json::object()));
  EXPECT_TRUE(refused("certificate_chain", ""));
  EXPECT_TRUE(refused("certificate_chain", std::string(33 * 1024, 'x')));
  EXPECT_TRUE(refused("cross_certificates", "text"));
  EXPECT_TRUE(refused("cross_certificates", Json::array({1})));
  EXPECT_TRUE(refused("cross_certificates", Json(std::vector<std::string>(9, "x"))));
  EXPECT_TRUE(refused("cross_certificates", Json::array({std::string(8193, 'x')})));
  EXPECT_TRUE(refused("signature", "not base64!"));
  EXPECT_TRUE(refused("signature", nullptr));
  EXPECT_FALSE(refused("from_a_newer_version", true));
  EXPECT_FALSE(parse_served_bundle(std::string(longest_served_bundle + 1, ' ')));
  EXPECT_FALSE(parse_served_bundle("[]"));
  EXPECT_FALSE(parse_served_bundle(""));
}

TEST(RotationText, WhatIsWrongInAnAcknowledgement) {
  const auto good = Json::parse(acknowledgement_body(acknowledgement()));
  for (const auto& [member, value] : std::vector<std::pair<const char*, Json>>{{"node_id", "Not A Name"},
                                                                               {"node_id", 1},
                                                                               {"seq", 0},
                                                                               {"seq", -1},
                                                                               {"seq", 1ULL << 53},
                                                                               {"seq", "7"},
                                                                               {"bundle_sha256", "00"},
                                                                               {"time", "yesterday"},
                                                                               {"certificate", ""},
                                                                               {"certificate", std::string(8193, 'x')},
                                                                               {"signature", ""}}) {
    auto json = good;
    json[member] = value;
    EXPECT_FALSE(parse_acknowledgement(json.dump())) << member << ' ' << value;
    json.erase(member);
    EXPECT_FALSE(parse_acknowledgement(json.dump())) << member;
  }
  EXPECT_FALSE(parse_acknowledgement(std::string(longest_acknowledgement + 1, ' ')));
}

TEST(RotationText, Health) {
  const auto hash = to_hex(sha256("bundle"));
  EXPECT_EQ(parse_health(R"({"bundle_seq":3,"bundle_sha256":")" + hash + R"(","more":1})").value(),
            (BundleMark{3, sha256("bundle")}));
  EXPECT_EQ(parse_health(R"({"status":"healthy"})").value(), std::nullopt);
  EXPECT_FALSE(parse_health(R"({"bundle_seq":3})"));
  EXPECT_FALSE(parse_health(R"({"bundle_seq":0,"bundle_sha256":")" + hash + "\"}"));
  EXPECT_FALSE(parse_health("[]"));
}

}  // namespace
}  // namespace fedgate::wire
