// SPDX-License-Identifier: Apache-2.0
//
// Waiting until descriptors can be read or written, many at a time. Asio re-arms each wait with an epoll_ctl of its own
// and queues each completion; here a descriptor is registered once with an epoll set of the worker's, the set itself
// stands in Asio's reactor, and those who wait hear of it one after the other in the same turn of the event loop.
// Level-triggered: whoever leaves bytes unread hears again. Like Asio's operations, a wait keeps the event loop from
// ending. Everything here belongs to the worker's thread; one per worker.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>

#include "base/task.h"

namespace fedgate {

class Readiness;

using AwaitedHook = boost::intrusive::list_base_hook<boost::intrusive::tag<Readiness>,
                                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// A descriptor's owner. Leaves its Readiness on destruction.
class Awaited : public AwaitedHook {
 public:
  Awaited() = default;
  Awaited(const Awaited&) = delete;
  Awaited& operator=(const Awaited&) = delete;

 protected:
  ~Awaited();
  // What was waited for has come, or the descriptor failed: the next attempt says which. Each wait is answered once.
  // May do anything, destroy this object too.
  virtual void readable() = 0;
  virtual void writable() = 0;
  /// The event loop is being destroyed: what would have been resumed must be destroyed.
  virtual void abandoned() noexcept = 0;

 private:
  friend class Readiness;
  Readiness* home_ = nullptr;
  int descriptor_ = -1;
  std::uint32_t wanted_ = 0;      // EPOLLIN, EPOLLOUT: somebody waits
  std::uint32_t registered_ = 0;  // what the set watches for; 0: it does not stand in the set
};

class Readiness {
 public:
  explicit Readiness(asio::io_context& io);
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  /// `one` owns the descriptor and leaves before it closes it.
  void enter(Awaited& one, int descriptor);
  /// Nothing is waited for any more.
  static void leave(Awaited& one);

  // No effect where it is waited for already.
  void await_readable(Awaited& one) { await(one, EPOLLIN); }
  void await_writable(Awaited& one) { await(one, EPOLLOUT); }

 private:
  static constexpr std::size_t at_once = 64;

  void await(Awaited& one, std::uint32_t what);
  void register_for(Awaited& one, std::uint32_t what);
  void arm();
  void turn();
  void tell(std::size_t place);
  void forget(Awaited& one);

  asio::posix::stream_descriptor set_;  // the epoll descriptor
  boost::intrusive::list<Awaited, boost::intrusive::base_hook<AwaitedHook>, boost::intrusive::constant_time_size<false>>
      here_;
  std::array<epoll_event, at_once> events_{};
  std::size_t pending_ = 0;  // of events_, during a turn
  std::size_t waits_ = 0;
  bool armed_ = false;
  bool turning_ = false;
};

}  // namespace fedgate
