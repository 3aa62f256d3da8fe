// SPDX-License-Identifier: Apache-2.0
#include "wire/signed_note.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>

#include "base/hash.h"
#include "base/utf8.h"

namespace fedgate::wire {

namespace {

constexpr std::string_view dash = "\xE2\x80\x94 ";  // U+2014, space
constexpr std::size_t longest_name = 512;
constexpr std::size_t most_signature_bytes = 8 * std::size_t{1024};  // post-quantum ones pass through us
constexpr std::size_t ed25519_bytes = 64;
constexpr std::size_t time_bytes = 8;
constexpr std::uint64_t last_time = 1ULL << 40;  // seconds

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype([](EVP_PKEY* key) { EVP_PKEY_free(key); })>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, decltype([](EVP_MD_CTX* context) { EVP_MD_CTX_free(context); })>;

/// OpenSSL's error queue is shared with the TLS code of the same thread.
struct QuietErrors {
  QuietErrors() { ERR_set_mark(); }
  ~QuietErrors() { ERR_pop_to_mark(); }
};

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

template <class Integer>
std::string big_endian(Integer value) {
  std::string bytes(sizeof(Integer), '\0');
  for (std::size_t i = bytes.size(); i-- > 0; value = static_cast<Integer>(value >> 8U))
    bytes[i] = static_cast<char>(value & 0xFFU);
  return bytes;
}

template <class Integer>
Integer from_big_endian(std::string_view bytes) {
  Integer value = 0;
  for (const char c : bytes.substr(0, sizeof(Integer)))
    value = static_cast<Integer>((value << 8U) | static_cast<unsigned char>(c));
  return value;
}

/// signed-note: not empty, no space of Unicode, no plus sign.
bool is_key_name(std::string_view name) {
  if (name.empty() || name.size() > longest_name) return false;
  for (std::size_t at = 0; at < name.size();) {
    const auto c = static_cast<unsigned char>(name[at]);
    if (c <= 0x20 || c == 0x7F || c == '+') return false;
    const auto length = utf8_length(name, at);
    if (length == 0) return false;
    const auto one = name.substr(at, length);
    // U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000
    if (one == "\xC2\x85" || one == "\xC2\xA0" || one == "\xE1\x9A\x80" || one == "\xE2\x81\x9F" ||
        one == "\xE3\x80\x80" || one == "\xE2\x80\xA8" || one == "\xE2\x80\xA9" || one == "\xE2\x80\xAF" ||
        (one >= "\xE2\x80\x80" && one <= "\xE2\x80\x8A"))
      return false;
    at += length;
  }
  return true;
}

/// No control character but the line feed, and UTF-8.
bool is_note_text(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x20 && c != '\n') return false;
    const auto length = utf8_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string key_bytes(const VerifierKey& key) {
  std::string bytes(1, static_cast<char>(key.algorithm));
  bytes.append(key.public_key.begin(), key.public_key.end());
  return bytes;
}

/// What a cosignature is over (tlog-cosignature).
std::string cosigned_text(std::string_view text, std::uint64_t seconds) {
  return "cosignature/v1\ntime " + std::to_string(seconds) + "\n" + std::string(text);
}

bool verifies(const VerifierKey& key, std::string_view message, std::string_view signature) {
  const QuietErrors quiet;
  const KeyPtr made(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.public_key.data(), key.public_key.size()));
  const DigestPtr context(EVP_MD_CTX_new());
  return made && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, made.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) == 1;
}

std::string signature_of(std::span<const std::uint8_t, 32> seed, std::string_view message) {
  const QuietErrors quiet;
  const KeyPtr made(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  const DigestPtr context(EVP_MD_CTX_new());
  std::string signature(ed25519_bytes, '\0');
  std::size_t size = signature.size();
  const bool ok = made && context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, made.get()) == 1 &&
                  EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                                 bytes_of(message), message.size()) == 1;
  if (!ok || size != ed25519_bytes) std::abort();  // only without memory
  return signature;
}

