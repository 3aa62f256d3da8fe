// SPDX-License-Identifier: Apache-2.0
//
// Leaves that no gateway may have, below a right root.
#pragma once

#include "support/identities/case.h"

namespace fedgate::test {

// A table, one row after another.
inline std::vector<IdentityCase> wrong_leaves() {  // NOLINT(readability-function-size)
  using namespace std::string_literals;
  using namespace std::chrono_literals;
  return {
      {"no_eku", {"eku_missing"}, [] { return by_root([](Recipe& r) { r.extended_key_usage.clear(); }); }},
      {"empty_eku",
       {"extension_malformed", "eku_missing"},
       [] {
         return by_root([](Recipe& r) {
           r.extended_key_usage.clear();
           r.raw = {{"2.5.29.37", false, "\x30\x00"s}};
         });
       }},
      {"any_eku",
       {"eku_wrong", "eku_foreign"},
       [] { return by_root([](Recipe& r) { r.extended_key_usage = "anyExtendedKeyUsage"; }); }},
      {"any_eku_too",
       {"eku_foreign"},
       [] { return by_root([](Recipe& r) { r.extended_key_usage = "serverAuth,clientAuth,anyExtendedKeyUsage"; }); }},
      {"code_signing_too",
       {"eku_foreign"},
       [] { return by_root([](Recipe& r) { r.extended_key_usage = "serverAuth,clientAuth,codeSigning"; }); }},
      {"ocsp_signing_too",
       {"eku_foreign"},
       [] { return by_root([](Recipe& r) { r.extended_key_usage = "serverAuth,clientAuth,OCSPSigning"; }); }},
      {"eku_critical",
       {"extension_criticality"},
       [] { return by_root([](Recipe& r) { r.extended_key_usage = "critical,serverAuth,clientAuth"; }); }},
      {"server_as_client",
       {"eku_wrong"},
       [] { return by_root([](Recipe& r) { r.extended_key_usage = "serverAuth"; }); },
       Ends::client_only},
      {"client_as_server",
       {"eku_wrong"},
       [] { return by_root([](Recipe& r) { r.extended_key_usage = "clientAuth"; }); },
       Ends::server_only},
      {"leaf_is_a_ca",
       {"leaf_is_ca", "key_usage"},
       [] {
         return by_root([](Recipe& r) {
           r.basic_constraints = "critical,CA:TRUE";
           r.key_usage = "critical,digitalSignature,keyCertSign";
         });
       }},
      {"leaf_is_a_ca_that_may_not_sign",
       {"leaf_is_ca"},
       [] { return by_root([](Recipe& r) { r.basic_constraints = "critical,CA:TRUE"; }); }},
      {"leaf_may_sign_certificates",
       {"key_usage"},
       [] { return by_root([](Recipe& r) { r.key_usage = "critical,digitalSignature,keyCertSign"; }); }},
      {"leaf_may_sign_crls",
       {"key_usage"},
       [] { return by_root([](Recipe& r) { r.key_usage = "critical,digitalSignature,cRLSign"; }); }},
      {"no_digital_signature",
       {"key_usage"},
       [] { return by_root([](Recipe& r) { r.key_usage = "critical,keyAgreement"; }); }},
      {"path_length_of_a_leaf",
       {"extension_malformed"},
       [] { return by_root([](Recipe& r) { r.basic_constraints = "critical,CA:FALSE,pathlen:0"; }); }},
      {"name_constraints_of_a_leaf",
       {"extension_misplaced"},
       [] { return by_root([](Recipe& r) { r.name_constraints = "critical,permitted;DNS:orgp.example"; }); }},
      {"name_constraints_of_a_leaf_not_critical",
       {"extension_misplaced", "name_constraints_malformed"},
       [] { return by_root([](Recipe& r) { r.name_constraints = "permitted;DNS:orgp.example"; }); }},
      {"expired", {"expired"}, [] { return by_root([](Recipe& r) { r.not_after = trust::test_now - 1h; }); }},
      {"expires_at_this_instant",
       {"expired"},
       [] { return by_root([](Recipe& r) { r.not_after = trust::test_now; }); }},
      {"not_yet_valid",
       {"not_yet_valid"},
       [] { return by_root([](Recipe& r) { r.not_before = trust::test_now + 1h; }); }},
      {"ends_before_it_begins",
       {"validity_malformed", "not_yet_valid", "expired"},
       [] {
         return by_root([](Recipe& r) {
           r.not_before = trust::test_now + 2h;
           r.not_after = trust::test_now - 2h;
         });
       }},
      {"generalized_time_before_2050",
       {"validity_malformed"},
       [] { return by_root([](Recipe& r) { r.not_after_text = "20301231235959Z"; }); }},
      {"rsa_1024", {"key"}, [] { return by_root(with_key([] { return trust::rsa_key(1024); })); }},
      {"rsa_2047", {"key"}, [] { return by_root(with_key([] { return trust::rsa_key(2047); })); }},
      {"rsa_2052", {"key"}, [] { return by_root(with_key([] { return trust::rsa_key(2052); })); }},
      {"rsa_8192",
       {"key"},
       [] { return by_root(with_key([] { return trust::rsa_public_key(8192); })); },
       Ends::both,
       false},
      {"rsa_exponent_3",
       {"key"},
       [] { return by_root(with_key([] { return trust::rsa_public_key(2048, 3); })); },
       Ends::both,
       false},
      {"rsa_even_exponent",
       {"key"},
       [] { return by_root(with_key([] { return trust::rsa_public_key(2048, 65538); })); },
       Ends::both,
       false},
      {"curve_secp256k1",
       {"key"},
       [] { return by_root(with_key([] { return trust::ec_key("secp256k1"); })); },
       Ends::both,
       false},
      {"curve_p192",
       {"key"},
       [] { return by_root(with_key([] { return trust::ec_key("P-192"); })); },
       Ends::both,
       false},
      {"curve_brainpool",
       {"key"},
       [] { return by_root(with_key([] { return trust::ec_key("brainpoolP256r1"); })); },
       Ends::both,
       false},
      {"curve_spelled_out",
       {"key"},
       [] { return by_root(with_key(trust::key_with_spelled_out_curve)); },
       Ends::both,
       false},
      {"dsa", {"key"}, [] { return by_root(with_key(trust::dsa_key)); }, Ends::both, false},
      {"ed448", {"key"}, [] { return by_root(with_key([] { return trust::plain_key("ED448"); })); }},
      {"sha1", {"signature_algorithm"}, [] { return by_root([](Recipe& r) { r.digest = EVP_sha1(); }); }},
      {"sha224", {"signature_algorithm"}, [] { return by_root([](Recipe& r) { r.digest = EVP_sha224(); }); }},
      {"serial_zero", {"serial"}, [] { return by_root([](Recipe& r) { r.serial = "00"; }); }},
      {"serial_negative", {"serial"}, [] { return by_root([](Recipe& r) { r.serial = "-0123"; }); }},
      {"serial_21_bytes", {"serial"}, [] { return by_root([](Recipe& r) { r.serial = std::string(42, '1'); }); }},
      {"serial_20_bytes_and_a_sign",
       {"serial"},
       [] { return by_root([](Recipe& r) { r.serial = std::string(40, 'f'); }); }},
      {"empty_issuer",
       {"name_empty", "issuer_unknown"},
       [] { return by_root([](Recipe& r) { r.empty_issuer = true; }); }},
      {"version_1",
       {"version", "san_missing", "cn_mismatch", "eku_missing", "key_identifier"},
       [] { return by_root([](Recipe& r) { r.version = X509_VERSION_1; }); }},
      {"unknown_critical_extension",
       {"unknown_critical_extension"},
       [] { return by_root(with_raw(trust::unknown_oid, true, trust::der_null)); }},
      {"distribution_points_critical",
       {"unknown_critical_extension"},
       [] { return by_root([](Recipe& r) { r.crl_distribution_points = "critical,URI:http://orgp.example/crl"; }); }},
      {"an_extension_twice",
       {"extension_duplicate"},
       [] { return by_root([](Recipe& r) { r.unknown_extensions = 2; }); }},
      {"too_many_extensions",
       {"oversized"},
       [] {
         return by_root([](Recipe& r) {
           for (int i = 0; i < 65; ++i)
             r.raw.push_back({"1.3.6.1.4.1.55555." + std::to_string(i + 10), false, trust::der_null});
         });
       }},
      {"authority_information_malformed",
       {"extension_malformed"},
       [] { return by_root(with_raw("1.3.6.1.5.5.7.1.1", false, "malformed")); }},
      {"authority_information_critical",
       {"extension_criticality"},
       [] {
         return by_root(with_raw("1.3.6.1.5.5.7.1.1", true,
                                 "\x30\x15\x30\x13\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x82\x07"s
                                 "x.examp"));
       }},
      {"basic_constraints_not_der",
       {"extension_malformed"},
       [] {
         return by_root([](Recipe& r) {
           r.basic_constraints.clear();
           r.raw = {{"2.5.29.19", true, "\x30\x03\x01\x01\x00"s}};  // the default, written out
         });
       }},
      {"no_authority_key_id",
       {"key_identifier"},
       [] { return by_root([](Recipe& r) { r.authority_key_id.clear(); }); }},
      {"authority_key_id_names_an_issuer",
       {"key_identifier"},
       [] { return by_root([](Recipe& r) { r.authority_key_id = "keyid:always,issuer:always"; }); }},
      {"must_staple_without_a_staple",
       {"ocsp_missing"},
       [] { return by_root([](Recipe& r) { r.tls_feature = "status_request"; }); },
       Ends::server_only},
      {"requires_a_policy_and_has_none",
       {"policy"},
       [] { return through([](Recipe& r) { r.policy_constraints = "critical,requireExplicitPolicy:0"; }); }},
  };
}

}  // namespace fedgate::test
