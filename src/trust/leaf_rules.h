// SPDX-License-Identifier: Apache-2.0
//
// What a peer's leaf certificate must be, and whom it names: the rules that need no anchor and no chain, on top of
// those for every certificate. Pure functions, any thread.
#pragma once

#include <openssl/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "fedgate/node.h"
#include "trust/refusal.h"

namespace fedgate::trust {

/// Which end of the connection the judged certificate is: decides the extended key usage it must have.
enum class Presented : std::uint8_t { by_client, by_server };

/// Not a CA, usages for the direction and no others, the subject beside the names, no extension of CAs.
void check_leaf(const About& about, const X509* leaf, Presented presented);

/// The names that can identify, as they stand there.
struct LeafNames {
  std::vector<std::string> dns;
  std::vector<std::string> uris;
};
LeafNames names_of(const X509* leaf);
/// Whether a certificate, as DER and judged by nobody, claims to be this node's: by its DNS name or its SPIFFE ID.
bool claims_node(std::string_view der, const Node& node);

/// RFC 7633: the leaf asks that its status be stapled.
bool demands_staple(const X509* leaf);

}  // namespace fedgate::trust
