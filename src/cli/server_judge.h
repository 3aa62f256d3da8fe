// SPDX-License-Identifier: Apache-2.0
//
// Whom `--url https://…` believes: any server with a certificate for that host name from a CA in --ca-file, or
// from one that this machine trusts. Gateways judge each other more strictly (trust/peer_verifier.h); this is
// for a person's machine and the clients listener only. Pure functions.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "fedgate/result.h"
#include "net/tls.h"

namespace fedgate::cli {

struct ServerJudge {
  std::shared_ptr<net::TlsContext> context;
  /// Why the last server was not believed: a stranger is not the same as a gateway that is down.
  std::shared_ptr<std::optional<Error>> refusal;
};

/// `ca_file` empty: the machine's CAs. Code::io_error: the file has no certificate.
Result<ServerJudge> make_server_judge(const std::string& ca_file, const std::string& host);

}  // namespace fedgate::cli
