// SPDX-License-Identifier: Apache-2.0
//
// What operators do about our own anchors, and what is known of everybody's bundles.
#include <algorithm>

#include "base/hash.h"
#include "federation/bundle_exchange.h"
#include "trust/enrolment.h"
#include "trust/openssl.h"
#include "trust/pairing.h"
#include "wire/bundle_text.h"

namespace fedgate::federation {

namespace {

constexpr std::size_t longest_cross_certificate = 4096;
constexpr std::size_t named = 10;  // nodes in one sentence

std::string names_of(const std::vector<NodeId>& nodes) {
  std::string text;
  for (std::size_t i = 0; i < std::min(nodes.size(), named); ++i)
    text.append(text.empty() ? "" : ", ").append(nodes[i].view());
  if (nodes.size() > named) text += " and " + std::to_string(nodes.size() - named) + " more";
  return text;
}

bool contains(const std::vector<std::string>& list, const std::string& one) {
  return std::ranges::find(list, one) != list.end();
}

}  // namespace

BundleExchange::BundleExchange(Parts parts)
    : parts_(std::move(parts)),
      records_(parts_.store),
      rotations_(parts_.store),
      seen_(std::make_shared<const Seen>()) {}

Result<void> BundleExchange::look() {
  const std::lock_guard looking(looking_);
  auto next = std::make_shared<Seen>();
  const auto before = seen_.load();
  auto heads = rotations_.bundle_heads();
  if (!heads) return fail(heads.error());
  next->heads = std::move(*heads);
  const auto own_id = parts_.own.load()->id;
  if (const auto own = next->heads.find(own_id); own != next->heads.end()) {
    if (before->own && before->own->sha256 == own->second.sha256) {
      next->own = before->own;
    } else {
      const auto record = records_.newest_bundle(own_id);
      if (!record) return fail(record.error());
      auto parsed = wire::parse_bundle(*record ? (*record)->text : std::string());
      if (!parsed) return fail(Code::store_unavailable, "our own recorded bundle: " + parsed.error().detail);
      next->own = std::move(*parsed);
    }
  }
  if (auto read = read_log_keys(next->heads); !read) return read;
  const auto crosses = rotations_.cross_certificates();
  if (!crosses) return fail(crosses.error());
  for (const auto& one : *crosses) next->cross_certificates.push_back(one.pem);
  auto ours = rotations_.acknowledgements(store::Given::ours);
  if (!ours) return fail(ours.error());
  next->ours = std::move(*ours);
  auto theirs = rotations_.acknowledgements(store::Given::theirs);
  if (!theirs) return fail(theirs.error());
  next->theirs = std::move(*theirs);
  const auto table = parts_.registry.table().load();
  const std::lock_guard lock(mutex_);
  std::erase_if(contacts_, [&](const auto& one) { return table->find(one.first) == nullptr; });
  // Where somebody else has decided, it goes on at once.
  for (auto& [node, contact] : contacts_) {
    const auto was = before->heads.find(node);
    const auto is = next->heads.find(node);
    if (is == next->heads.end() || (was != before->heads.end() && was->second.sha256 == is->second.sha256)) continue;
    contact.next = {};
    contact.setbacks = 0;
    contact.waits.clear();
  }
  seen_.publish(std::move(next));
  return {};
}

/// With `looking_` held.
Result<void> BundleExchange::read_log_keys(const std::map<NodeId, store::BundleHead>& heads) {
  const auto before = parts_.log_keys.table();
  PeerLogKeys::Table table;
  for (const auto& [node, head] : heads) {
    const auto known = before->find(node);
    if (known != before->end() && known->second.bundle == head.sha256) {
      table.insert(*known);
      continue;
    }
    const auto record = records_.newest_bundle(node);
    if (!record) return fail(record.error());
    const auto bundle = wire::parse_bundle(*record ? (*record)->text : std::string());
    // One of a version that is not known here any more: its node is as if it had none.
    if (bundle) table.emplace(node, keys_in(*bundle));
  }
  parts_.log_keys.publish(std::move(table));
  return {};
}

Result<void> BundleExchange::state_log_keys() {
  const auto bundle = bundle_with_log_keys(records_, *parts_.own.load(), parts_.clock.wall());
  if (!bundle) return fail(bundle.error());
  return look();
}

std::optional<wire::BundleMark> BundleExchange::published() const {
  const auto seen = seen_.load();
  if (!seen->own) return std::nullopt;
  return wire::BundleMark{seen->own->value.seq, seen->own->sha256};
}

std::optional<std::string> BundleExchange::own_witness_key() const {
  const auto seen = seen_.load();
  return seen->own ? std::optional(seen->own->value.witness_vkey) : std::nullopt;
}

BundleState BundleExchange::state(const NodeId& node) const {
  BundleState state;
  const auto seen = seen_.load();
  if (const auto head = seen->heads.find(node); head != seen->heads.end()) {
    state.known = wire::BundleMark{head->second.seq, head->second.sha256};
    const auto ours = seen->ours.find(node);
    state.acknowledged = ours != seen->ours.end() && ours->second.bundle == head->second.sha256;
    if (seen->own)
      state.fingerprint = trust::fingerprint(seen->own->value.node, seen->own->sha256, node, head->second.sha256);
  }
  if (const auto theirs = seen->theirs.find(node); theirs != seen->theirs.end()) {
    state.acknowledged_by_it = theirs->second.seq;
    state.current = seen->own && theirs->second.bundle == seen->own->sha256;
  }
  const std::lock_guard lock(mutex_);
  if (const auto contact = contacts_.find(node); contact != contacts_.end()) {
    state.offered = contact->second.offered;
    state.waits = contact->second.waits;
  }
  return state;
}

std::vector<std::string> BundleExchange::attention() const {
  constexpr std::size_t most = 5;
  std::vector<std::string> list;
  const std::lock_guard lock(mutex_);
  for (const auto& [node, contact] : contacts_)
    // The desk speaks of those that left a candidate.
    if (!contact.waits.empty() && !contact.candidate && list.size() < most)
      list.push_back("the anchors of " + node.str() + " wait for " + contact.waits);
  return list;
}

std::vector<NodeId> BundleExchange::without_acknowledgement(const Seen& seen) const {
  std::vector<NodeId> waiting;
  const auto table = parts_.registry.table().load();
  for (const auto& node : table->all()) {
    if (!node.usable()) continue;
    const auto theirs = seen.theirs.find(node.id);
    if (!seen.own || theirs == seen.theirs.end() || theirs->second.bundle != seen.own->sha256)
      waiting.push_back(node.id);
  }
  return waiting;
}

Result<BundleExchange::Rotation> BundleExchange::rotation(const Seen& seen) const {
  if (!seen.own) return fail(Code::internal, "our bundle was not recorded");
  Rotation rotation;
  rotation.bundle = *seen.own;
  rotation.waiting = without_acknowledgement(seen);
  return rotation;
}

/// What an operator gave, judged as others will judge it.
Result<std::vector<store::CrossCertificate>> BundleExchange::read_crosses(const std::string& who,
                                                                          const std::string& pem) const {
  std::vector<store::CrossCertificate> crosses;
  if (pem.empty()) return crosses;
  const auto certificates = trust::read_certificates(pem, most_cross_certificates);
  if (!certificates) return fail(Code::bad_request, "the cross certificate: " + certificates.error().detail);
  const auto own = parts_.own.load();
  for (const auto& certificate : *certificates) {
    auto text = trust::pem_of(certificate.get());
    const auto hash = trust::certificate_sha256(certificate.get());
    if (!text) return fail(text.error());
    if (!hash) return fail(hash.error());
    if (text->size() > longest_cross_certificate)
      return fail(Code::bad_request,
                  "a cross certificate of more than " + std::to_string(longest_cross_certificate) + " bytes");
    if (auto about = trust::certified_anchor(*text, own->anchors, parts_.clock.wall()); !about)
      return fail(Code::bad_request, about.error().detail);
    crosses.push_back({*hash, std::move(*text), who, parts_.clock.wall()});
  }
  return crosses;
}

/// On the pool.
Result<BundleExchange::Rotation> BundleExchange::announce_blocking(
    const std::vector<store::CrossCertificate>& crosses) {
  const auto own = parts_.own.load();
  const auto now = parts_.clock.wall();
  const auto before = records_.newest_bundle(own->id);
  if (!before) return fail(before.error());
  std::vector<std::string> known;
  if (*before)
    if (auto parsed = wire::parse_bundle((*before)->text)) known = std::move(parsed->value.anchors);
  for (const auto& one : crosses)
    if (auto put = rotations_.put_cross_certificate(one); !put) return fail(put.error());
  const auto bundle = own_bundle(records_, *own, now, WitnessKey::ours);
  if (!bundle) return fail(bundle.error());
  if (auto looked = look(); !looked) return fail(looked.error());
  const auto seen = seen_.load();
  auto made = rotation(*seen);
  if (!made) return made;
  // Which of them will others not believe by themselves? Those that neither a cross certificate nor our own speaks for.
  const auto& anchors = made->bundle.value.anchors;
  std::vector<bool> certified(anchors.size(), false);
  for (const auto& cross : seen->cross_certificates)
    if (const auto about = trust::certified_anchor(cross, anchors, now)) certified[*about] = true;
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    if (certified[i] || contains(known, anchors[i])) continue;
    if (known.empty() && trust::stands_on(own->id, own->server_certificate, {&anchors[i], 1}, now)) continue;
    if (const auto hash = trust::pem_sha256(anchors[i])) made->uncertified.push_back(to_hex(*hash));
  }
  return made;
}

