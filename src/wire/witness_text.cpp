// SPDX-License-Identifier: Apache-2.0
#include "wire/witness_text.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/hash.h"

namespace fedgate::wire {

namespace {

constexpr std::size_t hash_text_size = 44;  // 32 bytes in base64
constexpr std::size_t longest_log_name = 512;
constexpr std::size_t longest_proof_query = 12 * std::size_t{1024};

std::string_view bytes_of(const Sha256& hash) { return {reinterpret_cast<const char*>(hash.data()), hash.size()}; }

/// ASCII decimal without leading zeroes.
std::optional<std::uint64_t> decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto* const last = text.data() + text.size();
  const auto [end, problem] = std::from_chars(text.data(), last, value);
  if (problem != std::errc() || end != last || (text.size() > 1 && text.front() == '0') || value > largest_tree)
    return std::nullopt;
  return value;
}

std::optional<Sha256> hash_from(std::string_view text) {
  if (text.size() != hash_text_size) return std::nullopt;
  const auto bytes = from_base64(text);
  Sha256 hash{};
  if (!bytes || bytes->size() != hash.size() || to_base64(*bytes) != text) return std::nullopt;
  std::memcpy(hash.data(), bytes->data(), hash.size());
  return hash;
}

/// Takes the next line, which must end with LF.
std::optional<std::string_view> next_line(std::string_view& text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

/// Lines of hashes up to an empty line, which is taken too.
bool take_hashes(std::string_view& text, std::size_t most, std::vector<Sha256>& into) {
  for (;;) {
    const auto line = next_line(text);
    if (!line) return false;
    if (line->empty()) return true;
    const auto hash = hash_from(*line);
    if (!hash || into.size() == most) return false;
    into.push_back(*hash);
  }
}

void put_hashes(std::string& out, const std::vector<Sha256>& hashes) {
  for (const auto& hash : hashes) {
    out += to_base64(bytes_of(hash));
    out += '\n';
  }
}

/// Beside the ways of `indexes` leaves to the root.
constexpr std::size_t most_nodes(std::size_t indexes) { return indexes * 53; }

std::unexpected<Error> not_add_checkpoint(std::string_view why) {
  return fail(Code::bad_request, "not an add-checkpoint request: " + std::string(why));
}

bool plain_name(std::string_view name) {
  return !name.empty() && name.size() <= longest_log_name &&
         std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7f && c != ';' && c != '&' && c != '%'; });
}

}  // namespace

std::string add_checkpoint_body(const AddCheckpoint& request) {
  std::string body = "old " + std::to_string(request.old_size) + "\n";
  put_hashes(body, request.proof);
  return body + '\n' + request.checkpoint.note;
}

Result<AddCheckpoint> parse_add_checkpoint(std::string_view body) {
  if (body.size() > longest_add_checkpoint)
    return fail(Code::payload_too_large, "an add-checkpoint request is shorter");
  AddCheckpoint request;
  const auto first = next_line(body);
  if (!first || !first->starts_with("old ")) return not_add_checkpoint("it does not begin with `old N`");
  const auto old_size = decimal(first->substr(4));
  if (!old_size) return not_add_checkpoint("its old size is no number");
  request.old_size = *old_size;
  if (!take_hashes(body, most_proof_lines, request.proof))
    return not_add_checkpoint("at most 63 lines of base64 hashes and an empty line are wanted");
  auto checkpoint = parse_checkpoint(body);
  if (!checkpoint) return not_add_checkpoint(checkpoint.error().detail);
  request.checkpoint = std::move(*checkpoint);
  if (request.checkpoint.head.size > largest_tree) return not_add_checkpoint("no tree is that large");
  return request;
}

Result<std::uint64_t> parse_tree_size(std::string_view body) {
  const auto line = next_line(body);
  const auto size = line && body.empty() ? decimal(*line) : std::nullopt;
  if (!size) return fail(Code::peer_protocol_error, "not a tree size");
  return *size;
}

std::string signature_line(const NoteSignature& signature) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(signature.key_id >> shift & 0xFF);
  return "\xE2\x80\x94 " + signature.name + ' ' + to_base64(bytes + signature.bytes) + '\n';
}

std::string note_of(std::string_view text, const std::vector<NoteSignature>& signatures) {
  std::string note(text);
  note += '\n';
  for (const auto& one : signatures) note += signature_line(one);
  return note;
}

namespace {

/// The first one and then the gaps.
std::string indexes_text(const std::vector<std::uint64_t>& indexes) {
  std::string text = std::to_string(indexes.front());
  for (std::size_t i = 1; i < indexes.size(); ++i) text += ',' + std::to_string(indexes[i] - indexes[i - 1]);
  return text;
}

}  // namespace

std::string proof_query(const ProofRequest& request) {
  std::string query = "log=" + request.log + "&size=" + std::to_string(request.size);
  if (request.from != 0) query += "&from=" + std::to_string(request.from);
  if (request.indexes.empty()) return query;
  return query + "&leaves=" + indexes_text(request.indexes);
}

