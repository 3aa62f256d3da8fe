// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "config/loader.h"
#include "config/resolver.h"
#include "config/scalars.h"
#include "trust/name_syntax.h"

namespace fedgate::config {

void Resolver::trust() {
  const auto& from = root_.trust.value;
  out_.trust.enrolment = *from.enrolment;
  const auto add = [&](const std::string& pem, Place place, const std::string& name) {
    const auto facts = trust::certificate_facts(pem);
    if (!facts) return report_.error(place, name + ": " + facts.error().detail);
    if (!facts->is_ca) return report_.error(place, name + " is not a CA certificate (" + facts->subject + ")");
    out_.trust.anchors.push_back(pem);
  };
  for (const auto& path : *from.anchors) {
    const auto text = files_.read(path, "trust.anchors", Secrecy::open);
    if (!text) continue;
    const auto name = "`trust.anchors`: " + files_.locate(path, "trust.anchors");
    const auto certificates = certificates_of(*text);
    if (certificates.empty())
      report_.error(path.place, name + " holds no PEM certificate (-----BEGIN CERTIFICATE-----)");
    for (const auto& pem : certificates) add(pem, path.place, name);
  }
  if (from.anchors.state != draft::List<std::string>::State::absent) return;
  for (const auto& pem : certificates_of(out_.tls.certificate_pem))
    if (const auto facts = trust::certificate_facts(pem); facts && facts->is_ca) out_.trust.anchors.push_back(pem);
}

void Resolver::expiry_warnings() {
  const auto& from = root_.tls->expiry_warnings;
  if (!from.bound()) return;
  out_.expiry_warnings.clear();
  for (const auto& text : *from) {
    const auto mark = parse_duration(*text);
    if (!mark || *mark < std::chrono::minutes(1)) {
      report_.error(text.place, "`tls.expiry_warnings`: `" + shorten(*text) + "` is not a duration such as 30d or 12h");
      continue;
    }
    out_.expiry_warnings.push_back(std::chrono::floor<std::chrono::seconds>(*mark));
  }
  std::ranges::sort(out_.expiry_warnings, std::greater());
}

// A list that cannot be believed is an error: the earlier files stay in use. One that is out of date is not: it must
// still refuse what it covers, and say so.
void Resolver::crls(const draft::List<std::string>& files, std::string_view key, const NodeId& node) {
  const auto now = clock_.wall();
  for (const auto& path : *files) {
    auto text = files_.read(path, key, Secrecy::open, trust::RevocationLists::most_bytes);
    if (!text) continue;
    trust::CrlSource source{files_.locate(path, key), std::move(*text), node};
    const auto prefix = "`" + std::string(key) + "`: ";
    std::vector<Error> problems;
    const auto lists = trust::RevocationLists::make({&source, 1}, &problems);
    for (const auto& problem : problems) report_.error(path.place, prefix + problem.detail);
    for (const auto& facts : lists->facts()) {
      if (!facts.problems.empty()) continue;
      if (now >= facts.next_update)
        report_.warning(path.place, prefix + source.name + " was to be replaced by " + date_text(facts.next_update) +
                                        ": every certificate that it covers is refused; fetch the newest one");
      else if (now < facts.this_update)
        report_.warning(path.place,
                        prefix + source.name + " is not valid before " + date_text(facts.this_update) +
                            ": every certificate that it covers is refused; is this machine's clock right?");
    }
    out_.crls.push_back(std::move(source));
  }
}

std::string Resolver::spiffe_id(const draft::Text& from, std::string_view key) {
  if (!from.bound() || from->empty()) return {};
  if (const auto checked = trust::check_spiffe_id(*from); !checked) {
    report_.error(from.place, "`" + std::string(key) + "`: `" + shorten(*from) + "` is " + checked.error().detail);
    return {};
  }
  return *from;
}

void Resolver::intermediates(const draft::Node& from, Node& into) {
  for (const auto& path : *from.intermediates) {
    const auto text = files_.read(path, "nodes[].intermediates", Secrecy::open);
    if (!text) continue;
    const auto name = "`nodes[].intermediates`: " + files_.locate(path, "nodes[].intermediates");
    const auto certificates = certificates_of(*text);
    if (certificates.empty())
      report_.error(path.place, name + " holds no PEM certificate (-----BEGIN CERTIFICATE-----)");
    for (const auto& pem : certificates) {
      const auto facts = trust::certificate_facts(pem);
      if (!facts) {
        report_.error(path.place, name + ": " + facts.error().detail);
      } else if (!facts->is_ca || facts->self_signed) {
        report_.error(path.place, name + (facts->is_ca ? " is a root (" : " is not a CA certificate (") +
                                      facts->subject + "); an intermediate is a CA that another CA has certified");
      } else {
        if (const auto flaws = trust::flaws_of_intermediate(pem))
          for (const auto& flaw : *flaws)
            report_.error(path.place, name + ": " + flaw.detail + " (" + std::string(flaw.id()) + ", docs/trust.md)");
        if (clock_.wall() >= facts->not_after)
          report_.warning(path.place, name + " expired on " + date_text(facts->not_after) +
                                          "; certificates that need it are refused until it is replaced");
        into.intermediates.push_back(pem);
      }
    }
  }
}

bool Resolver::names_us(const trust::CertificateFacts& facts) const {
  if (!out_.node.spiffe_id.empty()) return facts.uris == std::vector{out_.node.spiffe_id};
  return std::ranges::find(facts.dns_names, out_.node.id.str()) != facts.dns_names.end();
}

void Resolver::own_flaws(const trust::CertificateFacts& facts, const std::string& pem, Place place,
                         std::string_view key) {
  using trust::Reason;
  if (facts.is_ca || !names_us(facts)) return;
  // The usages of each direction are checked by themselves.
  const auto flaws = trust::flaws_of_leaf(pem, trust::Presented::by_server);
  if (!flaws) return;
  for (const auto& flaw : *flaws) {
    if (flaw.reason == Reason::eku_missing || flaw.reason == Reason::eku_wrong) continue;
    report_.error(place, "`" + std::string(key) + "`: " + flaw.detail + "; peers would refuse it (" +
                             std::string(flaw.id()) + ", docs/trust.md)");
  }
}

}  // namespace fedgate::config
