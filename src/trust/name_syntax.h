// SPDX-License-Identifier: Apache-2.0
//
// How names in certificates must be written. Stricter than what is seen in the wild: a name that two programs could
// read in two ways is refused. Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fedgate/result.h"

namespace fedgate::trust {

/// RFC 1034 section 3.5 with RFC 1123: labels of letters, digits and inner hyphens, no final dot, and not what could be
/// read as an IPv4 address.
bool is_dns_name(std::string_view text);
/// `local@host`, one @; host as above.
bool is_mailbox(std::string_view text);
/// `scheme:rest`, printable.
bool is_uri(std::string_view text);
/// The DNS name in `scheme://user@host:port/`; nothing where there is none, or an address.
std::optional<std::string_view> host_of_uri(std::string_view text);

/// Lower case, without the final dot: how names are compared when they must differ.
std::string folded(std::string_view name);

/// A SPIFFE ID of a workload: `spiffe://trust-domain/path`, as its specification writes it. Code::bad_request.
Result<void> check_spiffe_id(std::string_view text);

}  // namespace fedgate::trust
