// SPDX-License-Identifier: Apache-2.0
#include "trust/name_constraints.h"

#include <bit>
#include <optional>
#include <string>
#include <vector>

#include "trust/certificate_rules.h"
#include "trust/name_syntax.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

constexpr int most_constraints = 100;

using Subtrees = STACK_OF(GENERAL_SUBTREE);

int count_of(const Subtrees* trees) { return trees == nullptr ? 0 : sk_GENERAL_SUBTREE_num(trees); }

/// `host`, or `.domain` where that is allowed.
bool is_host_or_domain(std::string_view text) {
  return is_dns_name(text) || (text.starts_with('.') && is_dns_name(text.substr(1)));
}

/// An address and a mask whose ones all stand before its zeros.
bool is_network(std::string_view bytes) {
  if (bytes.size() != 8 && bytes.size() != 32) return false;
  bool ended = false;
  for (const char c : bytes.substr(bytes.size() / 2)) {
    const auto byte = static_cast<unsigned char>(c);
    if (ended && byte != 0) return false;
    const int ones = std::countl_one(byte);
    if (ones != std::popcount(byte)) return false;
    ended = ended || ones != 8;
  }
  return true;
}

bool is_well_formed(const GENERAL_NAME* base) {
  switch (base->type) {
    case GEN_DNS: {
      const auto text = view_of(base->d.dNSName);
      return text.empty() || is_dns_name(text);  // the empty one means all
    }
    case GEN_EMAIL: {
      const auto text = view_of(base->d.rfc822Name);
      return text.contains('@') ? is_mailbox(text) : is_host_or_domain(text);
    }
    case GEN_URI:
      return is_host_or_domain(view_of(base->d.uniformResourceIdentifier));
    case GEN_IPADD:
      return is_network(view_of(base->d.iPAddress));
    default:
      return true;
  }
}

void check_trees(const About& about, const Subtrees* trees) {
  if (trees == nullptr) return;
  const int count = count_of(trees);
  if (count == 0) return about.add(Reason::name_constraints_malformed, "its name constraints hold an empty list");
  if (count > most_constraints)
    return about.add(Reason::oversized, "it has more than " + std::to_string(most_constraints) + " name constraints");
  for (int i = 0; i < count; ++i) {
    const GENERAL_SUBTREE* tree = sk_GENERAL_SUBTREE_value(trees, i);
    const bool minimum = tree->minimum != nullptr && ASN1_INTEGER_get(tree->minimum) != 0;
    if (minimum || tree->maximum != nullptr)
      about.add(Reason::name_constraints_malformed, "its name constraints have a minimum or a maximum");
    if (!is_well_formed(tree->base))
      about.add(Reason::name_constraints_malformed, "one of its name constraints is not written as its kind must be");
  }
}

bool dns_within(std::string_view name, std::string_view base) {
  const auto lower = folded(name);
  const auto limit = folded(base);
  return limit.empty() || lower == limit || lower.ends_with("." + limit);
}

/// RFC 5280: `host` means that host, `.domain` what lies below it.
bool host_within(std::string_view host, std::string_view base) {
  const auto lower = folded(host);
  const auto limit = folded(base);
  return limit.starts_with('.') ? lower.ends_with(limit) : lower == limit;
}

bool mailbox_within(std::string_view mailbox, std::string_view base) {
  const auto at = mailbox.find('@');
  const auto host = mailbox.substr(at + 1);
  const auto base_at = base.find('@');
  if (base_at == std::string_view::npos) return host_within(host, base);
  return mailbox.substr(0, at) == base.substr(0, base_at) && folded(host) == folded(base.substr(base_at + 1));
}

bool address_within(std::string_view address, std::string_view network) {
  if (network.size() != 2 * address.size()) return false;
  for (std::size_t i = 0; i < address.size(); ++i)
    if (((address[i] ^ network[i]) & network[address.size() + i]) != 0) return false;
  return true;
}

bool within(const GENERAL_NAME* name, const GENERAL_NAME* base) {
  switch (name->type) {
    case GEN_DNS:
      return dns_within(view_of(name->d.dNSName), view_of(base->d.dNSName));
    case GEN_EMAIL:
      return mailbox_within(view_of(name->d.rfc822Name), view_of(base->d.rfc822Name));
    case GEN_URI: {
      const auto host = host_of_uri(view_of(name->d.uniformResourceIdentifier));
      return host && host_within(*host, view_of(base->d.uniformResourceIdentifier));
    }
    default:
      return address_within(view_of(name->d.iPAddress), view_of(base->d.iPAddress));
  }
}

enum class Verdict : std::uint8_t { unconstrained, within, outside, not_understood };

