// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace fedgate {

namespace {

struct Free {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

void demand(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("OpenSSL cannot compute ") + what);
}

// Fetched once and kept for the life of the process: a fetch costs more than the digest of a small text.
const EVP_MD* sha256_method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  demand(method != nullptr, "SHA-256");
  return method;
}

EVP_MAC_CTX* new_hmac_context() {
  static EVP_MAC* const method = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  demand(method != nullptr, "HMAC");
  EVP_MAC_CTX* const context = EVP_MAC_CTX_new(method);
  char digest[] = "SHA256";
  const std::array params{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                          OSSL_PARAM_construct_end()};
  demand(context != nullptr && EVP_MAC_CTX_set_params(context, params.data()) == 1, "HMAC-SHA-256");
  return context;
}

const std::uint8_t* bytes_of(std::string_view text) {
  static constexpr std::uint8_t nothing = 0;
  return text.empty() ? &nothing : reinterpret_cast<const std::uint8_t*>(text.data());
}

constexpr std::uint32_t castagnoli = 0x82F63B78U;

constexpr auto crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? castagnoli : 0U);
    table[i] = crc;
  }
  return table;
}();

std::uint32_t crc_portable(std::uint32_t crc, const std::uint8_t* data, std::size_t size) {
  for (; size > 0; --size) crc = (crc >> 8) ^ crc_table[(crc ^ *data++) & 0xFFU];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc_sse42(std::uint32_t crc, const std::uint8_t* data,
                                                          std::size_t size) {
  std::uint64_t wide = crc;
  for (; size >= sizeof(std::uint64_t); size -= sizeof(std::uint64_t), data += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, data, sizeof word);
    wide = _mm_crc32_u64(wide, word);
  }
  auto narrow = static_cast<std::uint32_t>(wide);
  for (; size > 0; --size) narrow = _mm_crc32_u8(narrow, *data++);
  return narrow;
}
#endif

using Crc = std::uint32_t (*)(std::uint32_t, const std::uint8_t*, std::size_t);

Crc best_crc() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2") != 0) return crc_sse42;
#endif
  return crc_portable;
}

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view base64url_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

using Reverse = std::array<std::int8_t, 256>;
constexpr Reverse reverse_of(std::string_view digits) {
  Reverse reverse{};
  reverse.fill(-1);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    reverse[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
  }
  return reverse;
}
constexpr Reverse base64_values = reverse_of(base64_digits);
constexpr Reverse base64url_values = reverse_of(base64url_digits);

std::string encode64(std::string_view bytes, std::string_view digits) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t gathered = 0;
  int bits = 0;
  for (const char c : bytes) {
    gathered = gathered << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6) out += digits[(gathered >> (bits - 6)) & 0x3FU];
  }
  if (bits > 0) out += digits[(gathered << (6 - bits)) & 0x3FU];
  return out;
}

// `text` without padding. One text for one value: bits left over must be zero.
Result<std::string> decode64(std::string_view text, const Reverse& values) {
  if (text.size() % 4 == 1) return fail(Code::bad_request, "base64 text is cut short");
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t gathered = 0;
  int bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int value = values[static_cast<unsigned char>(text[i])];
    if (value < 0) return fail(Code::bad_request, "base64 text has a foreign character at byte " + std::to_string(i));
    gathered = gathered << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>((gathered >> bits) & 0xFFU);
    }
  }
  if ((gathered & ((1U << bits) - 1U)) != 0) return fail(Code::bad_request, "base64 text does not end on a whole byte");
  return out;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Sha256 sha256(std::string_view data) {
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  Sha256 out{};
  demand(context != nullptr && EVP_DigestInit_ex2(context.get(), sha256_method(), nullptr) == 1 &&
             EVP_DigestUpdate(context.get(), data.data(), data.size()) == 1 &&
             EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1,
         "SHA-256");
  return out;
}

Sha256 hmac_sha256(std::string_view key, std::string_view data) {
  thread_local const std::unique_ptr<EVP_MAC_CTX, Free> context(new_hmac_context());
  Sha256 out{};
  std::size_t size = 0;
  demand(EVP_MAC_init(context.get(), bytes_of(key), key.size(), nullptr) == 1 &&
             EVP_MAC_update(context.get(), bytes_of(data), data.size()) == 1 &&
             EVP_MAC_final(context.get(), out.data(), &size, out.size()) == 1 && size == out.size(),
         "HMAC-SHA-256");
  return out;
}

std::uint32_t crc32c(std::string_view data, std::uint32_t seed) {
  static const Crc crc = best_crc();
  return ~crc(~seed, bytes_of(data), data.size());
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    out += hex_digits[byte >> 4];
    out += hex_digits[byte & 0x0F];
  }
  return out;
}

Result<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return fail(Code::bad_request, "hexadecimal text has an odd number of digits");
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return fail(Code::bad_request, "text is not hexadecimal at byte " + std::to_string(i));
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

std::string to_base64(std::string_view bytes) {
  std::string out = encode64(bytes, base64_digits);
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

std::string to_base64url(std::string_view bytes) { return encode64(bytes, base64url_digits); }

Result<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return fail(Code::bad_request, "base64 text is not padded to a multiple of four");
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return decode64(text, base64_values);
}

Result<std::string> from_base64url(std::string_view text) { return decode64(text, base64url_values); }

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Result<Sha256> sha256_from_hex(std::string_view text) {
  Sha256 out{};
  const auto bytes = from_hex(text);
  if (!bytes) return fail(bytes.error().in("SHA-256"));
  if (bytes->size() != out.size())
    return fail(Code::bad_request, "SHA-256: 64 hexadecimal digits are wanted, not " + std::to_string(text.size()));
  std::memcpy(out.data(), bytes->data(), out.size());
  return out;
}

}  // namespace fedgate
