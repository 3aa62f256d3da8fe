// SPDX-License-Identifier: Apache-2.0
#include "trust/verify_errors.h"

#include <openssl/x509_vfy.h>

#include <string>

namespace fedgate::trust {

namespace {

Reason reason_for(int error) {
  switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_SUBJECT_ISSUER_MISMATCH:
    case X509_V_ERR_AKID_SKID_MISMATCH:
    case X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH:
      return Reason::issuer_unknown;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
      return Reason::signature_invalid;
    case X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY:
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS:
      return Reason::key;
    case X509_V_ERR_CA_MD_TOO_WEAK:
    case X509_V_ERR_UNSUPPORTED_SIGNATURE_ALGORITHM:
    case X509_V_ERR_SIGNATURE_ALGORITHM_MISMATCH:
    case X509_V_ERR_SIGNATURE_ALGORITHM_INCONSISTENCY:
      return Reason::signature_algorithm;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Reason::not_yet_valid;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Reason::expired;
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
      return Reason::chain_too_long;
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
      return Reason::path_length;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
      return Reason::name_not_permitted;
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
      return Reason::name_constraints_malformed;
    case X509_V_ERR_NO_EXPLICIT_POLICY:
    case X509_V_ERR_INVALID_POLICY_EXTENSION:
      return Reason::policy;
    default:
      return Reason::chain_invalid;
  }
}

}  // namespace

void add_verify_error(const About& about, int error, std::string_view node) {
  const auto reason = reason_for(error);
  if (reason == Reason::chain_invalid && !about.all().none()) return;
  about.add(reason, "its chain does not verify against the anchors of " + std::string(node) + ": " +
                        X509_verify_cert_error_string(error));
}

}  // namespace fedgate::trust
