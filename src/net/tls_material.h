// SPDX-License-Identifier: Apache-2.0
//
// Certificates and keys as files hold them, into OpenSSL's context. Used by tls.cpp only.
#pragma once

#include <openssl/types.h>

#include "net/tls.h"

namespace fedgate::net {

/// The certificate, its intermediates and its key. Code::invalid_certificate says which of them is wrong.
Result<void> use_certificate(SSL_CTX* ctx, const TlsOptions& options);

}  // namespace fedgate::net
