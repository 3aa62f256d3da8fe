// SPDX-License-Identifier: Apache-2.0
#include "store/trust_records.h"

#include <cstring>

#include "base/hash.h"

namespace fedgate::store {
namespace {

constexpr auto used_up_invites_kept = std::chrono::hours(24 * 30);
constexpr std::string_view invite_columns =
    "id, node_id, anchor_sha256, public_key, created_at, expires_at, created_by, used_at, used_by_key, used_by_bundle";
constexpr std::string_view candidate_columns =
    "node_id, asked, bundle_sha256, leaf_sha256, bundle, leaf, leaf_key, own_bundle, how, invite_id, remote, proof, "
    "level_there, received_at";
constexpr std::string_view bundle_columns = "node_id, seq, sha256, bundle, recorded_at";

std::string hex_or_empty(const std::optional<Sha256>& hash) { return hash ? to_hex(*hash) : std::string(); }

/// Reads a row from left to right; remembers whether somebody has edited the table by hand.
class Reader {
 public:
  Reader(const Row& row, bool& damaged) : row_(row), damaged_(damaged) {}

  std::string text() { return row_.text(column_++); }
  std::uint64_t number() { return static_cast<std::uint64_t>(row_.number(column_++)); }
  std::optional<WallTime> optional_time() { return row_.time(column_++); }
  WallTime time() { return optional_time().value_or(WallTime{}); }
  std::array<std::uint8_t, 32> bytes() { return known(sha256_from_hex(text())); }
  std::optional<Sha256> optional_hash() {
    const auto hex = text();
    return hex.empty() ? std::nullopt : std::optional(known(sha256_from_hex(hex)));
  }
  NodeId node() { return known(NodeId::parse(text())); }
  template <class T>
  T known(Result<T> value) {
    damaged_ = damaged_ || !value;
    return value ? std::move(*value) : T{};
  }

