// SPDX-License-Identifier: Apache-2.0
#include "store/watchdog.h"

#include <sys/socket.h>

namespace fedgate::store {

Watchdog::Watchdog() : thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (!until_) {
      changed_.wait(lock);
    } else if (std::chrono::steady_clock::now() >= *until_) {
      ::shutdown(socket_, SHUT_RDWR);
      until_.reset();
    } else {
      const auto until = *until_;  // the operation may end, and its end with it, while this waits
      changed_.wait_until(lock, until);
    }
  }
}

Watchdog::Watch::Watch(Watchdog& dog, int socket, std::chrono::milliseconds time) : dog_(dog) {
  const std::lock_guard lock(dog_.mutex_);
  dog_.socket_ = socket;
  dog_.until_ = std::chrono::steady_clock::now() + time;
  dog_.changed_.notify_one();
}

Watchdog::Watch::~Watch() {
  const std::lock_guard lock(dog_.mutex_);
  dog_.until_.reset();
  dog_.socket_ = -1;
}

}  // namespace fedgate::store