Task<Result<BundleExchange::Rotation>> BundleExchange::announce(std::string who, std::string cross_certificates) {
  auto crosses = read_crosses(who, cross_certificates);
  if (!crosses) co_return fail(crosses.error());
  auto intent = co_await parts_.acts.begin({.who = std::move(who),
                                            .action = "trust_announce",
                                            .subject = parts_.own.load()->id.str(),
                                            .reason = std::to_string(crosses->size()) + " cross certificates given"});
  if (!intent) co_return fail(intent.error());
  auto made = co_await parts_.pool.run([&] { return announce_blocking(*crosses); });
  Result<void> done;
  if (!made) done = fail(made.error());
  auto ended = co_await parts_.acts.end(std::move(*intent), std::move(done));
  if (made && !ended) co_return fail(ended.error().in("it is announced, but how that ended could not be recorded"));
  if (made) parts_.log.info("our bundle is announced", {{"seq", made->bundle.value.seq}});
  co_return made;
}

/// What is left must carry the certificates that we present now.
Result<void> BundleExchange::check_retirable(const Sha256& anchor, const StatedBundle& bundle) const {
  const auto own = parts_.own.load();
  std::vector<std::string> left;
  bool there = false;
  for (const auto& pem : bundle.value.anchors) {
    const auto hash = trust::pem_sha256(pem);
    if (hash && *hash == anchor)
      there = true;
    else
      left.push_back(pem);
  }
  if (!there)
    return fail(Code::not_found, to_hex(anchor) + " is no anchor of our bundle; `fedgate trust announce` names those");
  if (left.empty())
    return fail(Code::conflict, "it is our only anchor: add the new CA to trust.anchors and announce it first");
  for (const auto& chain : {own->server_certificate, own->client_certificate})
    if (auto stood = trust::stands_on(own->id, chain, left, parts_.clock.wall()); !stood)
      return fail(Code::conflict, "without it nobody would believe the certificate that this gateway presents (" +
                                      stood.error().detail + "): switch to one of the new CA first, and reload");
  return {};
}

