// SPDX-License-Identifier: Apache-2.0
//
// Names that are not the peer's, or that two programs could read in two ways.
#pragma once

#include "support/identities/case.h"

namespace fedgate::test {

// A table, one row after another.
inline std::vector<IdentityCase> wrong_names() {  // NOLINT(readability-function-size)
  using namespace std::string_literals;
  return {
      {"common_name_only", {"san_missing", "cn_mismatch"}, [] { return by_root(named({})); }},
      {"common_name_beside_another_name",
       {"san_mismatch", "cn_mismatch"},
       [] { return by_root(named({{GEN_DNS, "x.example"}})); }},
      {"common_name_of_another",
       {"cn_mismatch"},
       [] { return by_root([](Recipe& r) { r.common_name = "orgc.example"; }); }},
      {"common_name_in_another_case",
       {"cn_mismatch"},
       [] { return by_root([](Recipe& r) { r.common_name = "OrgP.example"; }); }},
      {"two_common_names", {"cn_mismatch"}, [] { return by_root([](Recipe& r) { r.second_common_name = peer_id; }); }},
      {"wildcard",
       {"san_wildcard", "san_mismatch", "cn_mismatch"},
       [] { return by_root(named({{GEN_DNS, "*.example"}})); }},
      {"wildcard_beside_the_right_name",
       {"san_wildcard"},
       [] { return by_root(with_name({GEN_DNS, "*.orgp.example"})); }},
      {"partial_wildcard", {"san_wildcard"}, [] { return by_root(with_name({GEN_DNS, "g*.orgp.example"})); }},
      {"two_peers",
       {"san_ambiguous"},
       [] {
         auto identity = by_root(with_name({GEN_DNS, "orgc.example"}));
         identity.others = {other_node("orgc.example", authorities().stranger->pem())};
         return identity;
       }},
      {"two_peers_in_another_case",
       {"san_ambiguous"},
       [] {
         auto identity = by_root(with_name({GEN_DNS, "ORGC.Example"}));
         identity.others = {other_node("orgc.example", authorities().stranger->pem())};
         return identity;
       }},
      {"another_peers_spiffe_id",
       {"san_ambiguous"},
       [] {
         auto identity = by_root(with_name({GEN_URI, "spiffe://orgc.example/gateway"}));
         identity.others = {other_node("orgc.example", authorities().stranger->pem())};
         identity.others[0].spiffe_id = "spiffe://orgc.example/gateway";
         return identity;
       }},
      {"upper_case",
       {"san_mismatch"},
       [] {
         return by_root([](Recipe& r) {
           r.common_name.clear();
           r.names = {{GEN_DNS, "OrgP.example"}};
           r.names_critical = true;
         });
       }},
      {"final_dot",
       {"san_malformed", "san_mismatch", "cn_mismatch"},
       [] { return by_root(named({{GEN_DNS, "orgp.example."}})); }},
      {"subdomain", {"san_mismatch", "cn_mismatch"}, [] { return by_root(named({{GEN_DNS, "gate.orgp.example"}})); }},
      {"longer_name",
       {"san_mismatch", "cn_mismatch"},
       [] { return by_root(named({{GEN_DNS, "orgp.example.evil.example"}})); }},
      {"nul_in_the_name",
       {"san_malformed", "san_mismatch", "cn_mismatch"},
       [] { return by_root(named({{GEN_DNS, "orgp.example\0.evil.example"s}})); }},
      {"nul_in_a_uri", {"san_malformed"}, [] { return by_root(with_name({GEN_URI, "spiffe://a\0b"s})); }},
      {"not_ascii", {"san_malformed"}, [] { return by_root(with_name({GEN_DNS, "orgp.ex\xC3\xA4mple"})); }},
      {"leading_dot", {"san_malformed"}, [] { return by_root(with_name({GEN_DNS, ".orgp.example"})); }},
      {"underscore", {"san_malformed"}, [] { return by_root(with_name({GEN_DNS, "a_b.orgp.example"})); }},
      {"leading_hyphen", {"san_malformed"}, [] { return by_root(with_name({GEN_DNS, "-a.orgp.example"})); }},
      {"long_label",
       {"san_malformed"},
       [] { return by_root(with_name({GEN_DNS, std::string(64, 'a') + ".example"})); }},
      {"address_as_a_dns_name", {"san_malformed"}, [] { return by_root(with_name({GEN_DNS, "192.0.2.1"})); }},
      {"network_as_an_address",
       {"san_malformed"},
       [] { return by_root(with_name({GEN_IPADD, std::string(8, '\x01')})); }},
      {"mail_with_two_ats", {"san_malformed"}, [] { return by_root(with_name({GEN_EMAIL, "a@b@orgp.example"})); }},
      {"port_in_a_dns_name", {"san_malformed"}, [] { return by_root(with_name({GEN_DNS, "orgp.example:8443"})); }},
      {"empty_name", {"san_malformed"}, [] { return by_root(with_name({GEN_DNS, ""})); }},
      {"uri_only",
       {"san_malformed", "san_missing", "cn_mismatch"},
       [] {
         return by_root([](Recipe& r) {
           r.common_name = "gateway";
           r.names = {{GEN_URI, "orgp.example"}};
         });
       }},
      {"too_many_names",
       {"oversized"},
       [] {
         return by_root([](Recipe& r) {
           for (int i = 0; i < 100; ++i) r.names.push_back({GEN_DNS, "x.example"});
         });
       }},
      {"names_twice",
       {"extension_duplicate", "san_missing", "cn_mismatch"},
       [] { return by_root([](Recipe& r) { r.names_twice = true; }); }},
      {"names_are_not_der",
       {"san_malformed", "san_missing", "cn_mismatch"},
       [] {
         return by_root([](Recipe& r) {
           r.names.clear();
           r.raw = {{"2.5.29.17", false, "orgp.example"}};
         });
       }},
      {"names_with_something_behind",
       {"san_malformed"},
       [] {
         return by_root([](Recipe& r) {
           r.names.clear();
           r.raw = {{"2.5.29.17", false, "\x30\x0e\x82\x0corgp.example\x05\x00"s}};
         });
       }},
      {"empty_list_of_names",
       {"san_malformed", "san_missing", "cn_mismatch"},
       [] {
         return by_root([](Recipe& r) {
           r.names.clear();
           r.raw = {{"2.5.29.17", false, "\x30\x00"s}};
         });
       }},
      {"names_critical_beside_a_subject",
       {"san_criticality"},
       [] { return by_root([](Recipe& r) { r.names_critical = true; }); }},
      {"names_not_critical_without_a_subject",
       {"san_criticality"},
       [] { return by_root([](Recipe& r) { r.common_name.clear(); }); }},
      {"spiffe_id_missing",
       {"san_missing"},
       [] {
         auto identity = by_root(no_change);
         identity.spiffe_id = peer_spiffe_id;
         return identity;
       }},
      {"spiffe_id_of_another_path",
       {"san_mismatch"},
       [] {
         auto identity = by_root(with_name({GEN_URI, peer_spiffe_id + "/x"}));
         identity.spiffe_id = peer_spiffe_id;
         return identity;
       }},
      {"spiffe_id_in_another_case",
       {"san_mismatch"},
       [] {
         auto identity = by_root(with_name({GEN_URI, "spiffe://orgp.example/Gateway"}));
         identity.spiffe_id = peer_spiffe_id;
         return identity;
       }},
      {"spiffe_id_not_alone",
       {"spiffe_not_alone"},
       [] {
         auto identity = by_root([](Recipe& r) {
           r.names = {{GEN_DNS, peer_id}, {GEN_URI, peer_spiffe_id}, {GEN_URI, "https://orgp.example/"}};
         });
         identity.spiffe_id = peer_spiffe_id;
         return identity;
       }},
  };
}

}  // namespace fedgate::test
