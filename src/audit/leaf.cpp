// SPDX-License-Identifier: Apache-2.0
#include "audit/leaf.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"

namespace fedgate::audit {
namespace {

// Longest text of each field as it stands in the leaf (escapes counted). Every well-formed name fits whole;
// together with keys and numbers they stay below leaf_max_bytes.
constexpr std::size_t node_bytes = 253;
constexpr std::size_t principal_bytes = 318;
constexpr std::size_t resource_bytes = 256;
constexpr std::size_t capability_bytes = 128;
constexpr std::size_t word_bytes = 64;
constexpr std::size_t name_bytes = 128;
constexpr std::size_t reason_bytes = 256;

// What an IEEE double, and so JCS, carries exactly.
constexpr std::uint64_t largest_integer = (1ULL << 53) - 1;

constexpr std::string_view replacement = "\xEF\xBF\xBD";

bool plain(std::string_view text) {
  unsigned bad = 0;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    bad |= static_cast<unsigned>(static_cast<unsigned char>(u - 0x20) > 0x5E) | static_cast<unsigned>(u == '"') |
           static_cast<unsigned>(u == '\\');
  }
  return bad == 0;
}

struct Decoded {
  char32_t point;
  std::size_t bytes;
  bool valid;
};

Decoded decode(std::string_view text) {
  const std::size_t length = utf8_length(text, 0);
  const auto lead = static_cast<unsigned char>(text.front());
  if (length == 0) return {0, 1, false};
  if (length == 1) return {lead, 1, true};
  char32_t point = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) point = point << 6 | (static_cast<unsigned char>(text[i]) & 0x3FU);
  return {point, length, true};
}

// Moves a terminal's cursor, changes its state, reorders what a person reads, or is not seen at all.
bool misleading(char32_t p) {
  return p < 0x20 || (p >= 0x7F && p < 0xA0) || p == 0xAD || p == 0x061C || p == 0x180E ||
         (p >= 0x200B && p <= 0x200F) || (p >= 0x2028 && p <= 0x202E) || (p >= 0x2060 && p <= 0x206F) || p == 0xFEFF ||
         (p >= 0xFFF9 && p <= 0xFFFB) || (p >= 0xE0000 && p <= 0xE0FFF);
}

void put_text(std::string& out, std::string_view text, std::size_t bound) {
  if (text.size() <= bound && plain(text)) {
    out += text;
    return;
  }
  std::size_t left = bound;
  while (!text.empty()) {
    const auto [point, bytes, valid] = decode(text);
    std::string_view shown = text.substr(0, bytes);
    if (!valid || misleading(point)) shown = replacement;
    if (point == '"') shown = "\\\"";
    if (point == '\\') shown = "\\\\";
    if (shown.size() > left) return;
    left -= shown.size();
    out += shown;
    text.remove_prefix(bytes);
  }
}