Task<Result<BundleExchange::Rotation>> BundleExchange::retire(std::string who, Sha256 anchor, Force force) {
  auto waiting = co_await parts_.pool.run([&]() -> Result<std::vector<NodeId>> {
    const auto bundle = own_bundle(records_, *parts_.own.load(), parts_.clock.wall());
    if (!bundle) return fail(bundle.error());
    if (auto looked = look(); !looked) return fail(looked.error());
    if (auto checked = check_retirable(anchor, *bundle); !checked) return fail(checked.error());
    return without_acknowledgement(*seen_.load());
  });
  if (!waiting) co_return fail(waiting.error());
  if (!waiting->empty() && force == Force::no)
    co_return fail(Code::conflict, "these nodes have not acknowledged our newest bundle: " + names_of(*waiting) +
                                       ". Wait for them, or leave them behind with --force: they enrol again");
  auto intent = co_await parts_.acts.begin(
      {.who = who,
       .action = "trust_retire",
       .subject = parts_.own.load()->id.str(),
       .reason = to_hex(anchor) + (waiting->empty() ? "" : "; left behind: " + names_of(*waiting))});
  if (!intent) co_return fail(intent.error());
  auto made = co_await parts_.pool.run([&]() -> Result<Rotation> {
    if (auto put = rotations_.put_retired({anchor, who, parts_.clock.wall()}); !put) return fail(put.error());
    return announce_blocking({});
  });
  Result<void> done;
  if (!made) done = fail(made.error());
  auto ended = co_await parts_.acts.end(std::move(*intent), std::move(done));
  if (!made) co_return made;
  if (!ended) co_return fail(ended.error().in("it is retired, but how that ended could not be recorded"));
  made->left_behind = std::move(*waiting);
  parts_.log.info("an anchor of ours is retired", {{"anchor", to_hex(anchor)}, {"seq", made->bundle.value.seq}});
  co_return made;
}

}  // namespace fedgate::federation
