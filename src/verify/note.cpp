// SPDX-License-Identifier: Apache-2.0
#include "verify/note.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <ranges>

#include "base/hash.h"
#include "base/utf8.h"

namespace fedgate::verify {
namespace {

constexpr std::string_view signature_mark = "\xE2\x80\x94 ";  // em dash, space
constexpr std::size_t ed25519_bytes = 64;

std::unexpected<Error> refuse(std::string_view what, std::string_view why) {
  return fail(Code::bad_request, std::string(what) + ": " + std::string(why));
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

bool name_is_fit(std::string_view name) {
  if (name.empty() || name.find('+') != std::string_view::npos) return false;
  for (std::size_t at = 0; at < name.size();) {
    const auto length = utf8_length(name, at);
    if (length == 0) return false;
    const char32_t c = utf8_value(name, at, length);
    const bool space = c <= 0x20 || c == 0x7F || c == 0x85 || c == 0xA0 || c == 0x1680 ||
                       (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
                       c == 0x3000;
    if (space) return false;
    at += length;
  }
  return true;
}

/// `Result`'s from_base64 takes padded text; a second look keeps out what encodes the same bytes otherwise.
Result<std::string> exact_base64(std::string_view text) {
  auto bytes = from_base64(text);
  if (bytes && to_base64(*bytes) != text) return fail(Code::bad_request, "not the one base64 form of its bytes");
  return bytes;
}

bool ed25519_valid(const std::array<std::uint8_t, 32>& key, std::string_view message, std::string_view signature) {
  ERR_set_mark();
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> handle(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()), &EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  const bool valid =
      handle && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, handle.get()) == 1 &&
      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                       reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
  ERR_pop_to_mark();
  return valid;
}

Result<SignatureLine> read_signature(std::string_view line) {
  if (!line.starts_with(signature_mark))
    return refuse("signed note", "a signature line does not begin with an em dash");
  line.remove_prefix(signature_mark.size());
  const auto space = line.find(' ');
  if (space == std::string_view::npos || !name_is_fit(line.substr(0, space)))
    return refuse("signed note", "a signature line has no usable key name");
  const auto bytes = exact_base64(line.substr(space + 1));
  if (!bytes || bytes->size() < 5)
    return refuse("signed note", "a signature is not base64 of a key id and a signature");
  return SignatureLine{std::string(line.substr(0, space)),
                       static_cast<std::uint32_t>(big_endian(std::string_view(*bytes).substr(0, 4))), bytes->substr(4)};
}

/// The next line without its LF, taken off `text`.
std::string_view take_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const auto line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

Result<void> read_checkpoint_text(SignedHead& head) {
  std::string_view rest = head.text;
  head.origin = take_line(rest);
  const auto size = take_line(rest);
  const auto root = take_line(rest);
  if (head.origin.empty()) return refuse("checkpoint", "its first line, the origin, is empty");
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), head.head.size);
  if (error != std::errc() || end != size.data() + size.size() || (size.size() > 1 && size.front() == '0'))
    return refuse("checkpoint", "its second line is not a tree size");
  const auto bytes = exact_base64(root);
  if (!bytes || bytes->size() != head.head.root.size())
    return refuse("checkpoint", "its third line is not the base64 of a SHA-256");
  std::ranges::copy(*bytes, head.head.root.begin());
  while (!rest.empty())
    if (take_line(rest).empty()) return refuse("checkpoint", "an extension line is empty");
  return {};
}

}  // namespace

std::uint32_t Key::id() const {
  std::string input = name + '\n' + static_cast<char>(role);
  input.append(reinterpret_cast<const char*>(public_key.data()), public_key.size());
  const auto hash = sha256(input);
  return static_cast<std::uint32_t>(hash[0]) << 24 | static_cast<std::uint32_t>(hash[1]) << 16 |
         static_cast<std::uint32_t>(hash[2]) << 8 | hash[3];
}

