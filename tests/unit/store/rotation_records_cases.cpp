// SPDX-License-Identifier: Apache-2.0
#include "store/rotation_records.h"
#include "store/trust_records.h"
#include "unit/store/store_cases.h"

namespace fedgate::store {
namespace {

NodeId node(const std::string& text) { return NodeId::parse(text).value(); }

Sha256 hash(std::uint8_t seed) {
  Sha256 value{};
  value.fill(seed);
  return value;
}

}  // namespace

void rotation_is_kept(const std::string& url) {
  const auto opened = open({.url = url});
  ASSERT_TRUE(ok(opened));
  RotationRecords records(**opened);
  TrustRecords bundles(**opened);
  const auto whose = node("b.example");

  EXPECT_TRUE(records.bundle_heads().value().empty());
  ASSERT_TRUE(ok(bundles.put_bundle({whose, 1, hash(1), "{}", some_time}, History::continues)));
  ASSERT_TRUE(ok(bundles.put_bundle({whose, 2, hash(2), "{}", some_time}, History::continues)));
  const auto heads = records.bundle_heads().value();
  ASSERT_EQ(heads.size(), 1U);
  EXPECT_EQ(heads.at(whose).seq, 2U);
  EXPECT_EQ(heads.at(whose).sha256, hash(2));
  EXPECT_EQ(heads.at(whose).recorded_at, some_time);

  Acknowledgement one{whose, 2, hash(3), some_time, "-----BEGIN CERTIFICATE-----", std::string("\0'\xff", 3)};
  ASSERT_TRUE(ok(records.put_acknowledgement(whose, Given::theirs, one)));
  EXPECT_EQ(records.acknowledgements(Given::theirs).value().at(whose), one);
  EXPECT_TRUE(records.acknowledgements(Given::ours).value().empty());
  auto older = one;
  older.seq = 1;
  EXPECT_EQ(records.put_acknowledgement(whose, Given::theirs, older).error().code, Code::conflict);
  EXPECT_EQ(records.acknowledgements(Given::theirs).value().at(whose), one);
  ASSERT_TRUE(ok(records.put_acknowledgement(whose, Given::ours, one)));
  EXPECT_TRUE(ok(records.put_acknowledgement(whose, Given::ours, older))) << "of one who began again";
  EXPECT_EQ(records.acknowledgements(Given::ours).value().at(whose).seq, 1U);

  for (std::uint8_t i = 0; i < most_cross_certificates + 2; ++i)
    ASSERT_TRUE(ok(records.put_cross_certificate(
        {hash(i), "pem " + std::to_string(i), "uid:0", some_time + std::chrono::seconds(i)})));
  const auto crosses = records.cross_certificates().value();
  ASSERT_EQ(crosses.size(), most_cross_certificates) << "the oldest go";
  EXPECT_EQ(crosses.front().pem, "pem 2");
  EXPECT_EQ(crosses.back().sha256, hash(most_cross_certificates + 1));

  ASSERT_TRUE(ok(records.put_retired({hash(5), "uid:0", some_time})));
  EXPECT_TRUE(ok(records.put_retired({hash(5), "uid:1", some_time}))) << "once more";
  const auto retired = records.retired().value();
  ASSERT_EQ(retired.size(), 1U);
  EXPECT_EQ(retired[0].sha256, hash(5));
  EXPECT_EQ(retired[0].retired_by, "uid:0");
}

}  // namespace fedgate::store
