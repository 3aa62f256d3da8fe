// SPDX-License-Identifier: Apache-2.0
//
// Revoked certificates, and revocation lists that must not be believed.
#pragma once

#include "support/identities/case.h"

namespace fedgate::test {

// A table, one row after another.
inline std::vector<IdentityCase> wrong_revocation() {  // NOLINT(readability-function-size)
  using namespace std::string_literals;
  using namespace std::chrono_literals;
  const auto scoped = [](const std::string& der, bool critical = true) {
    return [=] { return with_crl([=](CrlRecipe& c) { c.raw = {{"2.5.29.28", critical, der}}; }); };
  };
  return {
      {"revoked", {"revoked"}, [] { return with_crl([](CrlRecipe& c) { c.revoked = {"0123456789abcdef"}; }); }},
      {"revoked_among_others",
       {"revoked"},
       [] { return with_crl([](CrlRecipe& c) { c.revoked = {"ff", "0123456789abcdef", "01"}; }); }},
      {"revoked_intermediate",
       {"revoked"},
       [] {
         auto identity = through([](Recipe& r) { r.serial = "77"; });
         CrlRecipe of_root;
         of_root.revoked = {"77"};
         identity.crls = {crl_pem(*authorities().root, of_root), crl_pem(*identity.chain[1])};
         return identity;
       }},
      {"no_crl_of_the_intermediate",
       {"crl_missing"},
       [] {
         auto identity = through(no_change);
         identity.crls = {crl_pem(*authorities().root)};
         return identity;
       }},
      {"no_crl_of_the_root",
       {"crl_missing"},
       [] {
         auto identity = through(no_change);
         identity.crls = {crl_pem(*identity.chain[1])};
         return identity;
       }},
      {"crl_of_a_stranger_only",
       {"crl_missing"},
       [] {
         auto identity = by_root(no_change);
         identity.crls = {crl_pem(*authorities().stranger)};
         return identity;
       }},
      {"crl_signed_by_another",
       {"crl_signature"},
       [] { return with_crl([](CrlRecipe& c) { c.signer = authorities().stranger.get(); }); }},
      {"crl_stale", {"crl_stale"}, [] { return with_crl([](CrlRecipe& c) { c.next_update = trust::test_now; }); }},
      {"crl_of_the_future",
       {"crl_not_yet_valid"},
       [] { return with_crl([](CrlRecipe& c) { c.this_update = trust::test_now + 1h; }); }},
      {"crl_without_a_number", {"crl_malformed"}, [] { return with_crl([](CrlRecipe& c) { c.number.clear(); }); }},
      {"crl_number_critical",
       {"crl_malformed"},
       [] { return with_crl([](CrlRecipe& c) { c.number_critical = true; }); }},
      {"crl_without_authority_key_id",
       {"crl_malformed"},
       [] { return with_crl([](CrlRecipe& c) { c.authority_key_id = false; }); }},
      {"crl_without_next_update",
       {"crl_malformed"},
       [] { return with_crl([](CrlRecipe& c) { c.no_next_update = true; }); }},
      {"crl_of_version_1", {"crl_malformed"}, [] { return with_crl([](CrlRecipe& c) { c.version = 0; }); }},
      {"crl_times_generalized",
       {"crl_malformed"},
       [] { return with_crl([](CrlRecipe& c) { c.generalized_times = true; }); }},
      {"crl_signed_with_sha1", {"crl_malformed"}, [] { return with_crl([](CrlRecipe& c) { c.digest = EVP_sha1(); }); }},
      {"crl_unknown_critical_extension",
       {"crl_malformed"},
       [] { return with_crl([](CrlRecipe& c) { c.raw = {{trust::unknown_oid, true, trust::der_null}}; }); }},
      {"crl_entry_unknown_critical_extension",
       {"crl_malformed"},
       [] {
         return with_crl([](CrlRecipe& c) {
           c.revoked = {"01"};
           c.raw_of_entries = {{trust::unknown_oid, true, trust::der_null}};
         });
       }},
      {"crl_serial_twice",
       {"crl_malformed"},
       [] { return with_crl([](CrlRecipe& c) { c.revoked = {"01", "02", "01"}; }); }},
      {"crl_is_a_delta",
       {"crl_scope"},
       [] { return with_crl([](CrlRecipe& c) { c.raw = {{"2.5.29.27", true, "\x02\x01\x01"s}}; }); }},
      {"crl_is_indirect", {"crl_scope"}, scoped("\x30\x03\x84\x01\xff"s)},
      {"crl_for_attributes_only", {"crl_scope"}, scoped("\x30\x03\x85\x01\xff"s)},
      {"crl_for_some_reasons", {"crl_scope"}, scoped("\x30\x04\x83\x02\x06\x40"s)},
      {"crl_for_authorities_only", {"crl_scope"}, scoped("\x30\x03\x82\x01\xff"s)},
      {"crl_scope_not_critical", {"crl_malformed"}, scoped("\x30\x03\x81\x01\xff"s, false)},
      {"crl_scope_that_says_nothing", {"crl_malformed"}, scoped("\x30\x00"s)},
      {"crl_of_another_place",
       {"crl_scope"},
       scoped("\x30\x0e\xa0\x0c\xa0\x0a\x86\x08"s
              "http://a")},
      {"crl_of_a_place_spelled_otherwise",
       {"crl_scope"},
       [] {
         return with_crl(
             [](CrlRecipe& c) {
               c.raw = {{"2.5.29.28", true,
                         "\x30\x0e\xa0\x0c\xa0\x0a\x86\x08"s
                         "http://a"}};
             },
             [](Recipe& r) { r.crl_distribution_points = "URI:http://A"; });
       }},
      {"crl_unreadable",
       {"crl_malformed"},
       [] {
         auto identity = by_root(no_change);
         identity.crls = {"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"};
         return identity;
       }},
      {"crl_of_a_ca_that_may_not_sign_crls",
       {"crl_issuer"},
       [] {
         auto recipe = Recipe::authority("Root without cRLSign");
         recipe.key_usage = "critical,keyCertSign";
         const auto root = trust::shared(issue(recipe));
         return Identity{.chain = {leaf_of(root)}, .anchors = {root->pem()}, .pins = {}, .crls = {crl_pem(*root)}};
       }},
  };
}

}  // namespace fedgate::test
