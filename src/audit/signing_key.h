// SPDX-License-Identifier: Apache-2.0
//
// The private keys by which this gateway signs its log and others' checkpoints: PEM (PKCS#8, unencrypted, Ed25519), in
// files that nobody else may read. Free functions; blocking, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/entropy.h"
#include "fedgate/result.h"
#include "wire/signed_note.h"

namespace fedgate::audit {

/// A fresh key as PEM.
std::string make_signing_key(const Entropy& entropy);

/// Code::invalid_configuration: not such a key; says what to do.
Result<wire::NoteSigner> signer_from(std::string_view pem, std::string name, wire::NoteAlgorithm algorithm);
/// Code::not_found: there is no such file; Code::io_error: others could read or change it.
Result<wire::NoteSigner> read_signer(const std::string& path, std::string name, wire::NoteAlgorithm algorithm);

/// Makes the key where there is none yet, and its directory (0700) where only that is missing.
enum class KeyFound : std::uint8_t { there, made };
Result<KeyFound> ensure_signing_key(const std::string& path, const Entropy& entropy);

/// `NODE/fedgate/log/REPLICA/GENERATION`, `NODE/fedgate/witness`.
std::string log_name(std::string_view node, std::string_view replica, std::uint64_t generation);
std::string witness_name(std::string_view node);

}  // namespace fedgate::audit