Result<Key> read_key(std::string_view text) {
  // The key's base64 may hold a plus of its own, the name and the hash cannot.
  const auto first = text.find('+');
  const auto second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos || !name_is_fit(text.substr(0, first)))
    return refuse("verifier key", "NAME+HASH+KEY is wanted");
  Key key;
  key.name = text.substr(0, first);
  key.text = text;
  const auto id = from_hex(text.substr(first + 1, second - first - 1));
  const auto bytes = exact_base64(text.substr(second + 1));
  if (!id || id->size() != 4 || !bytes) return refuse("verifier key " + key.name, "NAME+HASH+KEY is wanted");
  if (bytes->size() != 33 || (bytes->front() != '\x01' && bytes->front() != '\x04'))
    return refuse("verifier key " + key.name, "only Ed25519 keys of type 1 (a log's) and 4 (a witness's) are known");
  key.role = bytes->front() == '\x01' ? KeyRole::log : KeyRole::witness;
  std::copy(bytes->begin() + 1, bytes->end(), key.public_key.begin());
  if (big_endian(*id) != key.id()) return refuse("verifier key " + key.name, "its hash is not that of the key");
  return key;
}

Result<std::vector<Key>> read_keys(std::string_view text) {
  std::vector<Key> keys;
  for (std::size_t number = 1; !text.empty(); ++number) {
    auto line = take_line(text);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    auto key = read_key(line);
    if (!key) return fail(key.error().in("line " + std::to_string(number)));
    if (std::ranges::find(keys, *key) == keys.end()) keys.push_back(std::move(*key));
  }
  return keys;
}

Result<SignedHead> read_head(std::string_view note) {
  if (note.size() > note_bytes_at_most) return refuse("signed note", "it is too long");
  for (std::size_t at = 0; at < note.size();) {
    const auto length = utf8_length(note, at);
    if (length == 0) return refuse("signed note", "it is not UTF-8");
    if (static_cast<unsigned char>(note[at]) < 0x20 && note[at] != '\n')
      return refuse("signed note", "it holds a control character");
    at += length;
  }
  const auto gap = note.rfind("\n\n");
  if (gap == std::string_view::npos || gap == 0 || !note.ends_with('\n'))
    return refuse("signed note", "a text, an empty line and signature lines are wanted");
  SignedHead head;
  head.text = note.substr(0, gap + 1);
  for (auto rest = note.substr(gap + 2); !rest.empty();) {
    auto signature = read_signature(take_line(rest));
    if (!signature) return fail(signature.error());
    if (head.signatures.size() == signatures_at_most) return refuse("signed note", "it has too many signatures");
    head.signatures.push_back(std::move(*signature));
  }
  if (head.signatures.empty()) return refuse("signed note", "it has no signature");
  if (auto read = read_checkpoint_text(head); !read) return fail(read.error());
  return head;
}

Result<std::vector<SignedHead>> read_heads(std::string_view notes) {
  std::vector<SignedHead> heads;
  std::string note;
  bool signed_already = false;
  const auto finish = [&]() -> Result<void> {
    if (note.empty()) return {};
    auto head = read_head(note);
    if (!head) return fail(head.error().in("note " + std::to_string(heads.size() + 1)));
    heads.push_back(std::move(*head));
    note.clear();
    signed_already = false;
    return {};
  };
  while (!notes.empty()) {
    const auto line = take_line(notes);
    const bool signature = line.starts_with(signature_mark);
    if (signed_already && !signature)
      if (auto done = finish(); !done) return fail(done.error());
    if (note.empty() && line.empty()) continue;
    signed_already = signature;
    note.append(line) += '\n';
    if (note.size() > note_bytes_at_most) return refuse("signed note", "it is too long");
  }
  if (auto done = finish(); !done) return fail(done.error());
  if (heads.empty()) return refuse("signed note", "there is none");
  return heads;
}

Judged judge(const SignedHead& head, const Key& key) {
  Judged judged;
  for (const auto& signature : head.signatures) {
    if (signature.name != key.name || signature.key_id != key.id()) continue;
    std::string_view bytes = signature.bytes;
    std::string message = head.text;
    if (key.role == KeyRole::witness) {
      if (bytes.size() != 8 + ed25519_bytes) return {SignatureState::invalid, {}};
      const auto seconds = big_endian(bytes.substr(0, 8));
      bytes.remove_prefix(8);
      message = "cosignature/v1\ntime " + std::to_string(seconds) + "\n" + head.text;
      constexpr auto latest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 1'000'000);
      if (seconds > latest) return {SignatureState::invalid, {}};
      const auto time = WallTime(std::chrono::seconds(seconds));
      judged.time = std::max(judged.time.value_or(time), time);
    }
    if (bytes.size() != ed25519_bytes || !ed25519_valid(key.public_key, message, bytes))
      return {SignatureState::invalid, {}};
    judged.state = SignatureState::valid;
  }
  return judged;
}

}  // namespace fedgate::verify