/// Digits without a leading zero.
std::optional<std::uint64_t> decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  if ((text.size() > 1 && text.front() == '0') || text.front() < '0' || text.front() > '9') return std::nullopt;
  return value;
}

/// The line at the front, without its LF, taken off `rest`; nothing where no LF is left.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return line;
}

std::unexpected<Error> malformed(std::string_view what) {
  return fail(Code::bad_request, "signed note: " + std::string(what));
}

Result<NoteSignature> parse_signature(std::string_view line) {
  if (!line.starts_with(dash)) return malformed("a signature line begins with a dash (U+2014) and a space");
  line.remove_prefix(dash.size());
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return malformed("a signature line holds a name and a signature");
  const auto name = line.substr(0, space);
  if (!is_key_name(name)) return malformed("a key's name has no spaces and no plus sign, and 1 to 512 bytes");
  const auto text = line.substr(space + 1);
  if (text.size() > most_signature_bytes) return malformed("a signature is too long");
  const auto bytes = from_base64(text);
  if (!bytes || to_base64(*bytes) != text) return malformed("a signature is not base64");
  if (bytes->size() <= sizeof(std::uint32_t)) return malformed("a signature is too short");
  return NoteSignature{std::string(name), from_big_endian<std::uint32_t>(*bytes), bytes->substr(sizeof(std::uint32_t))};
}

}  // namespace

std::uint32_t VerifierKey::id() const {
  const auto digest = sha256(name + '\n' + key_bytes(*this));
  return from_big_endian<std::uint32_t>({reinterpret_cast<const char*>(digest.data()), sizeof(std::uint32_t)});
}

std::string VerifierKey::text() const {
  const auto hash = big_endian(id());
  return name + '+' + to_hex({bytes_of(hash), hash.size()}) + '+' + to_base64(key_bytes(*this));
}

Result<VerifierKey> parse_vkey(std::string_view text) {
  const auto first = text.find('+');
  const auto second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos)
    return fail(Code::bad_request, "a verifier key has the form NAME+HASH+KEY, in base64");
  VerifierKey key;
  key.name = text.substr(0, first);
  if (!is_key_name(key.name)) return fail(Code::bad_request, "a verifier key's name has no spaces and 1 to 512 bytes");
  const auto bytes = from_base64(text.substr(second + 1));
  if (!bytes || bytes->empty()) return fail(Code::bad_request, "a verifier key's last part is base64");
  key.algorithm = static_cast<NoteAlgorithm>(bytes->front());
  if (key.algorithm != NoteAlgorithm::ed25519 && key.algorithm != NoteAlgorithm::cosignature_v1)
    return fail(Code::bad_request, "verifier key " + key.name.substr(0, 80) + ": its algorithm is not known here");
  if (bytes->size() != 1 + key.public_key.size())
    return fail(Code::bad_request, "verifier key " + key.name.substr(0, 80) + ": an Ed25519 key has 32 bytes");
  std::copy(bytes->begin() + 1, bytes->end(), key.public_key.begin());
  // One spelling each: otherwise two texts would be one key.
  if (key.text() != text)
    return fail(Code::bad_request, "verifier key " + key.name.substr(0, 80) + ": its hash does not match");
  return key;
}

Result<Note> parse_note(std::string_view note) {
  if (note.size() > note_max_bytes) return malformed("longer than " + std::to_string(note_max_bytes) + " bytes");
  if (!is_note_text(note)) return malformed("it holds control characters or is not UTF-8");
  // The last blank line: the text may hold others.
  const auto split = note.rfind("\n\n");
  if (split == std::string_view::npos) return malformed("a blank line stands between the text and its signatures");
  Note parsed;
  parsed.text = note.substr(0, split + 1);
  auto rest = note.substr(split + 2);
  if (rest.empty()) return malformed("there is no signature");
  while (!rest.empty()) {
    const auto line = take_line(rest);
    if (!line) return malformed("the last line has no end");
    if (parsed.signatures.size() == note_max_signatures)
      return malformed("more than " + std::to_string(note_max_signatures) + " signatures");
    auto signature = parse_signature(*line);
    if (!signature) return fail(signature.error());
    parsed.signatures.push_back(std::move(*signature));
  }
  return parsed;
}