 private:
  const Row& row_;
  bool& damaged_;
  int column_ = 0;
};

Invite read_invite(Reader at) {
  Invite invite;
  invite.id = at.text();
  invite.node = at.node();
  invite.anchor = at.optional_hash();
  invite.public_key = at.bytes();
  invite.created_at = at.time();
  invite.expires_at = at.time();
  invite.created_by = at.text();
  invite.used_at = at.optional_time();
  invite.used_by_key = at.optional_hash();
  invite.used_by_bundle = at.optional_hash();
  return invite;
}

Candidate read_candidate(Reader at) {
  Candidate candidate;
  candidate.node = at.node();
  candidate.asked = at.known(asked_from(at.text()));
  candidate.bundle.sha256 = at.bytes();
  candidate.leaf_sha256 = at.bytes();
  candidate.bundle.text = at.text();
  candidate.leaf = at.text();
  candidate.leaf_key = at.bytes();
  candidate.own_bundle = at.bytes();
  candidate.how = at.known(trust_purpose_from(at.text()));
  candidate.invite_id = at.text();
  candidate.remote = at.text();
  candidate.proof = at.bytes();
  if (const auto level = at.text(); !level.empty()) candidate.level_there = at.known(trust_level_from(level));
  candidate.received_at = at.time();
  return candidate;
}

BundleRecord read_bundle(Reader at) {
  BundleRecord bundle;
  bundle.node = at.node();
  bundle.seq = at.number();
  bundle.sha256 = at.bytes();
  bundle.text = at.text();
  bundle.recorded_at = at.time();
  return bundle;
}

/// Every row as `read_one` makes it.
template <class T>
Result<std::vector<T>> list(Store& store, std::string_view columns, std::string_view rest,
                            const std::vector<Parameter>& parameters, T (*read_one)(Reader)) {
  std::vector<T> found;
  auto done = store.transact("reading what trust has recorded", [&](Transaction& at) -> Result<void> {
    found.clear();
    bool damaged = false;
    at.read("SELECT " + at.selected(columns) + " " + std::string(rest), parameters,
            [&](const Row& row) { found.push_back(read_one(Reader(row, damaged))); });
    if (damaged)
      return fail(Code::store_unavailable, "a row of the tables of trust cannot be read (" + std::string(rest) +
                                               "). Somebody has edited it by hand: correct it there");
    return {};
  });
  if (!done) return fail(done.error());
  return found;
}

Result<std::size_t> remove(Store& store, std::string_view what, const std::string& sql, const std::string& key) {
  std::size_t gone = 0;
  auto done = store.transact(what, [&](Transaction& at) -> Result<void> {
    gone = static_cast<std::size_t>(at.run(sql, std::vector<Parameter>{key}));
    return {};
  });
  if (!done) return fail(done.error());
  return gone;
}

std::size_t count(Transaction& at, const std::string& from, const std::vector<Parameter>& parameters) {
  std::int64_t found = 0;
  at.read("SELECT count(*) FROM " + from, parameters, [&](const Row& row) { found = row.number(0); });
  return static_cast<std::size_t>(found);
}

/// The same key may come again, with the same bundle: its answer may have been lost.
Result<void> consume_invite(Transaction& at, const Candidate& candidate) {
  const auto served = at.run(
      "UPDATE federation_invites SET used_at = coalesce(used_at, $1), used_by_key = $2, used_by_bundle = $3 "
      "WHERE id = $4 AND node_id = $5 AND expires_at > $6 AND used_by_key IN ('', $7) AND used_by_bundle IN ('', $8)",
      std::vector<Parameter>{candidate.received_at, to_hex(candidate.leaf_key), to_hex(candidate.bundle.sha256),
                             candidate.invite_id, candidate.node.str(), candidate.received_at,
                             to_hex(candidate.leaf_key), to_hex(candidate.bundle.sha256)});
  if (served == 1) return {};
  return fail(Code::forbidden, "invite " + candidate.invite_id + " does not serve " + candidate.node.str() +
                                   ": it has expired, was cancelled, or was used with another key or bundle");
}

constexpr const char* key_condition = "node_id = $1 AND asked = $2 AND bundle_sha256 = $3 AND leaf_sha256 = $4";

std::vector<Parameter> key_of(const Candidate& candidate) {
  return {candidate.node.str(), std::string(to_string(candidate.asked)), to_hex(candidate.bundle.sha256),
          to_hex(candidate.leaf_sha256)};
}

/// Makes room among the candidates that `where` selects: what an operator wanted goes before what strangers sent.
Result<void> make_room(Transaction& at, const Candidate& candidate, const std::string& where,
                       const std::vector<Parameter>& parameters, std::size_t most) {
  if (count(at, "federation_candidates WHERE " + where, parameters) < most) return {};
  const bool wanted = candidate.asked == Asked::outgoing || candidate.how == TrustPurpose::invite;
  const std::string oldest = "SELECT bundle_sha256, leaf_sha256, node_id FROM federation_candidates WHERE " + where +
                             (candidate.asked == Asked::outgoing ? "" : " AND how = 'request'") +
                             " ORDER BY received_at LIMIT 1";
  std::vector<Parameter> key;
  if (wanted)
    at.read(oldest, parameters, [&](const Row& row) {
      key = {row.text(2), std::string(to_string(candidate.asked)), row.text(0), row.text(1)};
    });
  if (key.empty())
    return fail(Code::overloaded, "no place for another candidate: " + std::to_string(most) +
                                      " are waiting already. Decide about them (`fedgate trust list`)");
  at.run(std::string("DELETE FROM federation_candidates WHERE ") + key_condition, key);
  return {};
}

Result<void> store_candidate(Transaction& at, const Candidate& candidate) {
  at.run("DELETE FROM federation_candidates WHERE received_at < $1",
         std::vector<Parameter>{candidate.received_at - candidates_kept});
  if (candidate.asked == Asked::incoming && !candidate.invite_id.empty())
    if (auto consumed = consume_invite(at, candidate); !consumed) return consumed;
  at.run(std::string("DELETE FROM federation_candidates WHERE ") + key_condition, key_of(candidate));
  const std::string asked(to_string(candidate.asked));
  if (auto room = make_room(at, candidate, "node_id = $1 AND asked = $2", {candidate.node.str(), asked},
                            most_candidates_a_node);
      !room)
    return room;
  if (auto room = make_room(at, candidate, "asked = $1", {asked}, most_candidates); !room) return room;
  at.run("INSERT INTO federation_candidates (" + std::string(candidate_columns) +
             ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
         std::vector<Parameter>{
             candidate.node.str(), asked, to_hex(candidate.bundle.sha256), to_hex(candidate.leaf_sha256),
             candidate.bundle.text, candidate.leaf, to_hex(candidate.leaf_key), to_hex(candidate.own_bundle),
             std::string(to_string(candidate.how)), candidate.invite_id, candidate.remote, to_hex(candidate.proof),
             candidate.level_there ? std::string(to_string(*candidate.level_there)) : std::string(),
             candidate.received_at});
  return {};
}

std::optional<BundleRecord> newest(Transaction& at, const NodeId& node) {
  std::optional<BundleRecord> found;
  bool damaged = false;
  at.read(
      "SELECT " + at.selected(bundle_columns) + " FROM federation_bundles WHERE node_id = $1 ORDER BY seq DESC LIMIT 1",
      std::vector<Parameter>{node.str()}, [&](const Row& row) { found = read_bundle(Reader(row, damaged)); });
  return found;
}

}  // namespace

Result<void> TrustRecords::put_invite(const Invite& invite) {
  return store_.transact("writing an invite", [&](Transaction& at) -> Result<void> {
    at.run("DELETE FROM federation_invites WHERE expires_at < $1",
           std::vector<Parameter>{invite.created_at - used_up_invites_kept});
    if (count(at, "federation_invites WHERE expires_at > $1", {invite.created_at}) >= most_invites)
      return fail(Code::conflict, "there are " + std::to_string(most_invites) + " open invites; cancel some");
    at.run(
        "INSERT INTO federation_invites (id, node_id, anchor_sha256, public_key, created_at, expires_at, created_by) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
        std::vector<Parameter>{invite.id, invite.node.str(), hex_or_empty(invite.anchor), to_hex(invite.public_key),
                               invite.created_at, invite.expires_at, invite.created_by});
    return {};
  });
}

Result<std::optional<Invite>> TrustRecords::invite(const std::string& id) {
  auto found = list<Invite>(store_, invite_columns, "FROM federation_invites WHERE id = $1", {id}, read_invite);
  if (!found) return fail(found.error());
  return found->empty() ? std::nullopt : std::optional(std::move(found->front()));
}

Result<std::vector<Invite>> TrustRecords::invites() {
  return list<Invite>(store_, invite_columns, "FROM federation_invites ORDER BY created_at DESC, id", {}, read_invite);
}

Result<std::size_t> TrustRecords::remove_invites(const NodeId& node) {
  return remove(store_, "removing invites", "DELETE FROM federation_invites WHERE node_id = $1", node.str());
}

Result<std::size_t> TrustRecords::remove_invite(const std::string& id) {
  return remove(store_, "removing an invite", "DELETE FROM federation_invites WHERE id = $1", id);
}

Result<void> TrustRecords::admit(const Candidate& candidate) {
  return store_.transact("writing a candidate",
                         [&](Transaction& at) -> Result<void> { return store_candidate(at, candidate); });
}

Result<std::vector<Candidate>> TrustRecords::candidates(WallTime now) {
  return list<Candidate>(store_, candidate_columns,
                         "FROM federation_candidates WHERE received_at >= $1 ORDER BY received_at DESC, node_id",
                         {now - candidates_kept}, read_candidate);
}

Result<std::size_t> TrustRecords::remove_candidates(const NodeId& node) {
  return remove(store_, "removing candidates", "DELETE FROM federation_candidates WHERE node_id = $1", node.str());
}

Result<void> TrustRecords::put_bundle(const BundleRecord& bundle, History history) {
  return store_.transact("writing a bundle", [&](Transaction& at) -> Result<void> {
    if (history == History::begins) {
      at.run("DELETE FROM federation_bundles WHERE node_id = $1", std::vector<Parameter>{bundle.node.str()});
    } else if (const auto last = newest(at, bundle.node)) {
      if (last->seq == bundle.seq && last->sha256 == bundle.sha256) return {};
      if (bundle.seq != last->seq + 1)
        return fail(Code::conflict, "bundle " + std::to_string(bundle.seq) + " of " + bundle.node.str() +
                                        " does not follow the one that is known, " + std::to_string(last->seq));
    }
    at.run("INSERT INTO federation_bundles (" + std::string(bundle_columns) + ") VALUES ($1, $2, $3, $4, $5)",
           std::vector<Parameter>{bundle.node.str(), static_cast<std::int64_t>(bundle.seq), to_hex(bundle.sha256),
                                  bundle.text, bundle.recorded_at});
    return {};
  });
}

Result<std::optional<BundleRecord>> TrustRecords::newest_bundle(const NodeId& node) {
  auto found =
      list<BundleRecord>(store_, bundle_columns, "FROM federation_bundles WHERE node_id = $1 ORDER BY seq DESC LIMIT 1",
                         {node.str()}, read_bundle);
  if (!found) return fail(found.error());
  return found->empty() ? std::nullopt : std::optional(std::move(found->front()));
}

Result<void> TrustRecords::put_seen_leaves(const std::vector<SeenLeaf>& leaves) {
  if (leaves.empty()) return {};
  return store_.transact("writing when peers' certificates end", [&](Transaction& at) -> Result<void> {
    for (const auto& leaf : leaves)
      at.run(
          "INSERT INTO federation_seen_leaves (node_id, shown_by, subject, ends_at) VALUES ($1, $2, $3, $4) "
          "ON CONFLICT (node_id, shown_by) DO UPDATE SET subject = excluded.subject, ends_at = excluded.ends_at",
          std::vector<Parameter>{leaf.node.str(), std::string(to_string(leaf.shown_by)), leaf.subject, leaf.ends});
    return {};
  });
}

Result<std::vector<SeenLeaf>> TrustRecords::seen_leaves() {
  std::vector<SeenLeaf> found;
  auto done = store_.transact("reading when peers' certificates end", [&](Transaction& at) -> Result<void> {
    found.clear();
    at.run("DELETE FROM federation_seen_leaves WHERE node_id NOT IN (SELECT node_id FROM federation_nodes)", {});
    at.read("SELECT " + at.selected("node_id, shown_by, subject, ends_at") + " FROM federation_seen_leaves", {},
            [&](const Row& row) {
              auto node = NodeId::parse(row.text(0));
              const auto ends = row.time(3);
              if (!node || !ends) return;  // edited by hand: it will be seen again
              const auto end = row.text(1) == "server" ? ShownBy::server : ShownBy::client;
              found.push_back({std::move(*node), end, row.text(2), *ends});
            });
    return {};
  });
  if (!done) return fail(done.error());
  return found;
}

}  // namespace fedgate::store
