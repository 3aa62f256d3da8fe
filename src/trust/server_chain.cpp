// SPDX-License-Identifier: Apache-2.0
#include "trust/server_chain.h"

#include "trust/enrolment.h"

namespace fedgate::trust {

JudgedServer judge_server(const PeerVerifier& verifier, const net::Presentation& shown, const NodeId& expected,
                          WallTime at) {
  JudgedServer judged;
  const auto link = enrolment_link(shown, {});
  if (!link) {
    judged.judgement.refusals.push_back({Reason::internal, link.error().detail});
    return judged;
  }
  if (link->leaf() != nullptr)
    if (const auto pem = pem_of(link->leaf()))
      if (auto facts = certificate_facts(*pem)) judged.leaf = std::move(*facts);
  std::vector<X509*> rest;
  for (std::size_t i = 1; i < link->chain.size(); ++i) rest.push_back(link->chain[i].get());
  judged.judgement = verifier.judge({.leaf = link->leaf(),
                                     .rest = rest,
                                     .presented = Presented::by_server,
                                     .expected = expected,
                                     .at = at,
                                     .staple = shown.ocsp},
                                    Findings::Extent::every);
  return judged;
}

}  // namespace fedgate::trust
