// SPDX-License-Identifier: Apache-2.0
//
// Bytes that were read and not yet parsed: one flat piece of memory a connection, reused from message to
// message, growing up to a bound. Belongs to one connection.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace fedgate::net {

class InputBuffer {
 public:
  explicit InputBuffer(std::size_t most) : most_(std::max(most, first_)) {}

  [[nodiscard]] std::string_view bytes() const { return {data_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  void consume(std::size_t n) {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  /// Where the next bytes may go: never empty unless `most` bytes are waiting.
  std::span<char> room() {
    if (end_ == size_) make_room();
    return {data_.get() + end_, size_ - end_};
  }
  void added(std::size_t n) { end_ += n; }
  /// What a large message made it grow to is given back.
  void shrink() {
    if (!empty() || size_ <= 4 * first_) return;
    data_.reset();
    size_ = 0;
  }

 private:
  void make_room() {
    if (begin_ > 0) {
      std::memmove(data_.get(), data_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
      if (end_ <= size_ / 2) return;
    }
    const std::size_t larger = size_ == 0 ? first_ : std::min(size_ * 2, most_);
    if (larger <= size_) return;
    auto grown = std::make_unique_for_overwrite<char[]>(larger);
    if (end_ > 0) std::memcpy(grown.get(), data_.get(), end_);
    data_ = std::move(grown);
    size_ = larger;
  }

  static constexpr std::size_t first_ = 4096;
  std::size_t most_;
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace fedgate::net
