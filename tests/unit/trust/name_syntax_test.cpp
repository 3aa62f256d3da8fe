// SPDX-License-Identifier: Apache-2.0
#include "trust/name_syntax.h"

#include <gtest/gtest.h>

namespace fedgate::trust {
namespace {

using namespace std::string_literals;

TEST(NameSyntax, DnsNames) {
  for (const auto& good :
       {"a"s, "orgb.example"s, "xn--628h.example"s, "A-1.b"s, "1.2.3.x"s, std::string(63, 'a') + ".b"})
    EXPECT_TRUE(is_dns_name(good)) << good;
  std::string long_name;
  while (long_name.size() < 254) long_name += "abc.";
  for (const auto& bad : {""s, "."s, "a."s, ".a"s, "a..b"s, "-a"s, "a-"s, "a_b"s, "*.a"s, "a b"s, "a\0b"s, "\xC3\xA4"s,
                          "127.0.0.1"s, "1"s, "a.1"s, std::string(64, 'a'), long_name + "a", "a:1"s, "a/b"s})
    EXPECT_FALSE(is_dns_name(bad)) << bad;
}

TEST(NameSyntax, Mailboxes) {
  for (const auto* good : {"a@b.example", "a.b+c@b.example"}) EXPECT_TRUE(is_mailbox(good)) << good;
  for (const auto* bad :
       {"", "@b.example", "a@", "a@b@c", "a b@c", ".a@c", "a..b@c", "a@-b", "\"a\"@b", "a@[192.0.2.1]"})
    EXPECT_FALSE(is_mailbox(bad)) << bad;
}

TEST(NameSyntax, UrisAndTheirHosts) {
  EXPECT_EQ(host_of_uri("spiffe://orgb.example/gateway"), "orgb.example");
  EXPECT_EQ(host_of_uri("https://u@orgb.example:8443?x"), "orgb.example");
  EXPECT_EQ(host_of_uri("https://orgb.example#x"), "orgb.example");
  for (const auto* none : {"urn:a", "https://192.0.2.1/", "https://[::1]/", "https:///x", "https://a:b/",
                           "orgb.example", "x:y://orgb.example"})
    EXPECT_EQ(host_of_uri(none), std::nullopt) << none;
  for (const auto* bad : {"", "a", ":", "a:", "1a:b", "a b:c", "a:b c", "://a"}) EXPECT_FALSE(is_uri(bad)) << bad;
}

TEST(NameSyntax, SpiffeIds) {
  for (const auto& good : {"spiffe://a/b"s, "spiffe://orgb.example/ns/x/sa/y_Z-1.2"s})
    EXPECT_TRUE(check_spiffe_id(good)) << good;
  for (const auto& bad : {""s, "spiffe://"s, "spiffe://a"s, "spiffe://a/"s, "spiffe:///b"s, "spiffe://A/b"s,
                          "Spiffe://a/b"s, "spiffe://a/b/"s, "spiffe://a//b"s, "spiffe://a/."s, "spiffe://a/../b"s,
                          "spiffe://a/b?c"s, "spiffe://a/b#c"s, "spiffe://a:1/b"s, "spiffe://u@a/b"s, "spiffe://a/%62"s,
                          "https://a/b"s, "spiffe://a/" + std::string(2048, 'b')})
    EXPECT_FALSE(check_spiffe_id(bad)) << bad;
}

}  // namespace
}  // namespace fedgate::trust
