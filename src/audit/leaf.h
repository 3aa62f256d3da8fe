// SPDX-License-Identifier: Apache-2.0
//
// The form of one record of the audit log: JCS (RFC 8785), at most 4 KiB, stored verbatim (protocol.md
// section 5). The leaf hash is RFC 6962's: SHA-256(0x00 ‖ leaf). Pure functions, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "fedgate/audit_event.h"
#include "fedgate/result.h"
#include "store/store.h"

namespace fedgate::audit {

inline constexpr std::size_t leaf_max_bytes = 4096;
inline constexpr int leaf_version = 1;
inline constexpr std::size_t log_name_max_bytes = 320;

/// A leaf but for its index, which is known only when it is queued: everything before and after it. (In JCS
/// order "index" stands between keys whose values are known earlier.)
struct LeafDraft {
  std::string before_index;
  std::string after_index;
};
/// Texts are cut to what fits (never in the middle of a UTF-8 sequence); controls and bidi controls in them are
/// replaced, so that a leaf can be shown on a terminal. `nonce`: 16 random bytes.
LeafDraft draft_leaf(const AuditEvent& event, std::string_view log, const std::array<std::uint8_t, 16>& nonce);
void append_leaf(std::string& out, const LeafDraft& draft, std::uint64_t index);

Sha256 leaf_hash(std::string_view leaf);

/// protocol.md section 5: HMAC-SHA256(call_nonce, JCS{correlation_id, attempt, origin, target, principal, actor,
/// resource, capability, arguments}), hex. `arguments_jcs` is canonical already.
std::string call_hash(std::string_view call_nonce, const Invocation& invocation, std::string_view arguments_jcs);

/// What the shipper writes to the database for a leaf. Code::internal for a leaf that is not ours to read.
Result<store::AuditRow> row_of(std::string_view leaf);
/// The event a leaf was made from, as far as the leaf holds it. Code::internal as above.
Result<AuditEvent> event_of(std::string_view leaf);

}  // namespace fedgate::audit
