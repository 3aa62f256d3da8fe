// SPDX-License-Identifier: Apache-2.0
//
// Digests and their texts, over OpenSSL; CRC-32C for the journal. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "fedgate/id.h"
#include "fedgate/result.h"

namespace fedgate {

Sha256 sha256(std::string_view data);
/// RFC 2104 with SHA-256.
Sha256 hmac_sha256(std::string_view key, std::string_view data);
/// Castagnoli polynomial (RFC 3720 appendix B.4), SSE 4.2 where the processor has it.
std::uint32_t crc32c(std::string_view data, std::uint32_t seed = 0);

std::string to_hex(std::span<const std::uint8_t> bytes);
Result<std::string> from_hex(std::string_view text);
/// RFC 4648 section 4, padded; section 5, unpadded.
std::string to_base64(std::string_view bytes);
std::string to_base64url(std::string_view bytes);
Result<std::string> from_base64(std::string_view text);
Result<std::string> from_base64url(std::string_view text);
/// Does not stop at the first difference.
bool equal_constant_time(std::string_view a, std::string_view b);
Result<Sha256> sha256_from_hex(std::string_view text);

}  // namespace fedgate
