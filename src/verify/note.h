// SPDX-License-Identifier: Apache-2.0
//
// C2SP signed notes (signed-note, tlog-checkpoint, tlog-cosignature) read and judged apart from the code that writes
// them. Only reads: nothing here can sign. What is read comes from strangers and is bounded. Pure functions, any
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/checkpoint.h"
#include "fedgate/clock.h"
#include "fedgate/result.h"

namespace fedgate::verify {

inline constexpr std::size_t note_bytes_at_most = 64 * 1024;
inline constexpr std::size_t signatures_at_most = 64;

/// Who may sign what: a log its checkpoints (type 0x01), a witness its cosignatures (type 0x04).
enum class KeyRole : std::uint8_t { log = 0x01, witness = 0x04 };

struct Key {
  std::string name;
  KeyRole role = KeyRole::log;
  std::array<std::uint8_t, 32> public_key{};
  std::string text;  ///< the verifier key it was read from
  bool operator==(const Key&) const = default;
  [[nodiscard]] std::uint32_t id() const;
};
/// `NAME+HASH+KEY` of signed-note. Code::bad_request.
Result<Key> read_key(std::string_view text);
/// A key a line; empty lines and those that begin with # are passed over. Code::bad_request names the line.
Result<std::vector<Key>> read_keys(std::string_view text);

struct SignatureLine {
  std::string name;
  std::uint32_t key_id = 0;
  std::string bytes;
};

/// A checkpoint as it was handed over.
struct SignedHead {
  std::string text;  ///< what is signed
  std::string origin;
  TreeHead head;
  std::vector<SignatureLine> signatures;
};
/// Code::bad_request: not a note, or not one over a checkpoint.
Result<SignedHead> read_head(std::string_view note);
/// One note after the other, as witnesses' files may hold them; empty lines between them do not count.
Result<std::vector<SignedHead>> read_heads(std::string_view notes);

enum class SignatureState : std::uint8_t { absent, valid, invalid };
struct Judged {
  SignatureState state = SignatureState::absent;
  std::optional<WallTime> time;  ///< what a valid cosignature states
};
/// Several signatures of one key: one that is wrong makes it invalid.
Judged judge(const SignedHead& head, const Key& key);

}  // namespace fedgate::verify
