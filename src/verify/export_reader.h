// SPDX-License-Identifier: Apache-2.0
//
// Reads what `audit export --format tlog` writes, or whoever else keeps the form: a directory with `leaves` (a line
// each: the base64 of a leaf, or `-` and the base64 or hex of its hash where it was pruned), `checkpoint` and, where
// that is another, `witnessed` (signed notes), and `vkeys` (a verifier key a line). Nothing in it is trusted. One
// thread.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "fedgate/result.h"
#include "verify/log_audit.h"

namespace fedgate::verify {

/// A small file, whole. Code::io_error; Code::bad_request where it is larger than `most`.
Result<std::string> read_text(const std::string& path, std::size_t most);

class ExportReader {
 public:
  static constexpr std::size_t small_file_at_most = 16UL << 20;

  /// Code::io_error where `leaves` is not there; Code::bad_request where the others cannot be read.
  static Result<ExportReader> open(const std::string& directory);

  [[nodiscard]] const std::string& directory() const { return directory_; }
  /// By its checkpoint, else by its first leaf; empty: neither says it.
  [[nodiscard]] const std::string& log() const { return log_; }
  [[nodiscard]] const std::vector<Key>& keys() const { return keys_; }
  [[nodiscard]] const std::vector<ShownHead>& heads() const { return heads_; }

  /// False: there are no more. A line that is no leaf becomes one, so that the check names it.
  Result<bool> next(Entry& entry);
  /// From the first leaf again.
  Result<void> rewind();

 private:
  std::string directory_, log_;
  std::vector<Key> keys_;
  std::vector<ShownHead> heads_;
  std::ifstream leaves_;
};

}  // namespace fedgate::verify
