// SPDX-License-Identifier: Apache-2.0
//
// Logs made by hand, for tests of those who read them: leaves, signed checkpoints, cosignatures and exports, written
// from the specifications and by no code of the product. The tree is the definition of RFC 6962 section 2.1, recursive
// and slow.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <bit>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/hash.h"
#include "fedgate/checkpoint.h"

namespace fedgate::test {

class NoteKey {
 public:
  enum class Type : std::uint8_t { log = 1, witness = 4 };
  NoteKey(std::string name, Type type, char seed) : name_(std::move(name)), type_(type), seed_(32, seed) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string vkey() const {
    return name_ + "+" + to_hex({reinterpret_cast<const std::uint8_t*>(id().data()), 4}) + "+" + to_base64(typed_key());
  }
  /// The signature line over a note's text; a witness states this time.
  [[nodiscard]] std::string line(const std::string& text, std::uint64_t seconds = 0) const {
    std::string stated, message = text;
    if (type_ == Type::witness) {
      for (int shift = 56; shift >= 0; shift -= 8) stated += static_cast<char>(seconds >> shift);
      message = "cosignature/v1\ntime " + std::to_string(seconds) + "\n" + text;
    }
    return "\xE2\x80\x94 " + name_ + " " + to_base64(id() + stated + sign(message)) + "\n";
  }

 private:
  [[nodiscard]] EVP_PKEY* pair() const {
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(seed_.data()),
                                        seed_.size());
  }
  [[nodiscard]] std::string typed_key() const {
    EVP_PKEY* key = pair();
    std::string bytes(33, static_cast<char>(type_));
    std::size_t size = 32;
    EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(bytes.data()) + 1, &size);
    EVP_PKEY_free(key);
    return bytes;
  }
  [[nodiscard]] std::string id() const {
    const auto hash = sha256(name_ + "\n" + typed_key());
    return {reinterpret_cast<const char*>(hash.data()), 4};
  }
  [[nodiscard]] std::string sign(const std::string& message) const {
    EVP_PKEY* key = pair();
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    std::string signature(64, '\0');
    std::size_t size = 64;
    const bool done = EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key) == 1 &&
                      EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                                     reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    if (!done) throw std::runtime_error("Ed25519 does not sign");
    return signature;
  }

  std::string name_;
  Type type_;
  std::string seed_;
};

inline Sha256 plain_leaf_hash(const std::string& leaf) { return sha256(std::string(1, '\0') + leaf); }

/// MTH of RFC 6962 section 2.1.
inline Sha256 plain_root(std::span<const std::string> leaves) {
  if (leaves.empty()) return sha256("");
  if (leaves.size() == 1) return plain_leaf_hash(leaves[0]);
  const auto left = plain_root(leaves.first(std::bit_floor(leaves.size() - 1)));
  const auto right = plain_root(leaves.subspan(std::bit_floor(leaves.size() - 1)));
  std::string both(1, '\1');
  both.append(reinterpret_cast<const char*>(left.data()), 32).append(reinterpret_cast<const char*>(right.data()), 32);
  return sha256(both);
}

inline std::string bytes_text(const Sha256& hash) { return {reinterpret_cast<const char*>(hash.data()), hash.size()}; }

inline std::string head_text(const std::string& origin, std::span<const std::string> leaves) {
  return origin + "\n" + std::to_string(leaves.size()) + "\n" + to_base64(bytes_text(plain_root(leaves))) + "\n";
}

/// Leaves of one log, as a gateway would write them (nlohmann's order of keys is that of RFC 8785 for these).
class LogWriter {
 public:
  explicit LogWriter(std::string name) : name_(std::move(name)) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  std::vector<std::string> leaves;

  /// A call from `origin` to `target`: one record of it. Each `call` is another correlation id.
  std::string& add(const std::string& phase, unsigned call, const nlohmann::json& more = nlohmann::json::object()) {
    nlohmann::json leaf{{"action", "invoke"},
                        {"correlation_id", correlation_id(call)},
                        {"event", "cross_org_request"},
                        {"index", leaves.size()},
                        {"log", name_},
                        {"nonce", std::string(32, 'a')},
                        {"origin", "orga.example"},
                        {"phase", phase},
                        {"principal", "alice@orga.example"},
                        {"resource", "inventory"},
                        {"target", "orgb.example"},
                        {"time", time_text(leaves.size())},
                        {"v", 1}};
    if (phase == "intent") leaf["access"] = "write";
    if (phase == "outcome") leaf["access"] = "read", leaf["outcome"] = "succeeded";
    leaf.update(more);
    return leaves.emplace_back(leaf.dump());
  }
  /// So many answered reads.
  void add_reads(unsigned count) {
    for (unsigned i = 0; i < count; ++i) add("outcome", 1000 + static_cast<unsigned>(leaves.size()));
  }

  [[nodiscard]] std::string text(std::size_t size) const {
    return head_text(name_, std::span<const std::string>(leaves).first(size));
  }
  [[nodiscard]] std::string note(std::size_t size, const NoteKey& key) const {
    return text(size) + "\n" + key.line(text(size));
  }
  [[nodiscard]] std::string cosigned(std::size_t size, const NoteKey& key, const NoteKey& witness,
                                     std::uint64_t seconds) const {
    return note(size, key) + witness.line(text(size), seconds);
  }

  static std::string correlation_id(unsigned call) {
    std::string digits = std::to_string(call);
    return "018f0000-0000-7000-8000-" + std::string(12 - digits.size(), '0') + digits;
  }
  /// One second for each leaf, from 2026-11-20T09:00:00 on.
  static std::string time_text(std::size_t index) {
    const auto two = [](std::size_t value) { return (value < 10 ? "0" : "") + std::to_string(value); };
    return "2026-11-20T" + two(9 + index / 3600) + ":" + two(index / 60 % 60) + ":" + two(index % 60) + ".000000Z";
  }
  static constexpr std::uint64_t first_second = 1795165200;  // 2026-11-20T09:00:00Z

 private:
  std::string name_;
};

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  if (!out.flush()) throw std::runtime_error("cannot write " + path);
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// product.md's `tlog DIR`. Those before `pruned` as hashes only.
inline void write_export(const std::string& directory, std::span<const std::string> leaves,
                         const std::string& checkpoint, std::span<const std::string> vkeys, std::size_t pruned = 0) {
  std::filesystem::create_directories(directory);
  std::string lines, keys;
  for (std::size_t i = 0; i < leaves.size(); ++i)
    lines += (i < pruned ? "-" + to_base64(bytes_text(plain_leaf_hash(leaves[i]))) : to_base64(leaves[i])) + "\n";
  for (const auto& vkey : vkeys) keys += vkey + "\n";
  write_file(directory + "/leaves", lines);
  write_file(directory + "/checkpoint", checkpoint);
  write_file(directory + "/vkeys", keys);
}

}  // namespace fedgate::test
