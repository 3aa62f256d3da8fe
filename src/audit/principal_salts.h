// SPDX-License-Identifier: Apache-2.0
//
// A random salt for each principal, kept in one file beside the journal and nowhere else. With `audit.principals:
// hashed` a leaf holds, instead of a person's name, HMAC-SHA256(salt, name) and the domain; and the nonce under which a
// call's content is hashed comes from the caller's salt as well. Whoever has the salt can find and show what a person
// did; erasing it makes all of that unreadable for good, and no leaf, hash or proof changes (protocol.md section 5).
// Any thread; a new salt is on stable storage before the first leaf that needs it (flush()).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/entropy.h"
#include "fedgate/audit_event.h"
#include "fedgate/id.h"
#include "fedgate/result.h"

namespace fedgate::audit {

/// How people stand in leaves.
enum class Principals : std::uint8_t { clear, hashed };

class PrincipalSalts {
 public:
  static constexpr std::size_t most = 1'000'000;  ///< principals; beyond them a name's salt is not kept

  /// Reads the file (mode 0600) or begins with none; a torn last line is cut. Code::io_error, naming file and line.
  static Result<std::unique_ptr<PrincipalSalts>> open(std::string file, const Entropy& entropy);
  ~PrincipalSalts();
  PrincipalSalts(const PrincipalSalts&) = delete;
  PrincipalSalts& operator=(const PrincipalSalts&) = delete;

  /// What stands for this name in a leaf: `hmac:`, the first 128 bits as 32 hex digits, `@` and the domain. What is
  /// such a text already stays.
  [[nodiscard]] std::string pseudonym(std::string_view principal);
  /// The event as it may be recorded: principal and actor, where they are people (`local@domain`), and their
  /// mention in the reason.
  [[nodiscard]] AuditEvent veiled(AuditEvent event);
  /// For a call by this principal: 16 bytes, the same for the same call as long as the salt is there.
  [[nodiscard]] std::string call_nonce(std::string_view principal, const CorrelationId& call, std::uint32_t attempt);

  // Without making a salt where there is none.
  [[nodiscard]] std::optional<std::string> known_pseudonym(std::string_view principal) const;
  [[nodiscard]] std::optional<std::string> principal_of(std::string_view pseudonym) const;

  /// Makes new salts durable; at once where there are none. The journal's writer calls it before it writes leaves.
  Result<void> flush();
  /// Whether there was one. Durable when it returns; a later call by the same principal begins with another salt.
  Result<bool> erase(std::string_view principal);

 private:
  using Salt = std::array<std::uint8_t, 32>;
  struct Entry {
    Salt salt{};
    std::string pseudonym;
  };
  PrincipalSalts(std::string file, const Entropy& entropy) : file_(std::move(file)), entropy_(entropy) {}
  Result<void> load();
  Entry entry(std::string_view principal);
  Result<void> append(std::string_view lines);
  [[nodiscard]] static std::string line(std::string_view principal, const Salt& salt);

  std::string file_;
  const Entropy& entropy_;
  std::mutex writing_;  // one write of the file at a time; taken before mutex_
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
  std::unordered_map<std::string, std::string> names_;  // by pseudonym
  std::string unwritten_;                               // lines
};

}  // namespace fedgate::audit
