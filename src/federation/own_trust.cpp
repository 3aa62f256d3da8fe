// SPDX-License-Identifier: Apache-2.0
#include "federation/own_trust.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>

#include "store/rotation_records.h"
#include "trust/enrolment.h"
#include "wire/bundle_text.h"

namespace fedgate::federation {

namespace {

/// What operators have retired stays so, however long the configuration still names it.
Result<std::vector<std::string>> without_retired(store::Store& store, const std::vector<std::string>& anchors) {
  const auto retired = store::RotationRecords(store).retired();
  if (!retired) return fail(retired.error());
  std::vector<std::string> left;
  for (const auto& pem : anchors) {
    const auto hash = trust::pem_sha256(pem);
    if (!hash || std::ranges::find(*retired, *hash, &store::RetiredAnchor::sha256) == retired->end())
      left.push_back(pem);
  }
  if (left.empty())
    return fail(Code::invalid_configuration, "every CA certificate in trust.anchors is retired: add the one in use");
  return left;
}

/// `NODE/fedgate/log/REPLICA` of a key.
std::string log_of(std::string_view vkey) {
  const auto name = vkey.substr(0, vkey.find('+'));
  return std::string(name.substr(0, name.rfind('/')));
}

/// Ours in the place of what is recorded for our log; those of other replicas stay. By log, so that replicas which each
/// bring their own come to the same list.
std::vector<std::string> with_ours(const std::vector<std::string>& recorded, const std::vector<std::string>& ours) {
  if (ours.empty()) return recorded;
  const auto own_log = log_of(ours.front());
  std::map<std::string, std::vector<std::string>> by_log;
  for (const auto& key : recorded)
    if (log_of(key) != own_log) by_log[log_of(key)].push_back(key);
  std::size_t others = 0;
  for (const auto& [log, keys] : by_log) others += keys.size();
  const auto room = others < wire::most_bundle_keys ? wire::most_bundle_keys - others : 1;
  by_log[own_log] = ours;
  if (by_log[own_log].size() > room) by_log[own_log].resize(room);
  std::vector<std::string> all;
  for (auto& [log, keys] : by_log) std::ranges::move(keys, std::back_inserter(all));
  return all;
}

/// The newest that is recorded, or the next, which `change` makes of it (or of nothing).
template <class Change>
Result<StatedBundle> recorded_or_next(store::TrustRecords& records, const NodeId& own, WallTime now, Change change) {
  // Another replica may record the same or another one meanwhile: then look again.
  for (int attempt = 0;; ++attempt) {
    const auto newest = records.newest_bundle(own);
    if (!newest) return fail(newest.error());
    std::optional<StatedBundle> recorded;
    if (*newest) {
      auto parsed = wire::parse_bundle((*newest)->text);
      if (!parsed) return fail(parsed.error().in("our own recorded bundle"));
      recorded = std::move(*parsed);
    }
    Bundle wanted = change(recorded);
    if (recorded) {
      wanted.seq = recorded->value.seq;
      wanted.previous = recorded->value.previous;
      if (wanted == recorded->value) return *recorded;
      wanted.seq += 1;
      wanted.previous = recorded->sha256;
    }
    auto stated = wire::state_bundle(wanted);
    if (!stated) return fail(stated.error().in("our own bundle"));
    const auto put =
        records.put_bundle({own, wanted.seq, stated->sha256, stated->text, now}, store::History::continues);
    if (put) return stated;
    if (put.error().code != Code::conflict || attempt == 3) return fail(put.error());
  }
}

}  // namespace

Result<StatedBundle> own_bundle(store::TrustRecords& records, const OwnTrust& own, WallTime now, WitnessKey witness) {
  if (own.anchors.empty())
    return fail(Code::invalid_configuration,
                "this gateway does not know its own CA's certificate, which others must be shown: set trust.anchors");
  Bundle wanted;
  wanted.node = own.id;
  wanted.endpoints = own.endpoints;
  wanted.principal_domains = own.principal_domains;
  auto anchors = without_retired(records.store(), own.anchors);
  if (!anchors) return fail(anchors.error());
  wanted.anchors = std::move(*anchors);
  return recorded_or_next(records, own.id, now, [&](const std::optional<StatedBundle>& recorded) {
    Bundle next = wanted;
    next.log_vkeys = with_ours(recorded ? recorded->value.log_vkeys : std::vector<std::string>(), own.log_vkeys);
    const bool keep = recorded && !recorded->value.witness_vkey.empty() &&
                      (witness == WitnessKey::as_recorded || own.witness_vkey.empty());
    next.witness_vkey = keep ? recorded->value.witness_vkey : own.witness_vkey;
    return next;
  });
}

Result<StatedBundle> bundle_with_log_keys(store::TrustRecords& records, const OwnTrust& own, WallTime now) {
  const auto newest = records.newest_bundle(own.id);
  if (!newest) return fail(newest.error());
  if (!*newest) return own_bundle(records, own, now);
  return recorded_or_next(records, own.id, now, [&](const std::optional<StatedBundle>& recorded) {
    Bundle next = recorded->value;
    next.log_vkeys = with_ours(next.log_vkeys, own.log_vkeys);
    if (next.witness_vkey.empty()) next.witness_vkey = own.witness_vkey;
    return next;
  });
}

bool states_log_keys(const Bundle& recorded, const OwnTrust& own) {
  return recorded.log_vkeys == with_ours(recorded.log_vkeys, own.log_vkeys) &&
         (own.witness_vkey.empty() || !recorded.witness_vkey.empty());
}

Bundle claims_of(const OwnTrust& own) {
  Bundle claims;
  claims.node = own.id;
  claims.principal_domains = own.principal_domains;
  claims.anchors = own.anchors;
  return claims;
}

trust::OwnParty as_server(const OwnTrust& own, StatedBundle bundle) {
  return {std::move(bundle), own.server_certificate, own.server_key};
}

trust::OwnParty as_client(const OwnTrust& own, StatedBundle bundle) {
  return {std::move(bundle), own.client_certificate, own.client_key};
}

}  // namespace fedgate::federation
