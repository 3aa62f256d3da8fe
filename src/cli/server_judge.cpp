// SPDX-License-Identifier: Apache-2.0
#include "cli/server_judge.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace fedgate::cli {
namespace {

using Store = std::shared_ptr<X509_STORE>;

Result<PeerIdentity> judge(const Store& store, const std::string& host, const net::PresentedChain& chain) {
  const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> rest(sk_X509_new_null(),
                                                                        [](STACK_OF(X509) * s) { sk_X509_free(s); });
  for (X509* certificate : chain.rest) sk_X509_push(rest.get(), certificate);
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(X509_STORE_CTX_new(),
                                                                                X509_STORE_CTX_free);
  if (!context || X509_STORE_CTX_init(context.get(), store.get(), chain.leaf, rest.get()) != 1) {
    return fail(Code::internal, "OpenSSL cannot set up a verification");
  }
  X509_VERIFY_PARAM* wanted = X509_STORE_CTX_get0_param(context.get());
  X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM_set_auth_level(wanted, 2);
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) != 1)
    X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size());
  if (X509_verify_cert(context.get()) != 1) {
    const int reason = X509_STORE_CTX_get_error(context.get());
    return fail(Code::invalid_certificate, "the certificate of " + host +
                                               " is not valid: " + X509_verify_cert_error_string(reason) +
                                               "; for a private CA give --ca-file F");
  }
  return PeerIdentity{};
}

}  // namespace

Result<ServerJudge> make_server_judge(const std::string& ca_file, const std::string& host) {
  const Store store(X509_STORE_new(), X509_STORE_free);
  if (!store) return fail(Code::internal, "OpenSSL cannot make a certificate store");
  if (ca_file.empty()) {
    X509_STORE_set_default_paths(store.get());
  } else if (X509_STORE_load_file(store.get(), ca_file.c_str()) != 1) {
    return fail(Code::io_error, "--ca-file: " + ca_file + " cannot be read as PEM certificates");
  }
  const auto refusal = std::make_shared<std::optional<Error>>();
  net::TlsOptions options;
  options.judge = [store, host, refusal](const net::PresentedChain& chain) {
    auto verdict = judge(store, host, chain);
    *refusal = verdict ? std::nullopt : std::optional(verdict.error());
    return verdict;
  };
  auto context = net::TlsContext::make(net::TlsSide::client, options);
  if (!context) return fail(context.error());
  return ServerJudge{std::move(*context), refusal};
}

}  // namespace fedgate::cli
