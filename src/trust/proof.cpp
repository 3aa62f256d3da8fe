// SPDX-License-Identifier: Apache-2.0
#include "trust/proof.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include <array>

#include "base/hash.h"
#include "base/json.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

using ContextPtr = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
enum class Use : std::uint8_t { sign, verify };

std::string_view context_of(ProofBy by) {
  switch (by) {
    case ProofBy::client:
      return "fedgate trust v1, client";
    case ProofBy::server:
      return "fedgate trust v1, server";
    case ProofBy::invite:
      return "fedgate trust v1, invite";
  }
  return "";
}

/// Canonical as it is written: members in order, ASCII only.
std::string canonical_input(const ProofInput& input) {
  std::string out;
  const auto member = [&out](std::string_view name, std::string_view value) {
    out += out.empty() ? "{\"" : ",\"";
    out.append(name).append("\":");
    json::append_string(out, value);
  };
  const auto bytes = [&](std::string_view name, const std::array<std::uint8_t, 32>& value) {
    member(name, to_hex(value));
  };
  bytes("challenge", input.challenge);
  bytes("client_bundle_sha256", input.client_bundle);
  bytes("client_leaf_sha256", input.client_leaf);
  member("client_node_id", input.client.view());
  bytes("client_nonce", input.client_nonce);
  bytes("exporter", input.channel.exporter);
  member("invite_id", input.invite_id);
  member("purpose", to_string(input.purpose));
  bytes("server_bundle_sha256", input.server_bundle);
  bytes("server_leaf_sha256", input.server_leaf);
  member("server_node_id", input.server.view());
  return out += '}';
}

/// Null for Ed25519, which hashes by itself.
Result<const EVP_MD*> digest_for(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519:
      return nullptr;
    case EVP_PKEY_RSA:
      return EVP_sha256();
    case EVP_PKEY_EC:
      break;
    default:
      return fail(Code::invalid_certificate,
                  "no proof can be made with this kind of key; RSA, ECDSA and Ed25519 serve");
  }
  std::array<char, 64> curve{};
  if (EVP_PKEY_get_group_name(key, curve.data(), curve.size(), nullptr) == 1) switch (OBJ_txt2nid(curve.data())) {
      case NID_X9_62_prime256v1:
        return EVP_sha256();
      case NID_secp384r1:
        return EVP_sha384();
      case NID_secp521r1:
        return EVP_sha512();
      default:
        break;
    }
  return fail(Code::invalid_certificate, "no proof can be made on this curve; P-256, P-384 and P-521 serve");
}

Result<ContextPtr> prepared(EVP_PKEY* key, Use use) {
  if (key == nullptr) return fail(Code::invalid_certificate, "there is no key");
  const auto digest = digest_for(key);
  if (!digest) return fail(digest.error());
  ContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;  // the context's
  const auto init = use == Use::sign ? EVP_DigestSignInit : EVP_DigestVerifyInit;
  bool ready = context && init(context.get(), &parameters, *digest, nullptr, key) == 1;
  if (ready && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
    ready = EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1 &&
            EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, EVP_sha256()) == 1;
  if (!ready) return fail(Code::internal, "preparing a proof: " + openssl_reason());
  return context;
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

std::string signed_message(std::string_view context, const Sha256& digest) {
  std::string message(64, ' ');
  message += context;
  message += '\0';
  return message.append(reinterpret_cast<const char*>(digest.data()), digest.size());
}

Result<std::string> sign_message(EVP_PKEY* key, std::string_view message) {
  const ErrorQueueScope scope;
  const auto context = prepared(key, Use::sign);
  if (!context) return fail(context.error());
  std::size_t size = 0;
  std::string signature;
  bool done = EVP_DigestSign(context->get(), nullptr, &size, bytes_of(message), message.size()) == 1;
  if (done) {
    signature.resize(size);
    done = EVP_DigestSign(context->get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes_of(message),
                          message.size()) == 1;
  }
  if (!done) return fail(Code::internal, "signing a proof: " + openssl_reason());
  signature.resize(size);
  return signature;
}

Result<void> verify_message(EVP_PKEY* key, std::string_view message, std::string_view signature) {
  const ErrorQueueScope scope;
  const auto context = prepared(key, Use::verify);
  if (!context) return fail(Code::identity_mismatch, context.error().detail);
  if (EVP_DigestVerify(context->get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) == 1)
    return {};
  return fail(Code::identity_mismatch, "the signature does not hold");
}

std::string proof_message(ProofBy by, const ProofInput& input) {
  return signed_message(context_of(by), sha256(canonical_input(input)));
}

Result<std::string> sign_proof(EVP_PKEY* key, ProofBy by, const ProofInput& input) {
  if (input.channel.resumed) return fail(Code::internal, "a proof on a resumed connection proves nothing");
  return sign_message(key, proof_message(by, input));
}

Result<void> verify_proof(EVP_PKEY* key, ProofBy by, const ProofInput& input, std::string_view signature) {
  if (input.channel.resumed)
    return fail(Code::identity_mismatch, "the connection was resumed: a proof on it proves nothing");
  if (verify_message(key, proof_message(by, input), signature)) return {};
  return fail(Code::identity_mismatch,
              "the proof does not hold: it was made with another key, for another dialogue, or on another connection");
}

}  // namespace fedgate::trust