std::optional<Signed> signed_by(const Note& note, const VerifierKey& key) {
  const auto id = key.id();
  for (const auto& one : note.signatures) {
    if (one.key_id != id || one.name != key.name) continue;
    const std::string_view bytes = one.bytes;
    if (key.algorithm == NoteAlgorithm::ed25519) {
      if (bytes.size() == ed25519_bytes && verifies(key, note.text, bytes)) return Signed{};
    } else if (bytes.size() == time_bytes + ed25519_bytes) {
      const auto seconds = from_big_endian<std::uint64_t>(bytes);
      if (seconds < last_time && verifies(key, cosigned_text(note.text, seconds), bytes.substr(time_bytes)))
        return Signed{WallTime(std::chrono::seconds(seconds))};
    }
  }
  return std::nullopt;
}

NoteSigner::NoteSigner(std::string name, NoteAlgorithm algorithm, std::span<const std::uint8_t, 32> seed) {
  std::ranges::copy(seed, seed_.begin());
  vkey_.name = std::move(name);
  vkey_.algorithm = algorithm;
  const QuietErrors quiet;
  const KeyPtr made(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  std::size_t size = vkey_.public_key.size();
  if (!made || EVP_PKEY_get_raw_public_key(made.get(), vkey_.public_key.data(), &size) != 1) std::abort();
}

NoteSigner::NoteSigner(NoteSigner&& other) noexcept : vkey_(std::move(other.vkey_)), seed_(other.seed_) {
  OPENSSL_cleanse(other.seed_.data(), other.seed_.size());
}

NoteSigner& NoteSigner::operator=(NoteSigner&& other) noexcept {
  if (this == &other) return *this;
  vkey_ = std::move(other.vkey_);
  seed_ = other.seed_;
  OPENSSL_cleanse(other.seed_.data(), other.seed_.size());
  return *this;
}

NoteSigner::~NoteSigner() { OPENSSL_cleanse(seed_.data(), seed_.size()); }

std::string NoteSigner::sign(std::string_view text, WallTime time) const {
  std::string bytes = big_endian(vkey_.id());
  if (vkey_.algorithm == NoteAlgorithm::ed25519) {
    bytes += signature_of(seed_, text);
  } else {
    const auto since = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
    const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(since, 0));
    bytes += big_endian(seconds) + signature_of(seed_, cosigned_text(text, seconds));
  }
  return std::string(dash) + vkey_.name + ' ' + to_base64(bytes) + '\n';
}

std::string checkpoint_text(std::string_view origin, const TreeHead& head) {
  return std::string(origin) + '\n' + std::to_string(head.size) + '\n' +
         to_base64({reinterpret_cast<const char*>(head.root.data()), head.root.size()}) + '\n';
}

Result<Checkpoint> parse_checkpoint(std::string_view note) {
  const auto parsed = parse_note(note);
  if (!parsed) return fail(parsed.error());
  std::string_view rest = parsed->text;
  const auto origin = take_line(rest);
  const auto size_line = take_line(rest);
  const auto root_line = take_line(rest);
  if (!origin || origin->empty() || !size_line || !root_line)
    return malformed("a checkpoint has three lines: origin, size and root");
  const auto size = decimal(*size_line);
  if (!size) return malformed("a checkpoint's second line is a size");
  const auto root = from_base64(*root_line);
  if (!root || root->size() != sizeof(Sha256) || to_base64(*root) != *root_line)
    return malformed("a checkpoint's third line is a hash of 32 bytes in base64");
  // Extension lines are others' to have; an empty one would be another note.
  while (!rest.empty()) {
    const auto line = take_line(rest);
    if (!line || line->empty()) return malformed("an extension line is empty");
  }
  Checkpoint checkpoint;
  checkpoint.origin = *origin;
  checkpoint.head.size = *size;
  std::ranges::copy(*root, reinterpret_cast<char*>(checkpoint.head.root.data()));
  checkpoint.note = note;
  return checkpoint;
}

}  // namespace fedgate::wire
