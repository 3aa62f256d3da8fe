// SPDX-License-Identifier: Apache-2.0
//
// Names of things. Each is a type of its own, so that a principal cannot be passed where a node is
// wanted, and each can only be made by parse(), so that a value of the type is known to be well-formed.
// Plain values, any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "fedgate/clock.h"
#include "fedgate/result.h"

namespace fedgate {

template <class Tag>
class Name {
 public:
  Name() = default;
  /// Checks the form that Tag demands; the error names the value (shortened) and the rule it breaks.
  static Result<Name> parse(std::string_view text) {
    if (auto problem = Tag::problem(text); !problem.empty()) return fail(Code::bad_request, std::move(problem));
    return Name(std::string(text));
  }
  [[nodiscard]] const std::string& str() const { return text_; }
  [[nodiscard]] std::string_view view() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  friend auto operator<=>(const Name&, const Name&) = default;
  friend bool operator==(const Name&, const Name&) = default;

 private:
  explicit Name(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// problem() answers "" for a well-formed text, else a sentence for the error's detail.
struct NodeTag {
  static std::string problem(std::string_view);
};
struct DomainTag {
  static std::string problem(std::string_view);
};
struct PrincipalTag {
  static std::string problem(std::string_view);
};
struct ResourceTag {
  static std::string problem(std::string_view);
};
struct CapabilityTag {
  static std::string problem(std::string_view);
};

/// One organisation's gateway: a DNS name in lower-case A-labels (RFC 1123), at most 253 bytes, two labels or more.
using NodeId = Name<NodeTag>;
/// A principal domain: same form as NodeId.
using Domain = Name<DomainTag>;
/// `local@domain`; local: 1 to 64 of [A-Za-z0-9._+-], domain as above.
using PrincipalId = Name<PrincipalTag>;
/// 1 to 256 of [A-Za-z0-9._~:/@-]; a plain word or a URI such as `mcp://orgb.example/inventory`.
using ResourceId = Name<ResourceTag>;
/// 1 to 128 of [A-Za-z0-9._~:/-].
using CapabilityId = Name<CapabilityTag>;

/// The part of a principal after the '@'.
[[nodiscard]] std::string_view domain_of(const PrincipalId& principal);

/// UUIDv7 (RFC 9562 section 5.7): made by the origin, the key under which both sides find a call again.
class CorrelationId {
 public:
  using Bytes = std::array<std::uint8_t, 16>;
  CorrelationId() = default;
  explicit CorrelationId(Bytes bytes) : bytes_(bytes) {}
  /// `time` gives the leading 48 bits (milliseconds), `entropy` the 74 random ones.
  static CorrelationId make(WallTime time, std::array<std::uint8_t, 10> entropy);
  /// Accepts only the canonical lower-case form of a version 7, variant 10 UUID.
  static Result<CorrelationId> parse(std::string_view text);
  [[nodiscard]] std::string str() const;
  [[nodiscard]] WallTime time() const;
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }
  friend auto operator<=>(const CorrelationId&, const CorrelationId&) = default;

 private:
  Bytes bytes_{};
};

/// SHA-256 of something: a leaf, a certificate, a public key.
using Sha256 = std::array<std::uint8_t, 32>;

}  // namespace fedgate

template <class Tag>
struct std::hash<fedgate::Name<Tag>> {
  std::size_t operator()(const fedgate::Name<Tag>& name) const noexcept { return std::hash<std::string>{}(name.str()); }
};
template <>
struct std::hash<fedgate::CorrelationId> {
  std::size_t operator()(const fedgate::CorrelationId& id) const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(id.bytes().data()), id.bytes().size()});
  }
};
