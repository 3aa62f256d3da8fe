// SPDX-License-Identifier: Apache-2.0
#include "store/rotation_records.h"

#include "base/hash.h"

namespace fedgate::store {
namespace {

/// Runs one query; `read_one` says whether it could read the row.
Result<void> query(Store& store, std::string_view columns, std::string_view rest,
                   const std::vector<Parameter>& parameters, const std::function<bool(const Row&)>& read_one) {
  return store.transact("reading what rotation has recorded", [&](Transaction& at) -> Result<void> {
    bool damaged = false;
    at.read("SELECT " + at.selected(columns) + " " + std::string(rest), parameters,
            [&](const Row& row) { damaged = !read_one(row) || damaged; });
    if (damaged)
      return fail(Code::store_unavailable, "a row of the tables of trust cannot be read (" + std::string(rest) +
                                               "). Somebody has edited it by hand: correct it there");
    return {};
  });
}

std::string_view name_of(Given given) { return given == Given::theirs ? "theirs" : "ours"; }

}  // namespace

Result<std::map<NodeId, BundleHead>> RotationRecords::bundle_heads() {
  std::map<NodeId, BundleHead> heads;
  auto done = query(store_, "node_id, seq, sha256, recorded_at", "FROM federation_bundles", {}, [&](const Row& row) {
    const auto node = NodeId::parse(row.text(0));
    const auto hash = sha256_from_hex(row.text(2));
    if (!node || !hash) return false;
    const auto seq = static_cast<std::uint64_t>(row.number(1));
    auto& head = heads[*node];
    if (seq > head.seq) head = {seq, *hash, row.time(3).value_or(WallTime{})};
    return true;
  });
  if (!done) return fail(done.error());
  return heads;
}

Result<void> RotationRecords::put_acknowledgement(const NodeId& node, Given given, const Acknowledgement& one) {
  return store_.transact("writing an acknowledgement", [&](Transaction& at) -> Result<void> {
    const std::string which(name_of(given));
    at.run(
        "DELETE FROM federation_acknowledgements WHERE node_id = $1 AND given = $2 AND (given = 'ours' OR seq <= $3)",
        std::vector<Parameter>{node.str(), which, static_cast<std::int64_t>(one.seq)});
    const auto put = at.run(
        "INSERT INTO federation_acknowledgements (node_id, given, seq, bundle_sha256, stated_at, leaf, signature) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (node_id, given) DO NOTHING",
        std::vector<Parameter>{node.str(), which, static_cast<std::int64_t>(one.seq), to_hex(one.bundle), one.time,
                               one.leaf, to_base64(one.signature)});
    if (put == 1) return {};
    return fail(Code::conflict, "a newer acknowledgement of " + node.str() + " is there already");
  });
}

Result<std::map<NodeId, Acknowledgement>> RotationRecords::acknowledgements(Given given) {
  std::map<NodeId, Acknowledgement> found;
  auto done =
      query(store_, "node_id, seq, bundle_sha256, stated_at, leaf, signature",
            "FROM federation_acknowledgements WHERE given = $1", {std::string(name_of(given))}, [&](const Row& row) {
              const auto node = NodeId::parse(row.text(0));
              const auto hash = sha256_from_hex(row.text(2));
              const auto signature = from_base64(row.text(5));
              if (!node || !hash || !signature) return false;
              found[*node] = {*node,       static_cast<std::uint64_t>(row.number(1)),
                              *hash,       row.time(3).value_or(WallTime{}),
                              row.text(4), *signature};
              return true;
            });
  if (!done) return fail(done.error());
  return found;
}

Result<void> RotationRecords::put_cross_certificate(const CrossCertificate& certificate) {
  return store_.transact("writing a cross certificate", [&](Transaction& at) -> Result<void> {
    at.run(
        "INSERT INTO federation_cross_certificates (sha256, certificate, announced_by, announced_at) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT (sha256) DO NOTHING",
        std::vector<Parameter>{to_hex(certificate.sha256), certificate.pem, certificate.announced_by,
                               certificate.announced_at});
    at.run(
        "DELETE FROM federation_cross_certificates WHERE sha256 NOT IN (SELECT sha256 FROM "
        "federation_cross_certificates ORDER BY announced_at DESC, sha256 LIMIT $1)",
        std::vector<Parameter>{static_cast<std::int64_t>(most_cross_certificates)});
    return {};
  });
}

Result<std::vector<CrossCertificate>> RotationRecords::cross_certificates() {
  std::vector<CrossCertificate> found;
  auto done = query(store_, "sha256, certificate, announced_by, announced_at",
                    "FROM federation_cross_certificates ORDER BY announced_at, sha256", {}, [&](const Row& row) {
                      const auto hash = sha256_from_hex(row.text(0));
                      if (!hash) return false;
                      found.push_back({*hash, row.text(1), row.text(2), row.time(3).value_or(WallTime{})});
                      return true;
                    });
  if (!done) return fail(done.error());
  return found;
}

Result<void> RotationRecords::put_retired(const RetiredAnchor& anchor) {
  return store_.transact("writing a retired anchor", [&](Transaction& at) -> Result<void> {
    at.run(
        "INSERT INTO federation_retired_anchors (sha256, retired_by, retired_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (sha256) DO NOTHING",
        std::vector<Parameter>{to_hex(anchor.sha256), anchor.retired_by, anchor.retired_at});
    return {};
  });
}

Result<std::vector<RetiredAnchor>> RotationRecords::retired() {
  std::vector<RetiredAnchor> found;
  auto done = query(store_, "sha256, retired_by, retired_at", "FROM federation_retired_anchors ORDER BY retired_at", {},
                    [&](const Row& row) {
                      const auto hash = sha256_from_hex(row.text(0));
                      if (!hash) return false;
                      found.push_back({*hash, row.text(1), row.time(2).value_or(WallTime{})});
                      return true;
                    });
  if (!done) return fail(done.error());
  return found;
}

}  // namespace fedgate::store
