// SPDX-License-Identifier: Apache-2.0
//
// Who waits for an append: a coroutine, to be resumed on its own io_context, or a plain function. Made by the
// appending thread, owned by the queue, answered by the writer's thread.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/task.h"
#include "fedgate/outcome.h"
#include "fedgate/result.h"

namespace fedgate::audit {

class Waiter {
 public:
  virtual ~Waiter() = default;
  /// Where resume() must run; nothing: answering was all.
  [[nodiscard]] virtual const Executor* home() const = 0;
  virtual void answer(Result<LeafReference> result) = 0;
  virtual void resume() {}
};

class FunctionWaiter final : public Waiter {
 public:
  explicit FunctionWaiter(std::function<void(Result<LeafReference>)> done) : done_(std::move(done)) {}
  [[nodiscard]] const Executor* home() const override { return nullptr; }
  void answer(Result<LeafReference> result) override { done_(std::move(result)); }

 private:
  std::function<void(Result<LeafReference>)> done_;
};

/// `slot` lives in the waiting coroutine's frame, which the handler owns.
template <class Handler>
class HandlerWaiter final : public Waiter {
 public:
  HandlerWaiter(Handler handler, Result<LeafReference>& slot)
      : handler_(std::move(handler)),
        slot_(&slot),
        executor_(asio::get_associated_executor(handler_)),
        work_(executor_) {}
  [[nodiscard]] const Executor* home() const override { return &executor_; }
  void answer(Result<LeafReference> result) override { *slot_ = std::move(result); }
  void resume() override {
    work_.reset();
    std::move(handler_)();
  }

 private:
  Handler handler_;
  Result<LeafReference>* slot_;
  Executor executor_;
  asio::executor_work_guard<Executor> work_;  // the event loop must not end while one of its coroutines waits
};

/// Waiters that have been answered, by where they are resumed: one wake-up of another thread costs as much as
/// thirty appends, so each io_context is woken once a batch.
class Resumptions {
 public:
  void add(std::unique_ptr<Waiter> waiter) {
    const Executor* home = waiter->home();
    if (home == nullptr) return;
    for (auto& group : groups_) {
      if (group.executor != *home) continue;
      group.waiters.push_back(std::move(waiter));
      return;
    }
    groups_.push_back({*home, {}});
    groups_.back().waiters.push_back(std::move(waiter));
  }
  void post() {
    for (auto& group : groups_) asio::post(group.executor, Run{group.executor, std::move(group.waiters)});
    groups_.clear();
  }

 private:
  struct Group {
    Executor executor;
    std::vector<std::unique_ptr<Waiter>> waiters;
  };
  struct Run {
    Executor executor;
    std::vector<std::unique_ptr<Waiter>> waiters;
    std::size_t next = 0;
    void operator()() {
      // Should one throw into the event loop, the others go on all the same.
      struct Rest {
        Run& run;
        ~Rest() {
          if (run.next == run.waiters.size()) return;
          const Executor home = run.executor;
          asio::post(home, std::move(run));
        }
      } const rest{*this};
      while (next < waiters.size()) waiters[next++]->resume();
    }
  };
  std::vector<Group> groups_;
};

}  // namespace fedgate::audit
