// SPDX-License-Identifier: Apache-2.0
#include "base/readiness.h"

#include <cerrno>
#include <system_error>

namespace fedgate {
namespace {

int make_set() {
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) throw std::system_error(errno, std::system_category(), "epoll_create1");
  return set;
}

constexpr std::uint32_t failed = EPOLLERR | EPOLLHUP;  // reported whether asked for or not

}  // namespace

Awaited::~Awaited() { Readiness::leave(*this); }

Readiness::Readiness(asio::io_context& io) : set_(io, make_set()) {}

Readiness::~Readiness() {
  while (!here_.empty()) {
    auto& one = here_.front();
    here_.pop_front();
    one.home_ = nullptr;
    one.abandoned();
  }
}

void Readiness::enter(Awaited& one, int descriptor) {
  one.home_ = this;
  one.descriptor_ = descriptor;
  here_.push_back(one);
}

void Readiness::leave(Awaited& one) {
  if (one.home_ != nullptr) one.home_->forget(one);
}

void Readiness::forget(Awaited& one) {
  register_for(one, 0);
  if ((one.wanted_ & EPOLLIN) != 0) --waits_;
  if ((one.wanted_ & EPOLLOUT) != 0) --waits_;
  one.wanted_ = 0;
  one.home_ = nullptr;
  one.AwaitedHook::unlink();
  for (std::size_t i = 0; i < pending_; ++i)
    if (events_[i].data.ptr == &one) events_[i].data.ptr = nullptr;
  if (waits_ == 0 && armed_) {
    boost::system::error_code ignored;
    set_.cancel(ignored);
  }
}

void Readiness::await(Awaited& one, std::uint32_t what) {
  if (one.home_ == nullptr || (one.wanted_ & what) != 0) return;
  one.wanted_ |= what;
  ++waits_;
  if ((one.registered_ & what) == 0) register_for(one, one.wanted_);
  if (!turning_) arm();
}

void Readiness::register_for(Awaited& one, std::uint32_t what) {
  if (one.registered_ == what) return;
  const int doing = what == 0 ? EPOLL_CTL_DEL : one.registered_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  epoll_event event{};
  event.events = what;
  event.data.ptr = &one;
  // Out of memory or of watches: the wait ends at its deadline, like one for a peer that is silent.
  if (::epoll_ctl(set_.native_handle(), doing, one.descriptor_, &event) == 0 || what == 0) one.registered_ = what;
}

void Readiness::arm() {
  if (armed_ || waits_ == 0) return;
  armed_ = true;
  set_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code&) {
    armed_ = false;
    turn();
  });
}

void Readiness::turn() {
  struct End {
    Readiness& own;
    ~End() {
      own.pending_ = 0;
      own.turning_ = false;
      own.arm();
    }
  } const end{*this};
  turning_ = true;
  const int count = ::epoll_wait(set_.native_handle(), events_.data(), static_cast<int>(events_.size()), 0);
  pending_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  for (std::size_t i = 0; i < pending_; ++i) tell(i);
}

void Readiness::tell(std::size_t place) {
  const auto here = [&] { return static_cast<Awaited*>(events_[place].data.ptr); };
  if (here() == nullptr) return;
  auto& one = *here();
  std::uint32_t come = events_[place].events;
  if ((come & failed) != 0) come |= EPOLLIN | EPOLLOUT;
  come &= EPOLLIN | EPOLLOUT;
  // Something that nobody waits for now would be reported in every turn.
  if ((come & one.wanted_) == 0 || (come & one.registered_ & ~one.wanted_) != 0) register_for(one, one.wanted_ & ~come);
  come &= one.wanted_;
  one.wanted_ &= ~come;
  if ((come & EPOLLIN) != 0) --waits_;
  if ((come & EPOLLOUT) != 0) --waits_;
  if ((come & EPOLLIN) != 0) one.readable();
  if ((come & EPOLLOUT) != 0 && here() != nullptr) one.writable();
}

}  // namespace fedgate
