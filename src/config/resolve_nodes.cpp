// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/hash.h"
#include "config/resolver.h"
#include "config/scalars.h"
#include "net/address.h"
#include "net/ascii.h"

namespace fedgate::config {
namespace {

constexpr std::string_view begin_mark = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view end_mark = "-----END CERTIFICATE-----";

}  // namespace

std::vector<std::string> certificates_of(std::string_view pem) {
  std::vector<std::string> out;
  for (auto begin = pem.find(begin_mark); begin != std::string_view::npos; begin = pem.find(begin_mark, begin + 1)) {
    const auto end = pem.find(end_mark, begin);
    if (end == std::string_view::npos) break;
    out.emplace_back(std::string(pem.substr(begin, end + end_mark.size() - begin)) + "\n");
  }
  return out;
}

void Resolver::nodes() {
  for (const auto& entry : root_.nodes) {
    auto made = node(entry);
    if (entry->alias.bound() && !made.alias.empty()) {
      const auto place = entry->alias.place;
      if (made.alias.size() > 32 ||
          made.alias.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
        report_.error(place, "`nodes[].alias` must be 1 to 32 of a-z, 0-9 and hyphen");
      } else if (const auto [first, fresh] = aliases_.emplace(made.alias, place); !fresh) {
        report_.error(place, "`nodes[].alias` is `" + made.alias + "`, and so is that at " + report_.at(first->second) +
                                 "; choose another");
      }
    }
    out_.nodes.push_back(std::move(made));
  }
}

Node Resolver::node(const draft::Group<draft::Node>& from) {
  Node into;
  into.id = *from->node_id;
  into.name = *from->name;
  into.alias = *from->alias;
  into.enabled = *from->enabled;
  into.trust_level = TrustLevel::trusted;  // an anchor in the configuration is the operator's decision
  into.source = NodeSource::configuration;
  into.defined_at = report_.line_of(from.place);
  if (from->rate_limit_per_hour.bound()) into.rate_limit_per_hour = *from->rate_limit_per_hour;
  if (from->node_id.bound() && root_.node->id.bound() && into.id == out_.node.id) {
    report_.error(from->node_id.place,
                  "`nodes[].node_id` is this gateway's own `node.id`; a gateway is not its own peer: remove the node");
  }
  for (const auto& resource : *from->resources) into.resources.push_back(*resource);
  for (const auto& [key, value] : from->metadata) into.metadata.emplace(*key, *value);
  endpoints(from.value, into);
  reads(from.value, into);
  pins(from.value, into);
  into.spiffe_id = spiffe_id(from->spiffe_id, "nodes[].spiffe_id");
  crls(from->crl, "nodes[].crl", into.id);
  anchors(from.value, into);
  intermediates(from.value, into);
  domains(from.value, into);
  return into;
}

void Resolver::endpoints(const draft::Node& from, Node& into) {
  for (const auto& endpoint : *from.endpoints) {
    const auto url = net::parse_url(*endpoint);
    if (!url) {
      report_.error(endpoint.place, "`nodes[].endpoints`: " + url.error().detail);
    } else if (url->scheme != "https") {
      report_.error(endpoint.place, "`nodes[].endpoints` must begin with https://: peers speak mutual TLS only");
    } else if (!url->path.empty()) {
      report_.error(endpoint.place, "`nodes[].endpoints` must be https://host:port without a path");
    } else {
      into.endpoints.push_back(*endpoint);
    }
  }
  if (!into.resources.empty() && from.endpoints->empty() && from.endpoints.usable()) {
    report_.error(from.resources.place, "`nodes[].resources` routes calls to a node without `endpoints`; give one");
  }
}

void Resolver::reads(const draft::Node& from, Node& into) {
  for (const auto& read : *from.reads) {
    const auto slash = read->rfind('/');
    const bool named = slash != std::string::npos && ResourceId::parse(std::string_view(*read).substr(0, slash)) &&
                       CapabilityId::parse(std::string_view(*read).substr(slash + 1));
    if (named) {
      into.reads.push_back(*read);
    } else {
      report_.error(read.place,
                    "`nodes[].reads`: `" + shorten(*read) + "` is not RESOURCE/CAPABILITY, as in inventory/lookup");
    }
  }
}

void Resolver::pins(const draft::Node& from, Node& into) {
  for (const auto& pin : *from.pins) {
    auto lower = *pin;
    std::ranges::transform(lower, lower.begin(), net::lower);
    if (sha256_from_hex(lower)) {
      into.pins.push_back(std::move(lower));
    } else {
      report_.error(pin.place, "`nodes[].pins`: `" + shorten(*pin) +
                                   "` is not a SHA-256 in hex (64 digits); `fedgate pki show CERTIFICATE` prints it");
    }
  }
}

void Resolver::anchors(const draft::Node& from, Node& into) {
  for (const auto& path : *from.trust_anchors) {
    const auto text = files_.read(path, "nodes[].trust_anchors", Secrecy::open);
    if (!text) continue;
    const auto certificates = certificates_of(*text);
    if (certificates.empty()) {
      report_.error(path.place, "`nodes[].trust_anchors`: " + files_.locate(path, "nodes[].trust_anchors") +
                                    " holds no PEM certificate (-----BEGIN CERTIFICATE-----)");
    }
    for (const auto& pem : certificates) anchor(from, path, pem, into);
  }
}

void Resolver::anchor(const draft::Node& from, const draft::Text& path, const std::string& pem, Node& into) {
  const auto name = "`nodes[].trust_anchors`: " + files_.locate(path, "nodes[].trust_anchors");
  const auto facts = trust::certificate_facts(pem);
  if (!facts) return report_.error(path.place, name + ": " + facts.error().detail);
  if (!facts->is_ca) {
    return report_.error(path.place, name + " is not a CA certificate (" + facts->subject +
                                         "); ask the other organisation for its CA's");
  }
  if (const auto flaws = trust::flaws_of_anchor(pem)) {
    for (const auto& flaw : *flaws)
      report_.error(path.place, name + ": " + flaw.detail + " (" + std::string(flaw.id()) + ", docs/trust.md)");
  }
  if (clock_.wall() >= facts->not_after) {
    report_.warning(path.place, name + " expired on " + date_text(facts->not_after) +
                                    "; every certificate of that node is refused until it is replaced");
  }
  const bool pinned = !from.pins->empty();
  const auto [first, fresh] = anchors_.emplace(facts->public_key, Anchored{into.id.str(), path.place, pinned});
  if (!fresh && first->second.node != into.id.str() && !(pinned && first->second.pinned)) {
    report_.error(
        path.place,
        name + " is also an anchor of " + first->second.node + " at " + report_.at(first->second.place) +
            "; an anchor speaks for exactly one node_id: use each organisation's own CA, or give `pins` on both");
  }
  into.trust_anchors.push_back(pem);
}

void Resolver::domains(const draft::Node& from, Node& into) {
  const auto claim = [&](const Domain& domain, Place place) {
    const auto [first, fresh] = domains_.emplace(domain.str(), "node " + into.id.str());
    if (!fresh) {
      report_.error(place, "the principal domain `" + domain.str() + "` belongs to " + first->second +
                               " already; one node vouches for a domain");
      return;
    }
    into.principal_domains.push_back(domain);
  };
  for (const auto& domain : *from.principal_domains) claim(*domain, domain.place);
  if (from.principal_domains.state != draft::List<Domain>::State::absent || !from.node_id.bound()) return;
  if (const auto domain = Domain::parse(into.id.view()); domain && into.id != out_.node.id)
    claim(*domain, from.node_id.place);
}

}  // namespace fedgate::config
