// SPDX-License-Identifier: Apache-2.0
//
// Issuers that may not issue, anchors that are none, and chains that lead nowhere.
#pragma once

#include "support/identities/case.h"

namespace fedgate::test {

// A table, one row after another.
inline std::vector<IdentityCase> wrong_chains() {  // NOLINT(readability-function-size)
  using namespace std::string_literals;
  using namespace std::chrono_literals;
  return {
      {"self_signed_leaf",
       {"issuer_unknown"},
       [] {
         const auto& root = authorities().root;
         return Identity{
             .chain = {trust::shared(issue(Recipe::leaf(peer_id)))}, .anchors = {root->pem()}, .pins = {}, .crls = {}};
       }},
      {"leaf_as_its_own_anchor",
       {"ca_basic_constraints", "ca_key_usage", "ca_eku"},
       [] {
         const auto leaf = trust::shared(issue(Recipe::leaf(peer_id)));
         return Identity{.chain = {leaf}, .anchors = {leaf->pem()}, .pins = {}, .crls = {}};
       }},
      {"anchor_itself_presented",
       {"leaf_is_ca", "key_usage", "ca_eku"},
       [] {
         auto recipe = Recipe::authority(peer_id);
         recipe.names = {{GEN_DNS, peer_id}};
         recipe.extended_key_usage = "clientAuth,serverAuth";
         recipe.key_usage = "critical,digitalSignature,keyCertSign";
         const auto ca = trust::shared(issue(recipe));
         return Identity{.chain = {ca}, .anchors = {ca->pem()}, .pins = {}, .crls = {}};
       }},
      {"issued_by_a_stranger",
       {"issuer_unknown"},
       [] {
         auto identity = by_root(no_change);
         identity.chain = {leaf_of(authorities().stranger), authorities().stranger};
         return identity;
       }},
      {"issued_by_a_ca_of_the_same_name",
       {"issuer_unknown"},
       [] {
         auto identity = by_root(no_change);
         identity.chain = {leaf_of(authorities().same_name)};
         return identity;
       }},
      {"signature_of_another_key",
       {"signature_invalid"},
       [] {
         auto identity = by_root(no_change);
         Issued impostor{trust::CertificatePtr(X509_dup(authorities().root->get())), trust::ec_key("P-256")};
         identity.chain = {leaf_of(trust::shared(std::move(impostor)))};
         return identity;
       }},
      {"two_algorithms",
       {"signature_algorithm"},
       [] {
         return by_root([](Recipe& r) {
           r.spoil = [](std::string& der) {  // ecdsa-with-SHA256 → SHA384, outside only
             const auto at = der.rfind("\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"s);
             der[at + 9] = '\x03';
           };
         });
       }},
      {"missing_intermediate",
       {"issuer_unknown"},
       [] {
         auto identity = by_root(no_change);
         identity.chain = {leaf_of(authorities().issuing)};
         return identity;
       }},
      {"configured_intermediate_of_another_ca",
       {"issuer_unknown"},
       [] {
         auto identity = by_root(no_change);
         identity.chain = {leaf_of(authorities().issuing)};
         identity.intermediates = {authorities().stranger->pem()};
         return identity;
       }},
      {"configured_intermediate_is_no_anchor",
       {"issuer_unknown"},
       [] {
         auto identity = by_root(no_change);
         identity.chain = {leaf_of(authorities().stranger)};
         identity.intermediates = {authorities().stranger->pem()};
         return identity;
       }},
      {"configured_intermediate_expired",
       {"expired"},
       [] { return unpresented(through([](Recipe& r) { r.not_after = trust::test_now - 1h; })); }},
      {"configured_intermediate_not_a_ca",
       {"ca_basic_constraints"},
       [] { return unpresented(through([](Recipe& r) { r.basic_constraints = "critical,CA:FALSE"; })); }},
      {"configured_intermediate_forbids_the_name",
       {"name_not_permitted"},
       [] {
         return unpresented(
             through([](Recipe& r) { r.name_constraints = "critical,permitted;DNS:elsewhere.example"; }));
       }},
      {"configured_intermediate_revoked",
       {"revoked", "crl_missing"},
       [] {
         auto identity = unpresented(through([](Recipe& r) { r.serial = "77"; }));
         CrlRecipe of_root;
         of_root.revoked = {"77"};
         identity.crls = {crl_pem(*authorities().root, of_root)};
         return identity;
       }},
      {"configured_intermediate_is_anothers_anchor",
       {"anchor_shared"},
       [] {
         auto identity = unpresented(through(no_change));
         identity.others = {other_node("orgc.example", identity.intermediates.front())};
         return identity;
       }},
      {"configured_intermediate_of_another_node",
       {"issuer_unknown"},
       [] {
         auto identity = unpresented(through(no_change));
         auto other = other_node("orgc.example", authorities().stranger->pem());
         other.intermediates = identity.intermediates;
         identity.intermediates.clear();
         identity.others = {other};
         return identity;
       }},
      {"five_certificates",
       {"chain_too_long"},
       [] {
         auto identity = by_root(no_change);
         identity.chain = {identity.chain[0], authorities().root, authorities().stranger, authorities().same_name,
                           authorities().issuing};
         return identity;
       }},
      {"issuer_is_a_leaf",
       {"ca_basic_constraints", "ca_key_usage"},
       [] {
         auto identity = by_root([](Recipe& r) { r.serial = "11"; });
         const auto leaf = identity.chain[0];
         identity.chain = {leaf_of(leaf), leaf};
         return identity;
       }},
      {"intermediate_without_basic_constraints",
       {"ca_basic_constraints"},
       [] { return through([](Recipe& r) { r.basic_constraints.clear(); }); }},
      {"intermediate_not_a_ca",
       {"ca_basic_constraints"},
       [] { return through([](Recipe& r) { r.basic_constraints = "critical,CA:FALSE"; }); }},
      {"intermediate_basic_constraints_not_critical",
       {"ca_basic_constraints"},
       [] { return through([](Recipe& r) { r.basic_constraints = "CA:TRUE"; }); }},
      {"intermediate_without_key_usage",
       {"ca_key_usage"},
       [] { return through([](Recipe& r) { r.key_usage.clear(); }); }},
      {"intermediate_may_not_sign",
       {"ca_key_usage"},
       [] { return through([](Recipe& r) { r.key_usage = "critical,cRLSign"; }); }},
      {"intermediate_expired",
       {"expired"},
       [] { return through([](Recipe& r) { r.not_after = trust::test_now - 1h; }); }},
      {"intermediate_not_yet_valid",
       {"not_yet_valid"},
       [] { return through([](Recipe& r) { r.not_before = trust::test_now + 1h; }); }},
      {"intermediate_for_mail",
       {"ca_eku"},
       [] { return through([](Recipe& r) { r.extended_key_usage = "emailProtection"; }); }},
      {"intermediate_signed_with_sha1",
       {"signature_algorithm"},
       [] { return through([](Recipe& r) { r.digest = EVP_sha1(); }); }},
      {"intermediate_with_a_weak_key", {"key"}, [] { return through(with_key([] { return trust::rsa_key(1024); })); }},
      {"intermediate_on_another_curve",
       {"key"},
       [] { return through(with_key([] { return trust::ec_key("secp256k1"); })); }},
      {"intermediate_spells_out_its_curve",
       {"key"},
       [] { return through(with_key(trust::key_with_spelled_out_curve)); }},
      {"intermediate_without_a_name",
       {"name_empty"},
       [] { return through([](Recipe& r) { r.common_name.clear(); }, [](Recipe& r) { r.empty_issuer = false; }); }},
      {"intermediate_without_subject_key_id",
       {"key_identifier"},
       [] {
         return through([](Recipe& r) { r.subject_key_id = false; },
                        [](Recipe& r) { r.authority_key_id = "keyid,issuer"; });
       }},
      {"intermediate_without_authority_key_id",
       {"key_identifier"},
       [] { return through([](Recipe& r) { r.authority_key_id.clear(); }); }},
      {"intermediate_with_an_unknown_critical_extension",
       {"unknown_critical_extension"},
       [] { return through(with_raw(trust::unknown_oid, true, trust::der_null)); }},
      {"intermediate_policy_constraints_not_critical",
       {"extension_criticality"},
       [] { return through([](Recipe& r) { r.policy_constraints = "requireExplicitPolicy:3"; }); }},
      {"intermediate_serial_zero", {"serial"}, [] { return through([](Recipe& r) { r.serial = "00"; }); }},
      {"intermediate_bad_name", {"san_malformed"}, [] { return through(with_name({GEN_DNS, ".example"})); }},
      {"path_too_long",
       {"path_length"},
       [] {
         auto recipe = Recipe::authority("Narrow root");
         recipe.basic_constraints = "critical,CA:TRUE,pathlen:0";
         const auto root = trust::shared(issue(recipe));
         const auto ca = trust::shared(issue(Recipe::intermediate("CA below it"), root.get()));
         return Identity{.chain = {leaf_of(ca), ca}, .anchors = {root->pem()}, .pins = {}, .crls = {}};
       }},
      {"root_expired", {"expired"}, [] { return below([](Recipe& r) { r.not_after = trust::test_now - 1h; }); }},
      {"root_not_a_ca",
       {"ca_basic_constraints"},
       [] { return below([](Recipe& r) { r.basic_constraints = "critical,CA:FALSE"; }); }},
      {"root_without_basic_constraints",
       {"ca_basic_constraints"},
       [] { return below([](Recipe& r) { r.basic_constraints.clear(); }); }},
      {"root_basic_constraints_not_critical",
       {"ca_basic_constraints"},
       [] { return below([](Recipe& r) { r.basic_constraints = "CA:TRUE"; }); }},
      {"root_without_key_usage", {"ca_key_usage"}, [] { return below([](Recipe& r) { r.key_usage.clear(); }); }},
      {"root_may_not_sign",
       {"ca_key_usage"},
       [] { return below([](Recipe& r) { r.key_usage = "digitalSignature"; }); }},
      {"root_without_subject_key_id",
       {"key_identifier"},
       [] {
         return below([](Recipe& r) { r.subject_key_id = false; },
                      [](Recipe& r) { r.authority_key_id = "keyid,issuer"; });
       }},
      {"root_with_an_eku",
       {"ca_eku"},
       [] { return below([](Recipe& r) { r.extended_key_usage = "serverAuth,clientAuth"; }); }},
      {"root_with_an_unknown_critical_extension",
       {"unknown_critical_extension"},
       [] { return below(with_raw(trust::unknown_oid, true, trust::der_null)); }},
      {"root_signed_with_sha1",
       {"signature_algorithm"},
       [] { return below([](Recipe& r) { r.digest = EVP_sha1(); }); }},
      {"root_with_a_weak_key", {"key"}, [] { return below(with_key([] { return trust::rsa_key(1024); })); }},
      {"root_with_a_dsa_key", {"key", "signature_algorithm"}, [] { return below(with_key(trust::dsa_key)); }},
      {"root_without_a_name", {"name_empty"}, [] { return below([](Recipe& r) { r.common_name.clear(); }); }},
      {"root_key_ids_differ",
       {"key_identifier"},
       [] { return below(with_raw("2.5.29.35", false, "\x30\x06\x80\x04\x01\x02\x03\x04"s)); }},
      {"root_authority_key_id_critical",
       {"extension_criticality", "key_identifier"},
       [] { return below(with_raw("2.5.29.35", true, "\x30\x06\x80\x04\x01\x02\x03\x04"s)); }},
      {"root_authority_key_id_empty",
       {"key_identifier"},
       [] { return below(with_raw("2.5.29.35", false, "\x30\x00"s)); }},
      {"root_has_not_signed_itself",
       {"signature_invalid"},
       [] {
         return below(
             [](Recipe& r) { r.spoil = [](std::string& der) { der.back() = static_cast<char>(der.back() ^ 1); }; });
       }},
      {"cross_signed_anchor_without_authority_key_id",
       {"key_identifier"},
       [] {
         auto recipe = Recipe::intermediate("Cross-signed");
         recipe.authority_key_id.clear();
         const auto ca = trust::shared(issue(recipe, authorities().stranger.get()));
         return Identity{.chain = {leaf_of(ca)}, .anchors = {ca->pem()}, .pins = {}, .crls = {}};
       }},
      {"no_anchor",
       {"anchor_missing"},
       [] {
         auto identity = by_root(no_change);
         identity.anchors.clear();
         return identity;
       }},
      {"anchor_unreadable",
       {"anchor_unusable"},
       [] {
         auto identity = by_root(no_change);
         identity.anchors = {"not a certificate"};
         return identity;
       }},
      {"pin_of_another_key",
       {"pin_mismatch"},
       [] {
         auto identity = by_root(no_change);
         identity.pins = {pin_of(*authorities().root),
                          pin_of(*authorities().stranger)};  // an issuer's is not the leaf's
         return identity;
       }},
      {"shared_root_without_a_pin",
       {"anchor_shared"},
       [] {
         auto identity = by_root(no_change);
         identity.others = {other_node("orgc.example", authorities().root->pem())};
         return identity;
       }},
      {"another_nodes_ca_below_the_root",
       {"anchor_shared"},
       [] {
         auto identity = by_root(no_change);
         identity.chain = {leaf_of(authorities().issuing), authorities().issuing};
         identity.others = {other_node("orgc.example", authorities().issuing->pem())};
         return identity;
       }},
      {"revoked_node",
       {"node_not_trusted"},
       [] {
         auto identity = by_root(no_change);
         identity.trust_level = TrustLevel::revoked;
         return identity;
       }},
      {"pending_node",
       {"node_not_trusted"},
       [] {
         auto identity = by_root(no_change);
         identity.trust_level = TrustLevel::pending;
         return identity;
       }},
      {"disabled_node",
       {"node_not_trusted"},
       [] {
         auto identity = by_root(no_change);
         identity.enabled = false;
         return identity;
       }},
  };
}

}  // namespace fedgate::test
