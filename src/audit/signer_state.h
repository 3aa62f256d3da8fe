// SPDX-License-Identifier: Apache-2.0
//
// `signer.state`: what the signer must never contradict, kept beside its key and on stable storage before a signature
// leaves. Plain values and their text (JSON); the publisher reads and writes the file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/checkpoint.h"
#include "fedgate/clock.h"
#include "fedgate/result.h"
#include "wire/signed_note.h"

namespace fedgate::audit {

struct SignerState {
  /// A key that signs no more, and the last that it signed: of a generation that ended, or before a rotation (then the
  /// key that followed signed it, too).
  struct Past {
    wire::VerifierKey key;
    std::string note;
    bool operator==(const Past&) const = default;
  };
  std::string log;
  wire::VerifierKey key;
  std::optional<Checkpoint> last;             ///< none: nothing is signed yet
  WallTime at{};                              ///< when it was
  std::optional<wire::VerifierKey> next_key;  ///< a rotation has begun
  std::vector<Past> past;                     ///< newest first
  std::string evidence;  ///< a note with our own signature that contradicts the journal; empty: nobody has shown one
  std::string reported;  ///< why signing stopped, as it stands in the trail already
  bool operator==(const SignerState&) const = default;
};

std::string text_of(const SignerState& state);
/// Code::io_error: not such a state.
Result<SignerState> signer_state_from(std::string_view text);

/// Of `NODE/fedgate/log/REPLICA/GENERATION`: the last part as a number, and what stands before it.
struct LogGeneration {
  std::string_view replica;
  std::uint64_t number = 0;
};
std::optional<LogGeneration> generation_of(std::string_view log);

}  // namespace fedgate::audit
