// SPDX-License-Identifier: Apache-2.0
#include "federation/own_trust.h"

#include <algorithm>

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

}  // namespace

Result<StatedBundle> own_bundle(store::TrustRecords& records, const OwnTrust& own, WallTime now) {
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
  // Another replica may record the same or another one meanwhile: then look again.
  for (int attempt = 0;; ++attempt) {
    const auto newest = records.newest_bundle(own.id);
    if (!newest) return fail(newest.error());
    if (*newest) {
      auto recorded = wire::parse_bundle((*newest)->text);
      if (!recorded) return fail(recorded.error().in("our own recorded bundle"));
      wanted.seq = recorded->value.seq;
      wanted.previous = recorded->value.previous;
      if (wanted == recorded->value) return recorded;
      wanted.seq += 1;
      wanted.previous = recorded->sha256;
    }
    auto stated = wire::state_bundle(wanted);
    if (!stated) return fail(stated.error().in("our own bundle"));
    const auto put =
        records.put_bundle({own.id, wanted.seq, stated->sha256, stated->text, now}, store::History::continues);
    if (put) return stated;
    if (put.error().code != Code::conflict || attempt == 3) return fail(put.error());
  }
}

trust::OwnParty as_server(const OwnTrust& own, StatedBundle bundle) {
  return {std::move(bundle), own.server_certificate, own.server_key};
}

trust::OwnParty as_client(const OwnTrust& own, StatedBundle bundle) {
  return {std::move(bundle), own.client_certificate, own.client_key};
}

}  // namespace fedgate::federation
