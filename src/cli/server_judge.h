// SPDX-License-Identifier: Apache-2.0
//
// Whom `--url https://…` believes: any server with a certificate for that host name from a CA in --ca-file, or
// from one that this machine trusts. Gateways judge each other more strictly (trust/peer_verifier.h); this is
// for a person's machine and the clients listener only. Pure functions.
#pragma once

#include <memory>
#include <string>

#include "fedgate/result.h"
#include "net/tls.h"

namespace fedgate::cli {

/// `ca_file` empty: the machine's CAs. Code::io_error: the file has no certificate.
Result<std::shared_ptr<net::TlsContext>> verifying_context(const std::string& ca_file, const std::string& host);

}  // namespace fedgate::cli
