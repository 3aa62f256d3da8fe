// SPDX-License-Identifier: Apache-2.0
//
// What the publisher's parts share: the thread and the answers (publisher.cpp), what is judged at start and when
// somebody shows a checkpoint (publisher_doubts.cpp), and the rotation of its key (publisher_rotation.cpp). Seen by
// these alone.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "audit/publisher.h"
#include "audit/signer_state.h"

namespace fedgate::audit {

struct Publisher::State {
  State(Journal& of, PublisherOptions with, const Clock& time, const Entropy& random, const log::Logger& logger,
        Metrics& count)
      : journal(of), options(std::move(with)), clock(time), entropy(random), log(logger), metrics(count) {}

  using Published = std::shared_ptr<const Checkpoint>;

  Journal& journal;
  const PublisherOptions options;
  const Clock& clock;
  const Entropy& entropy;
  const log::Logger& log;
  Metrics& metrics;

  std::mutex making;  // one signs at a time; guards down to the next comment
  std::optional<wire::NoteSigner> signer;
  SignerState state;
  bool marked = false;  // the journal's directory says that its log is signed

  mutable std::mutex mutex;  // guards what others may ask
  Published latest;
  std::optional<WallTime> latest_at;
  std::vector<wire::VerifierKey> keys;
  std::vector<Checkpoint> past;
  std::string stopped;
  std::string problem;
  std::vector<std::function<void(Published)>> told;
  std::condition_variable wake;
  bool ending = false;

  std::mutex joining;
  std::thread thread;

  [[nodiscard]] std::string state_file() const;
  [[nodiscard]] std::string mark_file() const;

  // With `making` held.
  /// Key, state and journal at start; Result's error: the start fails.
  Result<void> begin();
  /// What stands in signer.state or contradicts it; empty: nothing does.
  Result<std::string> compare();
  Result<void> take_key();
  Result<std::string> judge_absent();
  Result<std::string> judge_present(SignerState found);
  /// Empty where the journal has this head.
  [[nodiscard]] Result<std::string> contradiction(const TreeHead& head) const;
  Result<Published> make();
  Result<void> sign(const TreeHead& head);
  Result<TreeHead> durable_head();
  Result<void> store();
  Result<void> mark();
  void stop_signing(const std::string& why);
  void show();
  Result<wire::VerifierKey> finish_rotation(const std::string& who, std::chrono::milliseconds bound);
  Result<void> adopt_next(wire::NoteSigner next, const TreeHead& head);
  [[nodiscard]] std::string next_key_file() const { return options.signing_key_file + ".next"; }

  [[nodiscard]] Published newest() const;
  Result<Published> make_and_tell();
  void run();
};

}  // namespace fedgate::audit
