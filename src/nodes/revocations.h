// SPDX-License-Identifier: Apache-2.0
//
// Which nodes an operator has revoked, in a small file of this gateway's own beside its journal: a revocation must
// outlive a database that is away, or that is restored from a backup made before it. Owned by the composition root,
// read before the database, kept by the registry. Any thread; save() blocks.
//
// A node's row lifts its entry by saying that it was reinstated later (changes.h): so a replica whose file does not
// know of that learns it from the database, and a restored row, which cannot say so, lifts nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "fedgate/result.h"

namespace fedgate::nodes {

class Revocations {
 public:
  /// No file: nothing is revoked. Code::io_error for one that cannot be read or understood: then it is not known who
  /// must stay out. Blocking.
  static Result<std::unique_ptr<Revocations>> open(std::string file);

  [[nodiscard]] std::map<NodeId, WallTime> all() const;
  /// Keeps the later of two times.
  void add(const NodeId& node, WallTime at);
  /// Where it was revoked before `reinstated`.
  void lift(const NodeId& node, WallTime reinstated);
  /// Brings what has changed to stable storage; without a change it does nothing. Its directory must exist.
  Result<void> save();
  /// What has changed since the file was written.
  [[nodiscard]] std::vector<NodeId> unsaved() const;
  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  explicit Revocations(std::string file) : file_(std::move(file)) {}
  Result<void> parse(std::string_view text);

  const std::string file_;
  std::mutex saving_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<NodeId, WallTime> revoked_;
  std::uint64_t changes_ = 0;
  std::map<NodeId, std::uint64_t> unsaved_;  // by which change
};

}  // namespace fedgate::nodes
