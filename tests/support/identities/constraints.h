// SPDX-License-Identifier: Apache-2.0
//
// Names outside the name constraints of a CA, and constraints that are not well-formed.
#pragma once

#include "support/identities/case.h"

namespace fedgate::test {

// A table, one row after another.
inline std::vector<IdentityCase> wrong_constraints() {  // NOLINT(readability-function-size)
  using namespace std::string_literals;
  const std::vector<std::string> outside{"name_not_permitted"};
  const std::vector<std::string> malformed{"name_constraints_malformed"};
  return {
      {"name_not_permitted", outside, [] { return constrained("critical,permitted;DNS:elsewhere.example"); }},
      {"name_excluded", outside, [] { return constrained("critical,excluded;DNS:example"); }},
      {"second_name_excluded", outside,
       [] { return constrained("critical,excluded;DNS:no.example", {{GEN_DNS, "a.no.example"}}); }},
      {"permitted_and_excluded", outside,
       [] { return constrained("critical,permitted;DNS:example,excluded;DNS:orgp.example"); }},
      {"not_a_subdomain", outside, [] { return constrained("critical,permitted;DNS:rgp.example"); }},
      {"address_not_permitted", outside,
       [] { return constrained("critical,permitted;IP:192.0.2.0/255.255.255.0", {{GEN_IPADD, "\xC0\x00\x03\x01"s}}); }},
      {"address_excluded", outside,
       [] { return constrained("critical,excluded;IP:192.0.2.0/255.255.255.0", {{GEN_IPADD, "\xC0\x00\x02\x01"s}}); }},
      {"mail_not_permitted", outside,
       [] { return constrained("critical,permitted;email:elsewhere.example", {{GEN_EMAIL, "a@orgp.example"}}); }},
      {"mail_in_the_subject_excluded", outside,
       [] {
         return below([](Recipe& r) { r.name_constraints = "critical,excluded;email:orgp.example"; },
                      [](Recipe& r) { r.mail_in_subject = "a@orgp.example"; });
       }},
      {"uri_not_permitted", outside,
       [] {
         return constrained("critical,permitted;URI:elsewhere.example", {{GEN_URI, "spiffe://orgp.example/gateway"}});
       }},
      {"uri_excluded", outside,
       [] { return constrained("critical,excluded;URI:orgp.example", {{GEN_URI, "spiffe://orgp.example/gateway"}}); }},
      {"uri_without_a_host_past_an_exclusion", outside,
       [] { return constrained("critical,excluded;URI:orgp.example", {{GEN_URI, "urn:orgp"}}); }},
      {"uri_of_an_address_past_an_exclusion", outside,
       [] { return constrained("critical,excluded;URI:orgp.example", {{GEN_URI, "https://192.0.2.1/"}}); }},
      {"directory_name_excluded", outside,
       [] {
         return below([](Recipe& r) {  // excluded: CN=orgp.example
           r.raw = {{"2.5.29.30", true,
                     "\x30\x1f\xa1\x1d\x30\x1b\xa4\x19\x30\x17\x31\x15\x30\x13\x06\x03\x55\x04\x03\x0c\x0c"s
                     "orgp.example"}};
         });
       }},
      {"other_name_constrained", outside,
       [] {
         return below(
             [](Recipe& r) {  // excluded: an otherName of 1.3.6.1.4.1.55555.3, NULL
               r.raw = {
                   {"2.5.29.30", true,
                    "\x30\x15\xa1\x13\x30\x11\xa0\x0f\x06\x09\x2b\x06\x01\x04\x01\x83\xb2\x03\x03\xa0\x02\x05\x00"s}};
             },
             with_name({GEN_OTHERNAME, ""}));
       }},
      {"name_of_an_intermediate_excluded", outside,
       [] {
         auto root_recipe = Recipe::authority("Root that excludes");
         root_recipe.name_constraints = "critical,excluded;DNS:no.example";
         const auto root = trust::shared(issue(root_recipe));
         auto recipe = Recipe::intermediate("CA with a name");
         recipe.names = {{GEN_DNS, "ca.no.example"}};
         const auto ca = trust::shared(issue(recipe, root.get()));
         return Identity{.chain = {leaf_of(ca), ca}, .anchors = {root->pem()}, .pins = {}, .crls = {}};
       }},
      {"intermediate_cannot_widen", outside,
       [] {
         auto root_recipe = Recipe::authority("Root that permits little");
         root_recipe.name_constraints = "critical,permitted;DNS:other.example";
         const auto root = trust::shared(issue(root_recipe));
         auto recipe = Recipe::intermediate("CA that would permit more");
         recipe.name_constraints = "critical,permitted;DNS:example";
         const auto ca = trust::shared(issue(recipe, root.get()));
         return Identity{.chain = {leaf_of(ca), ca}, .anchors = {root->pem()}, .pins = {}, .crls = {}};
       }},
      {"constraints_not_critical", malformed, [] { return constrained("permitted;DNS:orgp.example"); }},
      {"constraint_with_a_leading_dot", malformed, [] { return constrained("critical,permitted;DNS:.example"); }},
      {"constraint_with_a_wildcard", malformed, [] { return constrained("critical,permitted;DNS:*.example"); }},
      {"constraint_without_a_mask", malformed,
       [] { return below(with_raw("2.5.29.30", true, "\x30\x0a\xa0\x08\x30\x06\x87\x04\x7f\x00\x00\x01"s)); }},
      {"constraint_with_holes_in_the_mask", malformed,
       [] { return constrained("critical,permitted;IP:192.0.2.0/255.0.255.0"); }},
      {"constraint_with_two_ats", malformed, [] { return constrained("critical,permitted;email:a@b@orgp.example"); }},
      {"constraints_that_say_nothing", malformed, [] { return below(with_raw("2.5.29.30", true, "\x30\x00"s)); }},
      {"constraints_with_empty_lists", malformed,
       [] { return below(with_raw("2.5.29.30", true, "\x30\x04\xa0\x00\xa1\x00"s)); }},
      {"constraint_with_a_minimum", malformed,
       [] {
         return below(with_raw("2.5.29.30", true,
                               "\x30\x10\xa0\x0e\x30\x0c\x82\x07"s
                               "example\x80\x01\x01"));
       }},
      {"constraints_not_der", malformed, [] { return below(with_raw("2.5.29.30", true, "example")); }},
      {"too_many_constraints",
       {"oversized"},
       [] {
         std::string all = "critical";
         for (int i = 0; i < 101; ++i) all += ",excluded;DNS:n" + std::to_string(i) + ".example";
         return constrained(all);
       }},
  };
}

}  // namespace fedgate::test
