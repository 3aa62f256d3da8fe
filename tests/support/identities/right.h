// SPDX-License-Identifier: Apache-2.0
//
// Right identities: what must be accepted.
#pragma once

#include "support/identities/case.h"

namespace fedgate::test {

// A table, one row after another.
inline std::vector<IdentityCase> right_identities() {  // NOLINT(readability-function-size)
  using namespace std::string_literals;
  using namespace std::chrono_literals;
  return {
      {"plain", {}, [] { return by_root(no_change); }},
      {"client_auth_only",
       {},
       [] { return by_root([](Recipe& r) { r.extended_key_usage = "clientAuth"; }); },
       Ends::client_only},
      {"server_auth_only",
       {},
       [] { return by_root([](Recipe& r) { r.extended_key_usage = "serverAuth"; }); },
       Ends::server_only},
      {"further_names_that_are_no_peers",
       {},
       [] {
         return by_root([](Recipe& r) {
           r.names = {{GEN_DNS, "gate.orgp.example"},          {GEN_DNS, peer_id},
                      {GEN_URI, "spiffe://orgp.example/gate"}, {GEN_IPADD, "\xC0\x00\x02\x01"s},
                      {GEN_EMAIL, "gate@orgp.example"},        {GEN_OTHERNAME, ""}};
         });
       }},
      {"empty_subject",
       {},
       [] {
         return by_root([](Recipe& r) {
           r.common_name.clear();
           r.names_critical = true;
         });
       }},
      {"no_basic_constraints", {}, [] { return by_root([](Recipe& r) { r.basic_constraints.clear(); }); }},
      {"no_key_usage", {}, [] { return by_root([](Recipe& r) { r.key_usage.clear(); }); }},
      {"unknown_extension", {}, [] { return by_root([](Recipe& r) { r.unknown_extensions = 1; }); }},
      {"must_staple_of_a_client",
       {},
       [] { return by_root([](Recipe& r) { r.tls_feature = "status_request"; }); },
       Ends::client_only},
      {"with_policies_and_places",
       {},
       [] {
         return by_root([](Recipe& r) {
           r.raw = {{"2.5.29.32", false, "\x30\x07\x30\x05\x06\x03\x2a\x03\x04"s}};
           r.crl_distribution_points = "URI:http://orgp.example/crl";
         });
       }},
      {"valid_from_this_instant", {}, [] { return by_root([](Recipe& r) { r.not_before = trust::test_now; }); }},
      {"valid_one_second_more", {}, [] { return by_root([](Recipe& r) { r.not_after = trust::test_now + 1s; }); }},
      {"after_2050", {}, [] { return by_root([](Recipe& r) { r.not_after = trust::test_now + 24h * 365 * 40; }); }},
      {"without_an_end", {}, [] { return by_root([](Recipe& r) { r.not_after_text = "99991231235959Z"; }); }},
      {"serial_20_bytes", {}, [] { return by_root([](Recipe& r) { r.serial = std::string(40, '7'); }); }},
      {"rsa_2048", {}, [] { return by_root(with_key([] { return trust::rsa_key(2048); })); }},
      {"rsa_3072", {}, [] { return by_root(with_key([] { return trust::rsa_key(3072); })); }},
      {"rsa_4096", {}, [] { return by_root(with_key([] { return trust::rsa_public_key(4096); })); }, Ends::both, false},
      {"p384", {}, [] { return by_root(with_key([] { return trust::ec_key("P-384"); })); }},
      {"p521", {}, [] { return by_root(with_key([] { return trust::ec_key("P-521"); })); }},
      {"ed25519", {}, [] { return by_root(with_key([] { return trust::plain_key("ED25519"); })); }},
      {"sha384", {}, [] { return by_root([](Recipe& r) { r.digest = EVP_sha384(); }); }},
      {"rsa_root", {}, [] { return below(with_key([] { return trust::rsa_key(2048); })); }},
      {"rsa_root_pss",
       {},
       [] {
         return below([](Recipe& r) { r.key = [] { return trust::rsa_key(2048); }; }, [](Recipe& r) { r.pss = true; });
       }},
      {"ed25519_root", {}, [] { return below(with_key([] { return trust::plain_key("ED25519"); })); }},
      {"root_with_its_own_key_id", {}, [] { return below([](Recipe& r) { r.own_authority_key_id = true; }); }},
      {"through_an_intermediate", {}, [] { return through(no_change); }},
      {"through_a_configured_intermediate", {}, [] { return unpresented(through(no_change)); }},
      {"one_intermediate_presented_one_configured",
       {},
       [] {
         const auto& upper = authorities().issuing;
         const auto lower = trust::shared(issue(Recipe::intermediate("CA below it"), upper.get()));
         return Identity{.chain = {leaf_of(lower), lower},
                         .anchors = {authorities().root->pem()},
                         .pins = {},
                         .crls = {},
                         .intermediates = {authorities().stranger->pem() + upper->pem()}};
       }},
      {"through_a_constrained_intermediate",
       {},
       [] {
         return through([](Recipe& r) {
           r.basic_constraints = "critical,CA:TRUE,pathlen:0";
           r.extended_key_usage = "serverAuth,clientAuth";
           r.name_constraints = "critical,permitted;DNS:orgp.example,excluded;DNS:no.orgp.example";
         });
       }},
      {"names_within_constraints",
       {},
       [] {
         return constrained(
             "critical,permitted;DNS:orgp.example,permitted;IP:192.0.2.0/"
             "255.255.255.0,permitted;email:orgp.example,permitted;URI:.example",
             {{GEN_DNS, "a.orgp.example"},
              {GEN_IPADD, "\xC0\x00\x02\x01"s},
              {GEN_EMAIL, "a@orgp.example"},
              {GEN_URI, "spiffe://orgp.example/x"}});
       }},
      {"constraints_of_another_kind", {}, [] { return constrained("critical,permitted;IP:192.0.2.0/255.255.255.0"); }},
      {"issuing_ca_as_anchor",
       {},
       [] {
         return Identity{.chain = {leaf_of(authorities().issuing), authorities().issuing, authorities().root},
                         .anchors = {authorities().issuing->pem()},
                         .pins = {},
                         .crls = {}};
       }},
      {"two_anchors_during_rotation",
       {},
       [] {
         auto identity = by_root(no_change);
         identity.anchors.push_back(authorities().stranger->pem());
         return identity;
       }},
      {"pinned",
       {},
       [] {
         auto identity = by_root(no_change);
         identity.pins = {pin_of(*authorities().stranger), pin_of(*identity.chain[0])};
         return identity;
       }},
      {"shared_root_with_a_pin",
       {},
       [] {
         auto identity = by_root(no_change);
         identity.pins = {pin_of(*identity.chain[0])};
         identity.others = {other_node("orgc.example", authorities().root->pem())};
         return identity;
       }},
      {"spiffe",
       {},
       [] {
         auto identity = by_root([](Recipe& r) {
           r.common_name.clear();
           r.names_critical = true;
           r.names = {{GEN_URI, peer_spiffe_id}};
         });
         identity.spiffe_id = peer_spiffe_id;
         return identity;
       }},
      {"spiffe_beside_dns",
       {},
       [] {
         auto identity = by_root(with_name({GEN_URI, peer_spiffe_id}));
         identity.spiffe_id = peer_spiffe_id;
         return identity;
       }},
      {"current_crl", {}, [] { return with_crl([](CrlRecipe& c) { c.revoked = {"01", "02"}; }); }},
      {"empty_crl", {}, [] { return with_crl([](CrlRecipe&) {}); }},
      {"crl_with_an_unknown_extension",
       {},
       [] { return with_crl([](CrlRecipe& c) { c.raw = {{trust::unknown_oid, false, trust::der_null}}; }); }},
      {"crl_for_leaves",
       {},
       [] { return with_crl([](CrlRecipe& c) { c.raw = {{"2.5.29.28", true, "\x30\x03\x81\x01\xff"s}}; }); }},
      {"crl_of_its_place",
       {},
       [] {
         return with_crl(
             [](CrlRecipe& c) {
               c.raw = {{"2.5.29.28", true,
                         "\x30\x0e\xa0\x0c\xa0\x0a\x86\x08"s
                         "http://a"}};
             },
             [](Recipe& r) { r.crl_distribution_points = "URI:http://a"; });
       }},
      {"a_newer_crl_beside_a_stale_one",
       {},
       [] {
         auto identity = with_crl([](CrlRecipe& c) {
           c.next_update = trust::test_now - 1h;
           c.this_update = trust::test_now - 2h;
         });
         identity.crls.push_back(crl_pem(*authorities().root));
         return identity;
       }},
      {"crls_of_every_issuer",
       {},
       [] {
         auto identity = through(no_change);
         identity.crls = {crl_pem(*authorities().root), crl_pem(*identity.chain[1]), crl_pem(*authorities().stranger)};
         return identity;
       }},
  };
}

}  // namespace fedgate::test
