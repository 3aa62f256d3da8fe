// SPDX-License-Identifier: Apache-2.0
//
// Hears at once that somebody has changed a node in the shared database: PostgreSQL's LISTEN, on a connection and a
// thread of its own. Hearing is a hurry and not a promise: what is missed while the connection is away is found by
// whoever looks again and again. Each wait has an end, and none outlasts the destructor. Owned by the composition
// root.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/log.h"
#include "fedgate/result.h"
#include "store/store.h"

namespace fedgate::store {

/// What the transactions that change nodes notify.
inline constexpr const char* nodes_channel = "fedgate_nodes";

class ChangeListener {
 public:
  static constexpr std::chrono::milliseconds first_pause{200};  ///< before it connects again; doubles
  static constexpr std::chrono::seconds longest_pause{10};
  static constexpr std::chrono::seconds patience{5};  ///< with a server that does not answer
  static constexpr std::chrono::seconds silence{30};  ///< after which it asks whether the server is there

  /// Null for a database that nobody else writes to (SQLite). `changed` is called on the listener's thread, also when
  /// something may have been missed. The errors are those of postgres_target(); a server that is away is none.
  static Result<std::unique_ptr<ChangeListener>> start(const Options& options, std::function<void()> changed,
                                                       const log::Logger& log);
  ~ChangeListener();
  ChangeListener(const ChangeListener&) = delete;
  ChangeListener& operator=(const ChangeListener&) = delete;

 private:
  class Session;
  ChangeListener(std::string parameters, std::string where, std::function<void()> changed, const log::Logger& log);
  void run();
  /// Until the connection breaks or the end has come; how it broke.
  std::string listen();
  [[nodiscard]] bool pause(std::chrono::milliseconds time) const;

  std::string parameters_, where_;
  std::function<void()> changed_;
  const log::Logger& log_;
  int ending_;  // an eventfd; readable: stop
  bool was_heard_ = false;
  std::thread thread_;
};

}  // namespace fedgate::store
