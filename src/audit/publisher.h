// SPDX-License-Identifier: Apache-2.0
//
// Makes the log's checkpoints: every T seconds or N records it syncs the tree, writes `signer.state` beside the key,
// syncs that, and only then signs and publishes (protocol.md section 5). It stops signing, and says why, only if the
// journal contradicts signer.state or a checkpoint that bears our own valid signature; appending goes on. One thread of
// its own keeps the pace; who wants a checkpoint at once makes it on his.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/journal.h"
#include "base/entropy.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fedgate/checkpoint.h"
#include "fedgate/clock.h"
#include "fedgate/result.h"
#include "wire/signed_note.h"

namespace fedgate::audit {

struct PublisherOptions {
  std::string signing_key_file;           ///< PEM (PKCS#8, Ed25519), 0600; signer.state stands beside it
  std::string journal_directory;          ///< of this generation; `signed` in it tells by which key its log is signed
  std::chrono::milliseconds every{5000};  ///< audit.checkpoint_every
  std::uint64_t records = 10'000;         ///< or after so many
  /// Between two because of their records, at least: what a checkpoint costs must not be felt by the journal.
  std::chrono::milliseconds spacing{1000};
};

class Publisher {
 public:
  /// Reads key and signer.state, compares them with the journal, starts the thread. What contradicts does not fail the
  /// start: stopped() says why nothing is signed. Journal, clock, log and metrics outlive it. Blocking.
  static Result<std::unique_ptr<Publisher>> start(Journal& journal, const PublisherOptions& options, const Clock& clock,
                                                  const Entropy& entropy, const log::Logger& log, Metrics& metrics);
  ~Publisher();

  /// The newest that is signed; nothing before the first. Any thread, never blocks on the disk.
  [[nodiscard]] std::shared_ptr<const Checkpoint> latest() const;
  /// When latest() was signed.
  [[nodiscard]] std::optional<WallTime> latest_at() const;
  /// This log's present key, and those of its earlier generations and keys, newest first.
  [[nodiscard]] std::vector<wire::VerifierKey> keys() const;
  /// The last checkpoint that each earlier key signed, newest first.
  [[nodiscard]] std::vector<Checkpoint> past() const;
  /// Why nothing is signed any more; empty: it is.
  [[nodiscard]] std::string stopped() const;
  /// What keeps it from signing for now, as a full disk does; empty: nothing.
  [[nodiscard]] std::string problem() const;
  /// A checkpoint over at least `size` leaves, made now where there is none; waits at most `bound`. Blocking.
  Result<std::shared_ptr<const Checkpoint>> reach(std::uint64_t size, std::chrono::milliseconds bound);
  /// Somebody shows a checkpoint of our log. Where it bears our valid signature and contradicts the journal, signing
  /// stops (Code::conflict, with both heads); without our signature it is only a claim and nothing happens. Blocking.
  Result<void> confront(const Checkpoint& shown);
  /// A fresh key: the log's last leaf under the old one names it, and the checkpoint over that leaf is signed by both.
  /// What is interrupted is finished at the next start. The new key. Blocking.
  Result<wire::VerifierKey> rotate(const std::string& who, std::chrono::milliseconds bound);
  /// `told` hears of every new checkpoint, on the thread that made it; it must not block.
  void on_publish(std::function<void(std::shared_ptr<const Checkpoint>)> told);
  /// Publishes what is durable, then ends the thread; `bound` 0: ends it only. Idempotent.
  void stop(std::chrono::milliseconds bound);

  struct State;  ///< the publisher's own

 private:
  explicit Publisher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fedgate::audit
