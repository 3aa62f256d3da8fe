// SPDX-License-Identifier: Apache-2.0
//
// Threads for libraries that block (libpqxx, SQLite, file walks). A coroutine hands a function over and is
// resumed on its own thread with the result. The queue is bounded; beyond it: Code::overloaded at once.
#pragma once

#include <atomic>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/task.h"

namespace fedgate {

class WorkerPool {
 public:
  WorkerPool(std::size_t threads, std::size_t queue_bound) : bound_(queue_bound), pool_(threads) {}
  ~WorkerPool() { stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Runs `work` (a callable that returns Result<T>) on the pool. Cancelling the awaiting coroutine does not
  /// stop work that has begun: the coroutine is resumed when it ends. An exception becomes Code::internal.
  /// What `work` holds is released on the pool, before the coroutine is resumed.
  template <class Work>
  Task<std::invoke_result_t<Work>> run(Work work) {
    using Answer = std::invoke_result_t<Work>;
    if (stopped_.load(std::memory_order_acquire)) co_return fail(Code::draining, "storage work has been shut down");
    // A ticket comes back whatever happens: also when the await below throws because of a cancellation.
    Ticket ticket(waiting_);
    if (ticket.number > bound_) co_return fail(Code::overloaded, "the queue for storage work is full");
    // The answer goes through a shared box: Answer need not be default constructible for the handler.
    auto box = std::make_shared<std::optional<Answer>>();
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>&, void()>(
        [this, box](auto handler, Work task) {
          auto executor = asio::get_associated_executor(handler);
          // The event loop that waits for the answer must not end for want of work.
          auto kept = asio::make_work_guard(executor);
          asio::post(pool_, [box, kept = std::move(kept), executor, task = std::make_unique<Work>(std::move(task)),
                             handler = std::make_shared<decltype(handler)>(std::move(handler))]() mutable {
            try {
              box->emplace((*task)());
            } catch (const std::exception& error) {
              box->emplace(fail(Code::internal, error.what()));
            } catch (...) {
              box->emplace(fail(Code::internal, "storage work threw something that is no std::exception"));
            }
            task.reset();
            asio::post(executor, [handler = std::move(handler)]() mutable { std::move (*handler)(); });
          });
        },
        use_task, std::move(work));
    co_return std::move(**box);
  }

  /// Finishes what is queued, then ends the threads. From here on run() answers Code::draining.
  void stop() {
    stopped_.store(true, std::memory_order_release);
    pool_.join();
  }

 private:
  struct Ticket {
    explicit Ticket(std::shared_ptr<std::atomic<std::size_t>> counter)
        : waiting(std::move(counter)), number(waiting->fetch_add(1, std::memory_order_relaxed) + 1) {}
    ~Ticket() { waiting->fetch_sub(1, std::memory_order_relaxed); }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    std::shared_ptr<std::atomic<std::size_t>> waiting;
    std::size_t number;
  };

  std::size_t bound_;
  // Queued, running, or not yet back. Shared: a coroutine that is never resumed may outlive the pool.
  std::shared_ptr<std::atomic<std::size_t>> waiting_ = std::make_shared<std::atomic<std::size_t>>(0);
  std::atomic<bool> stopped_{false};
  asio::thread_pool pool_;
};

}  // namespace fedgate