void put_digits(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

void put_padded(std::string& out, std::uint64_t value, std::size_t width) {
  std::array<char, 20> digits{};
  for (std::size_t i = width; i-- > 0; value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  out.append(digits.data(), width);
}

void put_time(std::string& out, WallTime time) {
  using namespace std::chrono;
  constexpr WallTime earliest{sys_days{year{0} / January / 1}};
  constexpr WallTime latest{sys_days{year{9999} / December / 31}};
  time = std::clamp(time, earliest, latest);
  const auto day = floor<days>(time);
  const year_month_day date{day};
  auto rest = static_cast<std::uint64_t>((time - day).count());
  put_padded(out, static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
  out += '-';
  put_padded(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  put_padded(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  put_padded(out, rest / 3'600'000'000, 2);
  out += ':';
  put_padded(out, rest / 60'000'000 % 60, 2);
  out += ':';
  put_padded(out, rest / 1'000'000 % 60, 2);
  out += '.';
  put_padded(out, rest % 1'000'000, 6);
  out += 'Z';
}

// Writes members in the order it is called, which is JCS order; absent values leave no trace. Every member
// begins with a comma; the first is made a brace at the end.
class Members {
 public:
  explicit Members(std::string& out) : out_(out) {}
  void text(std::string_view key, std::string_view value, std::size_t bound) {
    if (value.empty()) return;
    out_ += key;
    out_ += '"';
    put_text(out_, value, bound);
    out_ += '"';
  }
  /// Of our own making: needs no look at its characters.
  void word(std::string_view key, std::string_view value) {
    out_ += key;
    out_ += '"';
    out_ += value;
    out_ += '"';
  }
  void number(std::string_view key, std::uint64_t value) {
    out_ += key;
    put_digits(out_, std::min(value, largest_integer));
  }
  void number_unless_zero(std::string_view key, std::uint64_t value) {
    if (value != 0) number(key, value);
  }
  void microseconds(std::string_view key, std::chrono::microseconds value) {
    if (value.count() > 0) number(key, static_cast<std::uint64_t>(value.count()));
  }
  void hex(std::string_view key, std::span<const std::uint8_t> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<char, 2 * sizeof(Sha256)> text;
    std::size_t size = 0;
    for (const auto byte : bytes.first(std::min(bytes.size(), sizeof(Sha256)))) {
      text[size++] = digits[byte >> 4];
      text[size++] = digits[byte & 15];
    }
    word(key, {text.data(), size});
  }

 private:
  std::string& out_;
};

// The log's name stands once: a checkpoint of another log than the leaf's, in the moment where a new one begins, is
// left out.
void put_counterparty(Members& put, std::string& out, const AuditEvent& event) {
  const auto& leaf = event.counterparty;
  const auto& seen = event.counterparty_checkpoint;
  const bool both = leaf && seen && leaf->log == seen->log;
  if (!leaf && !seen) return;
  out += R"(,"counterparty":)";
  const auto begin = out.size();
  if (both || !leaf) {
    out += R"(,"checkpoint":)";
    put.hex(R"({"root":)", seen->head.root);
    put.number(R"(,"size":)", seen->head.size);
    out += '}';
  }
  if (leaf) {
    put.hex(R"(,"hash":)", leaf->hash);
    put.number(R"(,"index":)", leaf->index);
  }
  put.text(R"(,"log":)", leaf ? leaf->log : seen->log, log_name_max_bytes);
  out[begin] = '{';
  out += '}';
}

void before_index(Members& put, std::string& out, const AuditEvent& event) {
  if (event.access) put.word(R"(,"access":)", to_string(*event.access));
  put.text(R"(,"action":)", event.action, word_bytes);
  put.text(R"(,"actor":)", event.actor, principal_bytes);
  put.number_unless_zero(R"(,"attempt":)", event.attempt);
  put.text(R"(,"call_hash":)", event.call_hash, word_bytes);
  put.text(R"(,"capability":)", event.capability, capability_bytes);
  put.text(R"(,"code":)", event.error_code, word_bytes);
  if (event.correlation_id) put.word(R"(,"correlation_id":)", event.correlation_id->str());
  put_counterparty(put, out, event);
  put.text(R"(,"credential":)", event.credential_id, name_bytes);
  if (event.decision) put.word(R"(,"decision":)", event.decision->allowed() ? "allow" : "deny");
  put.microseconds(R"(,"duration_us":)", event.duration);
  put.word(R"(,"event":)", to_string(event.type));
  out += R"(,"index":)";
}

void after_index(Members& put, std::string& out, const AuditEvent& event, std::string_view log,
                 const std::array<std::uint8_t, 16>& nonce) {
  put.text(R"(,"log":)", log, log_name_max_bytes);
  put.hex(R"(,"nonce":)", nonce);
  put.text(R"(,"origin":)", event.origin, node_bytes);
  if (event.effect) put.word(R"(,"outcome":)", to_string(*event.effect));
  put.text(R"(,"peer_key":)", event.peer_key, word_bytes);
  put.word(R"(,"phase":)", to_string(event.phase));
  put.text(R"(,"principal":)", event.principal, principal_bytes);
  put.text(R"(,"protocol":)", event.resource_protocol, word_bytes);
  const bool own_reason = !event.reason.empty() || !event.decision;
  put.text(R"(,"reason":)", own_reason ? event.reason : event.decision->reason, reason_bytes);
  put.number_unless_zero(R"(,"request_bytes":)", event.request_bytes);
  put.text(R"(,"resource":)", event.resource, resource_bytes);
  put.number_unless_zero(R"(,"response_bytes":)", event.response_bytes);
  if (event.decision) put.text(R"(,"rule":)", event.decision->rule, name_bytes);
  put.text(R"(,"target":)", event.target, node_bytes);
  out += R"(,"time":")";
  put_time(out, event.time);
  out += '"';
  put.microseconds(R"(,"upstream_us":)", event.upstream);
  put.number(R"(,"v":)", leaf_version);
  out += '}';
}

}  // namespace

LeafDraft draft_leaf(const AuditEvent& event, std::string_view log, const std::array<std::uint8_t, 16>& nonce) {
  LeafDraft draft;
  draft.before_index.reserve(512);
  draft.after_index.reserve(512);
  Members before(draft.before_index);
  before_index(before, draft.before_index, event);
  draft.before_index.front() = '{';
  Members after(draft.after_index);
  after_index(after, draft.after_index, event, log, nonce);
  return draft;
}

void append_leaf(std::string& out, const LeafDraft& draft, std::uint64_t index) {
  out += draft.before_index;
  put_digits(out, index);
  out += draft.after_index;
}

Sha256 leaf_hash(std::string_view leaf) {
  if (leaf.size() > leaf_max_bytes) return sha256(std::string(1, '\0') + std::string(leaf));
  std::array<char, leaf_max_bytes + 1> node;
  node[0] = '\0';
  std::ranges::copy(leaf, node.begin() + 1);
  return sha256({node.data(), leaf.size() + 1});
}

std::string call_hash(std::string_view call_nonce, const Invocation& invocation, std::string_view arguments_jcs) {
  std::string text;
  text.reserve(arguments_jcs.size() + 512);
  const auto member = [&text](std::string_view key, std::string_view value) {
    if (value.empty()) return;
    text += key;
    json::append_string(text, value);
  };
  if (invocation.actor) member(R"(,"actor":)", invocation.actor->view());
  text += R"(,"arguments":)";
  text += arguments_jcs;
  text += R"(,"attempt":)";
  put_digits(text, invocation.attempt);
  member(R"(,"capability":)", invocation.capability.view());
  member(R"(,"correlation_id":)", invocation.correlation_id.str());
  member(R"(,"origin":)", invocation.origin.view());
  member(R"(,"principal":)", invocation.principal.view());
  member(R"(,"resource":)", invocation.resource.view());
  member(R"(,"target":)", invocation.target.view());
  text += '}';
  text.front() = '{';
  return to_hex(hmac_sha256(call_nonce, text));
}

}  // namespace fedgate::audit
