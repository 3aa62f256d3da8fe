// SPDX-License-Identifier: Apache-2.0
//
// C2SP signed notes (signed-note, tlog-checkpoint, tlog-cosignature): text ↔ values, making and checking Ed25519
// signatures over OpenSSL. Everything read here comes from strangers: sizes and counts are bounded, anything but the
// exact form is refused. Pure functions, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/checkpoint.h"
#include "fedgate/clock.h"
#include "fedgate/result.h"

namespace fedgate::wire {

inline constexpr std::size_t note_max_bytes = 64 * 1024;
inline constexpr std::size_t note_max_signatures = 64;

/// 0x01: Ed25519 over the note's text. 0x04: Ed25519 over `cosignature/v1\ntime T\n` and the text, T before the
/// signature (tlog-cosignature).
enum class NoteAlgorithm : std::uint8_t { ed25519 = 0x01, cosignature_v1 = 0x04 };

/// A verifier key: `NAME+HASH8+BASE64(algorithm ‖ public key)`.
struct VerifierKey {
  std::string name;
  NoteAlgorithm algorithm = NoteAlgorithm::ed25519;
  std::array<std::uint8_t, 32> public_key{};
  [[nodiscard]] std::uint32_t id() const;  ///< first 32 bits of SHA-256(name ‖ LF ‖ algorithm ‖ public key)
  [[nodiscard]] std::string text() const;  ///< the vkey
  bool operator==(const VerifierKey&) const = default;
};
/// Code::bad_request: not a vkey, an unknown algorithm, a hash that does not match.
Result<VerifierKey> parse_vkey(std::string_view text);

struct NoteSignature {
  std::string name;
  std::uint32_t key_id = 0;
  std::string bytes;  ///< without the key id
};
struct Note {
  std::string text;  ///< ends with LF; what is signed
  std::vector<NoteSignature> signatures;
};
Result<Note> parse_note(std::string_view note);

/// Whether this key has signed: nothing where no signature of it is there or it is wrong. For a cosignature the moment
/// it states.
struct Signed {
  std::optional<WallTime> time;
};
std::optional<Signed> signed_by(const Note& note, const VerifierKey& key);

/// A private Ed25519 key (RFC 8032 seed), wiped when it ends.
class NoteSigner {
 public:
  NoteSigner(std::string name, NoteAlgorithm algorithm, std::span<const std::uint8_t, 32> seed);
  NoteSigner(NoteSigner&&) noexcept;
  NoteSigner& operator=(NoteSigner&&) noexcept;
  ~NoteSigner();
  [[nodiscard]] const VerifierKey& vkey() const { return vkey_; }
  /// The signature line, with its LF. `time` counts for a cosignature.
  [[nodiscard]] std::string sign(std::string_view text, WallTime time = {}) const;

 private:
  VerifierKey vkey_;
  std::array<std::uint8_t, 32> seed_{};
};

/// The text of a checkpoint: origin, size, root, each with its LF; no extension lines.
std::string checkpoint_text(std::string_view origin, const TreeHead& head);
/// A note that holds a checkpoint; signatures are not judged here.
Result<Checkpoint> parse_checkpoint(std::string_view note);

}  // namespace fedgate::wire
