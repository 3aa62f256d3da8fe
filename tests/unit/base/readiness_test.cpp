// SPDX-License-Identifier: Apache-2.0
#include "base/readiness.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fedgate {
namespace {

/// One end of a socket pair; what it heard, in order.
struct End final : Awaited {
  End(Readiness& readiness, int fd) : fd(fd) { readiness.enter(*this, fd); }
  ~End() {
    Readiness::leave(*this);
    ::close(fd);
  }
  void readable() override {
    heard += 'r';
    if (on_readable) on_readable();
  }
  void writable() override {
    heard += 'w';
    if (on_writable) on_writable();
  }
  void abandoned() noexcept override { heard += 'a'; }
  [[nodiscard]] std::string drain() const {
    std::array<char, 4096> bytes;
    const auto size = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
    return {bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
  }
  void send(std::string_view text) const { ASSERT_EQ(::send(fd, text.data(), text.size(), MSG_DONTWAIT), text.size()); }

  int fd;
  std::string heard;
  std::function<void()> on_readable, on_writable;
};

class ReadinessTest : public testing::Test {
 protected:
  struct Pair {
    std::unique_ptr<End> near, far;
  };
  Pair pair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    return {std::make_unique<End>(*readiness, ends[0]), std::make_unique<End>(*readiness, ends[1])};
  }
  /// What is ready now and what that leads to.
  std::size_t run() {
    io.restart();
    return io.poll();
  }

  asio::io_context io{1};
  std::optional<Readiness> readiness{io};
};

TEST_F(ReadinessTest, AWaitIsAnsweredOnceAndLeavesTheBytesAlone) {
  auto [near, far] = pair();
  readiness->await_readable(*near);
  readiness->await_readable(*near);
  run();
  EXPECT_EQ(near->heard, "");
  far->send("one");
  run();
  EXPECT_EQ(near->heard, "r");
  run();
  EXPECT_EQ(near->heard, "r");
  EXPECT_EQ(near->drain(), "one");
}

TEST_F(ReadinessTest, WhatIsLeftUnreadIsToldAgain) {
  auto [near, far] = pair();
  far->send("one");
  readiness->await_readable(*near);
  run();
  readiness->await_readable(*near);
  run();
  EXPECT_EQ(near->heard, "rr");
}

TEST_F(ReadinessTest, BytesThatNobodyWaitsForCostNothingAndAreToldToWhoComesLater) {
  auto [near, far] = pair();
  auto [other, sender] = pair();
  readiness->await_readable(*near);
  readiness->await_readable(*other);
  far->send("one");
  run();
  EXPECT_EQ(near->heard, "r");
  // Unread, unawaited: the loop comes to rest although `other` keeps it alive.
  EXPECT_LE(run() + run(), 2U);
  EXPECT_EQ(run(), 0U);
  readiness->await_readable(*near);
  run();
  EXPECT_EQ(near->heard, "rr");
}

TEST_F(ReadinessTest, TheEndOfTheOtherSideIsTold) {
  auto [near, far] = pair();
  readiness->await_readable(*near);
  far.reset();
  run();
  EXPECT_EQ(near->heard, "r");
  EXPECT_EQ(near->drain(), "");
  // A hang-up is reported by epoll whether asked for or not.
  auto [other, sender] = pair();
  readiness->await_readable(*other);
  run();
  EXPECT_EQ(run(), 0U);
}

TEST_F(ReadinessTest, BothDirectionsAreWaitedForOnTheirOwn) {
  auto [near, far] = pair();
  const std::string much(1 << 16, 'x');
  while (::send(near->fd, much.data(), much.size(), MSG_DONTWAIT) > 0) {
  }
  readiness->await_writable(*near);
  readiness->await_readable(*near);
  run();
  EXPECT_EQ(near->heard, "");
  while (!far->drain().empty()) {
  }
  run();
  EXPECT_EQ(near->heard, "w");
  EXPECT_LE(run(), 1U);
  EXPECT_EQ(run(), 0U);  // it stays writable and nobody cares
  far->send("one");
  run();
  EXPECT_EQ(near->heard, "wr");
}

TEST_F(ReadinessTest, WhoeverIsAnsweredMayDestroyItselfAndOthersOfTheSameTurn) {
  std::vector<Pair> pairs;
  for (int i = 0; i < 8; ++i) pairs.push_back(pair());
  std::size_t told = 0;
  for (auto& [near, far] : pairs) {
    far->send("one");
    near->on_readable = [&pairs, &told] {
      ++told;
      auto going = std::move(pairs);
      pairs.clear();
      // The function runs still: it goes with its owner after this.
    };
    readiness->await_readable(*near);
  }
  run();
  EXPECT_EQ(told, 1U);
  EXPECT_TRUE(pairs.empty());
}

TEST_F(ReadinessTest, AWaitKeepsTheLoopAliveAndNothingElseDoes) {
  auto [near, far] = pair();
  EXPECT_EQ(run(), 0U);
  EXPECT_TRUE(io.stopped());
  readiness->await_readable(*near);
  run();
  EXPECT_FALSE(io.stopped());
  near.reset();
  run();
  EXPECT_TRUE(io.stopped());
}

TEST_F(ReadinessTest, ItsEndTellsThoseWhoAreThere) {
  auto [near, far] = pair();
  readiness->await_readable(*near);
  readiness.reset();
  EXPECT_EQ(near->heard, "a");
  EXPECT_EQ(far->heard, "a");
}

}  // namespace
}  // namespace fedgate
