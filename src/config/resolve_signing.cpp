// SPDX-License-Identifier: Apache-2.0
//
// The keys that sign checkpoints. One that is missing is no error: the first start makes it.
#include <filesystem>

#include "audit/durable_file.h"
#include "audit/signing_key.h"
#include "config/resolver.h"

namespace fedgate::config {

void Resolver::signing_keys() {
  const auto& from = root_.audit.value;
  auto& out = out_.audit;
  out.checkpoint_every = *from.checkpoint_every;
  const bool given = from.signing_key_file.bound() && !from.signing_key_file->empty();
  const bool witness_given = from.witness_key_file.bound() && !from.witness_key_file->empty();
  if (given && from.signing_key_file->starts_with("credential:")) {
    report_.error(
        from.signing_key_file.place,
        "`audit.signing_key_file` cannot be a credential: `signer.state` is written beside it; give a path in "
        "the daemon's state directory");
    return;
  }
  if (given)
    out.signing_key_file = files_.locate(from.signing_key_file, "audit.signing_key_file");
  else if (!out.journal.empty())
    out.signing_key_file = default_signing_key(out.journal);
  if (out.signing_key_file.empty()) return;
  out.witness_key_file = witness_given ? files_.locate(from.witness_key_file, "audit.witness_key_file")
                                       : default_witness_key(out.signing_key_file);
  if (out.witness_key_file == out.signing_key_file) {
    report_.error(
        from.witness_key_file.place,
        "`audit.witness_key_file` is the same file as `audit.signing_key_file`; a log and a witness sign with "
        "keys of their own");
    return;
  }
  const auto at = given ? from.signing_key_file.place : from.journal.place;
  judge_signing_key(out.signing_key_file, at, "audit.signing_key_file");
  if (!out.witness_key_file.empty())
    judge_signing_key(out.witness_key_file, witness_given ? from.witness_key_file.place : at, "audit.witness_key_file");
}

void Resolver::judge_signing_key(const std::string& path, Place place, std::string_view key) {
  // Not by Files: what a rotation writes is not a changed configuration.
  const auto signer = audit::read_signer(path, "check", wire::NoteAlgorithm::ed25519);
  if (signer) return;
  if (signer.error().code != Code::not_found)
    return report_.error(place, "`" + std::string(key) + "`: " + signer.error().detail);
  const auto directory = audit::directory_of(path);
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored)) files_.demand_parent(directory, place, key);
}

}  // namespace fedgate::config
