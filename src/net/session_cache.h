// SPDX-License-Identifier: Apache-2.0
//
// TLS sessions kept on our side, bounded, the least recently used dropped first. OpenSSL's own cache cannot be
// searched safely while other threads use it, and a revocation must find the sessions of one node. Any thread.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace fedgate::net {

class SessionCache {
 public:
  explicit SessionCache(std::size_t most) : most_(most) {}

  static std::string id_of(const SSL_SESSION* session) {
    unsigned size = 0;
    const unsigned char* id = SSL_SESSION_get_id(session, &size);
    return {reinterpret_cast<const char*>(id), size};
  }

  /// Takes over one reference to `session`; replaces what stood under `key`.
  void put(std::string key, SSL_SESSION* session, std::string node) {
    Handle owned(session);
    const std::lock_guard lock(mutex_);
    erase(key);
    if (most_ == 0) return;
    if (entries_.size() >= most_) {
      by_key_.erase(entries_.back().key);
      entries_.pop_back();
    }
    entries_.push_front({std::move(key), std::move(node), std::move(owned)});
    by_key_[entries_.front().key] = entries_.begin();
  }

  /// A reference of the caller's own, or null.
  SSL_SESSION* get(std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    SSL_SESSION* session = entries_.front().session.get();
    SSL_SESSION_up_ref(session);
    return session;
  }

  void drop(std::string_view key) {
    const std::lock_guard lock(mutex_);
    erase(key);
  }

  /// Of one node; of all where `node` is empty.
  void forget(std::string_view node) {
    const std::lock_guard lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end();) {
      if (!node.empty() && it->node != node) {
        ++it;
        continue;
      }
      by_key_.erase(it->key);
      it = entries_.erase(it);
    }
  }

 private:
  struct Free {
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  };
  using Handle = std::unique_ptr<SSL_SESSION, Free>;
  struct Entry {
    std::string key;
    std::string node;
    Handle session;
  };

  void erase(std::string_view key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    const auto entry = found->second;
    by_key_.erase(found);
    entries_.erase(entry);
  }

  std::size_t most_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // newest first; the keys of by_key_ point into it
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
};

}  // namespace fedgate::net