/// What cannot be compared must not slip past an exclusion.
bool is_comparable(const GENERAL_NAME* name) {
  switch (name->type) {
    case GEN_DNS:
    case GEN_IPADD:
      return true;
    case GEN_EMAIL:
      return is_mailbox(view_of(name->d.rfc822Name));
    case GEN_URI:
      return host_of_uri(view_of(name->d.uniformResourceIdentifier)).has_value();
    default:
      return false;
  }
}

Verdict judge(const GENERAL_NAME* name, const NAME_CONSTRAINTS* constraints) {
  if (name->type == GEN_DIRNAME) return Verdict::unconstrained;  // OpenSSL compares these
  const bool comparable = is_comparable(name);
  Verdict verdict = Verdict::unconstrained;
  const auto each = [&](const Subtrees* trees, auto&& what) {
    for (int i = 0; i < count_of(trees); ++i) {
      const GENERAL_NAME* base = sk_GENERAL_SUBTREE_value(trees, i)->base;
      if (base->type != name->type) continue;
      if (!comparable) return void(verdict = Verdict::not_understood);
      what(within(name, base));
    }
  };
  each(constraints->permittedSubtrees, [&](bool inside) {
    if (verdict != Verdict::within) verdict = inside ? Verdict::within : Verdict::outside;
  });
  if (verdict == Verdict::outside || verdict == Verdict::not_understood) return verdict;
  each(constraints->excludedSubtrees, [&](bool inside) {
    if (inside) verdict = Verdict::outside;
  });
  return verdict;
}

/// The names in subjectAltName and the mail addresses in the subject, as RFC 5280 demands of old certificates.
struct Names {
  GeneralNamesPtr listed;
  std::vector<Owned<GENERAL_NAME, GENERAL_NAME_free>> in_subject;

  explicit Names(const X509* certificate) : listed(extension<GeneralNamesPtr>(certificate, NID_subject_alt_name)) {
    const X509_NAME* subject = X509_get_subject_name(certificate);
    for (int at = X509_NAME_get_index_by_NID(subject, NID_pkcs9_emailAddress, -1); at >= 0;
         at = X509_NAME_get_index_by_NID(subject, NID_pkcs9_emailAddress, at)) {
      const auto text = view_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
      Owned<GENERAL_NAME, GENERAL_NAME_free> name(GENERAL_NAME_new());
      ASN1_IA5STRING* copy = ASN1_IA5STRING_new();
      if (!name || copy == nullptr) continue;
      ASN1_STRING_set(copy, text.data(), static_cast<int>(text.size()));
      GENERAL_NAME_set0_value(name.get(), GEN_EMAIL, copy);
      in_subject.push_back(std::move(name));
    }
  }
  template <class Each>
  void each(Each&& what) const {
    for (int i = 0; listed && i < sk_GENERAL_NAME_num(listed.get()); ++i) what(sk_GENERAL_NAME_value(listed.get(), i));
    for (const auto& name : in_subject) what(name.get());
  }
};

void check_against(const About& about, const Names& names, const NAME_CONSTRAINTS* constraints, X509* issuer) {
  names.each([&](const GENERAL_NAME* name) {
    if (about.all().enough()) return;
    const auto verdict = judge(name, constraints);
    if (verdict == Verdict::unconstrained || verdict == Verdict::within) return;
    about.add(
        Reason::name_not_permitted,
        std::string(verdict == Verdict::outside ? "one of its names lies outside the name constraints of "
                                                : "one of its names cannot be compared with the constraints of ") +
            shown(subject_of(issuer)));
  });
}

}  // namespace

void check_constraints_form(const About& about, const X509* issuer) {
  const auto constraints = extension<NameConstraintsPtr>(issuer, NID_name_constraints);
  if (!constraints) return;
  if (constraints->permittedSubtrees == nullptr && constraints->excludedSubtrees == nullptr)
    about.add(Reason::name_constraints_malformed, "its name constraints say nothing");
  check_trees(about, constraints->permittedSubtrees);
  check_trees(about, constraints->excludedSubtrees);
}

void check_constrained_names(Findings& findings, std::span<X509* const> chain) {
  std::vector<std::optional<Names>> names(chain.size());
  for (std::size_t above = 1; above < chain.size(); ++above) {
    const auto constraints = extension<NameConstraintsPtr>(chain[above], NID_name_constraints);
    if (!constraints) continue;
    for (std::size_t below = 0; below < above; ++below) {
      X509* certificate = chain[below];
      const bool self_issued =
          X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
      if (below != 0 && self_issued) continue;  // RFC 5280: so that a CA can change its key
      if (!names[below]) names[below].emplace(certificate);
      check_against(About(findings, below == 0 ? "the certificate" : "the issuer", certificate), *names[below],
                    constraints.get(), chain[above]);
    }
  }
}

}  // namespace fedgate::trust