namespace {

bool take_indexes(std::string_view text, std::vector<std::uint64_t>& into) {
  std::uint64_t at = 0;
  for (;;) {
    const auto comma = text.find(',');
    const auto step = decimal(text.substr(0, comma));
    if (!step || (!into.empty() && *step == 0) || into.size() == most_indexes) return false;
    at += *step;
    if (at > largest_tree) return false;
    into.push_back(at);
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

Result<ProofRequest> parse_proof_query(std::string_view query) {
  const auto refuse = [] {
    return fail(Code::bad_request,
                "log=NAME&size=N[&from=M][&leaves=FIRST,GAP,…] is wanted, each once, M and the "
                "leaves within the size");
  };
  if (query.size() > longest_proof_query) return refuse();
  ProofRequest request;
  bool sized = false, from = false;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto part = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) return refuse();
    const auto key = part.substr(0, equals);
    const auto value = part.substr(equals + 1);
    if (key == "log" && request.log.empty() && plain_name(value)) {
      request.log = value;
    } else if (key == "leaves" && request.indexes.empty() && take_indexes(value, request.indexes)) {
      continue;
    } else if (const auto number = decimal(value); key == "size" && !sized && number) {
      request.size = *number;
      sized = true;
    } else if (key == "from" && !from && number) {
      request.from = *number;
      from = true;
    } else {
      return refuse();
    }
  }
  if (request.log.empty() || !sized || request.from > request.size) return refuse();
  if (!request.indexes.empty() && request.indexes.back() >= request.size) return refuse();
  return request;
}

std::string proof_answer_body(const ProofAnswer& answer) {
  std::string body;
  body.reserve((answer.batch.leaves.size() + answer.batch.nodes.size() + answer.consistency.size()) * 45 + 3);
  put_hashes(body, answer.batch.leaves);
  body += '\n';
  put_hashes(body, answer.batch.nodes);
  body += '\n';
  put_hashes(body, answer.consistency);
  return body + '\n';
}

Result<ProofAnswer> parse_proof_answer(std::string_view body, std::size_t indexes) {
  ProofAnswer answer;
  if (!take_hashes(body, indexes, answer.batch.leaves) || !take_hashes(body, most_nodes(indexes), answer.batch.nodes) ||
      !take_hashes(body, most_proof_lines, answer.consistency) || !body.empty() ||
      answer.batch.leaves.size() != indexes)
    return fail(Code::peer_protocol_error, "not the proofs that were asked for");
  return answer;
}

std::string kept_proof_text(const KeptProof& kept) {
  const auto& proof = kept.batch;
  std::string bytes;
  const auto put = [&bytes](std::size_t count) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(count >> shift & 0xFF);
  };
  put(proof.leaves.size());
  put(proof.nodes.size());
  for (const auto* hashes : {&proof.leaves, &proof.nodes})
    for (const auto& hash : *hashes) bytes += bytes_of(hash);
  return indexes_text(kept.indexes) + ' ' + to_base64(bytes);
}

Result<KeptProof> parse_kept_proof(std::string_view text) {
  KeptProof kept;
  const auto gap = text.find(' ');
  const auto bytes = from_base64(gap == std::string_view::npos ? text : text.substr(gap + 1));
  const auto refuse = [] { return fail(Code::store_unavailable, "a kept proof cannot be read"); };
  if (gap == std::string_view::npos || !take_indexes(text.substr(0, gap), kept.indexes)) return refuse();
  if (!bytes || bytes->size() < 8) return refuse();
  std::size_t at = 0;
  const auto take = [&] {
    std::size_t count = 0;
    for (int i = 0; i < 4; ++i) count = count << 8 | static_cast<unsigned char>((*bytes)[at++]);
    return count;
  };
  const auto leaves = take();
  const auto nodes = take();
  if (bytes->size() != 8 + (leaves + nodes) * sizeof(Sha256)) return refuse();
  auto& proof = kept.batch;
  proof = {std::vector<Sha256>(leaves), std::vector<Sha256>(nodes)};
  for (auto* hashes : {&proof.leaves, &proof.nodes}) {
    for (auto& hash : *hashes) {
      std::memcpy(hash.data(), bytes->data() + at, hash.size());
      at += hash.size();
    }
  }
  return kept;
}

std::string head_header(std::string_view log, const TreeHead& head) {
  return std::string(log) + ';' + std::to_string(head.size) + ';' + to_hex(head.root);
}

Result<MentionedHead> parse_head_header(std::string_view text) {
  const auto first = text.find(';');
  const auto second = first == std::string_view::npos ? first : text.find(';', first + 1);
  const auto refuse = [] { return fail(Code::bad_request, "Fedgate-Checkpoint is not `log;size;root`"); };
  if (second == std::string_view::npos || !plain_name(text.substr(0, first))) return refuse();
  const auto size = decimal(text.substr(first + 1, second - first - 1));
  const auto root = sha256_from_hex(text.substr(second + 1));
  if (!size || !root) return refuse();
  return MentionedHead{std::string(text.substr(0, first)), {*size, *root}};
}

std::string tlog_proof(std::uint64_t index, const ProofPath& path, const Checkpoint& checkpoint,
                       std::string_view extra) {
  std::string text = "c2sp.org/tlog-proof@v1\n";
  if (!extra.empty()) text += "extra " + to_base64(extra) + '\n';
  text += "index " + std::to_string(index) + '\n';
  put_hashes(text, path);
  return text + '\n' + checkpoint.note;
}

}  // namespace fedgate::wire
