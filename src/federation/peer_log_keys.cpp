// SPDX-License-Identifier: Apache-2.0
#include "federation/peer_log_keys.h"

#include <algorithm>

namespace fedgate::federation {

PeerLogKeys::PeerLogKeys() : table_(std::make_shared<const Table>()) {}

std::vector<wire::VerifierKey> PeerLogKeys::log_keys(const NodeId& node) const {
  const auto now = table();
  const auto found = now->find(node);
  return found == now->end() ? std::vector<wire::VerifierKey>() : found->second.logs;
}

std::vector<wire::VerifierKey> PeerLogKeys::keys_of(const NodeId& node, std::string_view log) const {
  auto keys = log_keys(node);
  std::erase_if(keys, [&](const wire::VerifierKey& key) { return key.name != log; });
  return keys;
}

std::optional<wire::VerifierKey> PeerLogKeys::witness_key(const NodeId& node) const {
  const auto now = table();
  const auto found = now->find(node);
  return found == now->end() ? std::nullopt : found->second.witness;
}

void PeerLogKeys::publish(Table table) { table_.publish(std::make_shared<const Table>(std::move(table))); }

PeerLogKeys::Known keys_in(const StatedBundle& bundle) {
  PeerLogKeys::Known known;
  known.bundle = bundle.sha256;
  const auto own = bundle.value.node.str() + "/fedgate/";
  for (const auto& text : bundle.value.log_vkeys) {
    auto key = wire::parse_vkey(text);
    if (key && key->algorithm == wire::NoteAlgorithm::ed25519 && key->name.starts_with(own + "log/"))
      known.logs.push_back(std::move(*key));
  }
  auto witness = wire::parse_vkey(bundle.value.witness_vkey);
  if (witness && witness->algorithm == wire::NoteAlgorithm::cosignature_v1 && witness->name == own + "witness")
    known.witness = std::move(*witness);
  return known;
}

}  // namespace fedgate::federation
