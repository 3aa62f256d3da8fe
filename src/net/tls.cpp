// SPDX-License-Identifier: Apache-2.0
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <boost/asio/ip/address.hpp>
#include <csignal>

#include "net/ascii.h"
#include "net/session_cache.h"
#include "net/tls_session.h"

namespace fedgate::net {
namespace {

struct FreeCtx {
  void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
};
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

constexpr long session_lifetime = 3600;  // seconds; OpenSSL's 300 would end before our pool lets go

Bio memory(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

/// Never asks a terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

bool is_address(const std::string& name) {
  boost::system::error_code ec;
  boost::asio::ip::make_address(name, ec);
  return !ec;
}

Result<void> use_certificate(SSL_CTX* ctx, const TlsOptions& options) {
  const auto wrong = [](std::string what) {
    return fail(Code::invalid_certificate, std::move(what) + ": " + tls_error("reading it").detail);
  };
  const Bio certificates = memory(options.certificate_pem);
  const std::unique_ptr<X509, FreeX509> leaf(PEM_read_bio_X509(certificates.get(), nullptr, no_passphrase, nullptr));
  if (!leaf) return wrong("the certificate is not PEM");
  if (SSL_CTX_use_certificate(ctx, leaf.get()) != 1) return wrong("the certificate cannot be used");
  while (true) {
    const std::unique_ptr<X509, FreeX509> next(PEM_read_bio_X509(certificates.get(), nullptr, no_passphrase, nullptr));
    if (!next) {
      const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      if (!at_end) return wrong("a certificate after the first is not PEM");
      ERR_clear_error();
      break;
    }
    if (SSL_CTX_add1_chain_cert(ctx, next.get()) != 1) return wrong("an intermediate certificate cannot be used");
  }
  const Bio keys = memory(options.key_pem);
  const std::unique_ptr<EVP_PKEY, FreeKey> key(PEM_read_bio_PrivateKey(keys.get(), nullptr, no_passphrase, nullptr));
  if (!key) return wrong("the key is not an unencrypted PEM private key");
  if (X509_check_private_key(leaf.get(), key.get()) != 1 || SSL_CTX_use_PrivateKey(ctx, key.get()) != 1) {
    return wrong("the key is not the certificate's");
  }
  return {};
}

std::string alpn_wire(const std::vector<std::string>& names) {
  std::string wire;
  for (const auto& name : names) {
    wire.push_back(static_cast<char>(name.size()));
    wire.append(name);
  }
  return wire;
}

/// Where an SSL keeps the Verdict of its connection.
int verdict_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}
Verdict* verdict_of(const SSL* ssl) { return static_cast<Verdict*>(SSL_get_ex_data(ssl, verdict_index())); }

const unsigned char* octets(const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

struct TlsContext::State {
  State(TlsSide s, const TlsOptions& o) : side(s), options(o), sessions(o.session_cache) {}

  TlsSide side;
  TlsOptions options;
  std::string alpn;
  SessionCache sessions;
  std::unique_ptr<SSL_CTX, FreeCtx> ctx;

  void judge(X509* leaf, STACK_OF(X509) * presented, Verdict& verdict) const;
  void set_up();
  void set_up_server();

  static int verify(X509_STORE_CTX* store, void* self);
  static int choose_alpn(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                         unsigned offered_size, void* self);
  static int check_name(SSL* ssl, int* alert, void* self);
  static int remember(SSL* ssl, SSL_SESSION* session);
  static SSL_SESSION* recall(SSL* ssl, const unsigned char* id, int size, int* copy);
  static void drop(SSL_CTX* ctx, SSL_SESSION* session);
  static State& of(const SSL_CTX* ctx) { return *static_cast<State*>(SSL_CTX_get_app_data(ctx)); }
};

void TlsContext::State::judge(X509* leaf, STACK_OF(X509) * presented, Verdict& verdict) const {
  verdict.identity.reset();
  verdict.refusal.reset();
  if (leaf == nullptr) {
    verdict.refusal.emplace(Code::identity_mismatch, "no certificate was presented");
    return;
  }
  PresentedChain chain{.leaf = leaf, .rest = {}, .expected = verdict.expected};
  for (int i = 0; i < sk_X509_num(presented); ++i) {
    X509* certificate = sk_X509_value(presented, i);
    if (certificate != leaf) chain.rest.push_back(certificate);
  }
  try {
    auto found = options.judge(chain);
    if (found) {
      verdict.identity = std::move(*found);
    } else {
      verdict.refusal = std::move(found.error());
    }
  } catch (const std::exception& error) {
    // Must not fly through OpenSSL.
    verdict.refusal.emplace(Code::internal, std::string("the judge failed: ") + error.what());
  }
}

int TlsContext::State::verify(X509_STORE_CTX* store, void* self) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  Verdict* verdict = verdict_of(ssl);
  static_cast<State*>(self)->judge(X509_STORE_CTX_get0_cert(store), X509_STORE_CTX_get0_untrusted(store), *verdict);
  if (verdict->identity) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  // One error for every reason, so that every refusal is the same alert.
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

int TlsContext::State::choose_alpn(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                                   unsigned offered_size, void* self) {
  const std::string& ours = static_cast<State*>(self)->alpn;
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, size, octets(ours), static_cast<unsigned>(ours.size()), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int TlsContext::State::check_name(SSL* ssl, int* alert, void* self) {
  const std::string& ours = static_cast<State*>(self)->options.server_name;
  if (ours.empty()) return SSL_TLSEXT_ERR_OK;
  const char* asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (asked != nullptr && same_text(asked, ours)) return SSL_TLSEXT_ERR_OK;
  if (Verdict* verdict = verdict_of(ssl)) {
    verdict->refusal.emplace(Code::identity_mismatch, std::string("the client asked for the server name '") +
                                                          (asked != nullptr ? asked : "") + "', not '" + ours + "'");
  }
  *alert = SSL_AD_HANDSHAKE_FAILURE;  // what a refused certificate gets
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int TlsContext::State::remember(SSL* ssl, SSL_SESSION* session) {
  State& self = of(SSL_get_SSL_CTX(ssl));
  Verdict* verdict = verdict_of(ssl);
  if (verdict == nullptr) return 0;
  // On a resumed connection a server makes the next session before the handshake returns to us.
  if (self.options.judge && SSL_session_reused(ssl) == 1 && !verdict->identity && !verdict->refusal) {
    self.judge(SSL_get0_peer_certificate(ssl), SSL_get_peer_cert_chain(ssl), *verdict);
  }
  if (self.options.judge && !verdict->identity) return 0;
  std::string key = self.side == TlsSide::client ? verdict->expected : SessionCache::id_of(session);
  self.sessions.put(std::move(key), session, verdict->identity ? verdict->identity->node.str() : std::string{});
  return 1;  // the cache owns this reference now
}

SSL_SESSION* TlsContext::State::recall(SSL* ssl, const unsigned char* id, int size, int* copy) {
  *copy = 0;  // what is returned is already a reference of its own
  return of(SSL_get_SSL_CTX(ssl)).sessions.get({reinterpret_cast<const char*>(id), static_cast<std::size_t>(size)});
}

void TlsContext::State::drop(SSL_CTX* ctx, SSL_SESSION* session) {
  State& self = of(ctx);
  if (self.side == TlsSide::server) self.sessions.drop(SessionCache::id_of(session));
}

void TlsContext::State::set_up_server() {
  unsigned char id[SSL_MAX_SID_CTX_LENGTH];
  RAND_bytes(id, sizeof id);
  SSL_CTX_set_session_id_context(ctx.get(), id, sizeof id);
  SSL_CTX_set_num_tickets(ctx.get(), options.session_cache == 0 ? 0 : 1);
  SSL_CTX_sess_set_get_cb(ctx.get(), recall);
  SSL_CTX_sess_set_remove_cb(ctx.get(), drop);
  SSL_CTX_set_tlsext_servername_callback(ctx.get(), check_name);
  SSL_CTX_set_tlsext_servername_arg(ctx.get(), this);
  if (!alpn.empty()) SSL_CTX_set_alpn_select_cb(ctx.get(), choose_alpn, this);
}

void TlsContext::State::set_up() {
  SSL_CTX* c = ctx.get();
  SSL_CTX_set_app_data(c, this);
  SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION);
  SSL_CTX_set_security_level(c, 2);
  SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(c, 1);
  SSL_CTX_set_max_early_data(c, 0);
  SSL_CTX_set_recv_max_early_data(c, 0);
  SSL_CTX_set_timeout(c, session_lifetime);
  const bool server = side == TlsSide::server;
  // Sessions live in our own cache, where those of one node can be found.
  SSL_CTX_set_session_cache_mode(c,
                                 (server ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_CLIENT) | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(c, remember);
  if (options.judge) {
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | (server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
    SSL_CTX_set_cert_verify_callback(c, verify, this);
  } else {
    SSL_CTX_set_verify(c, SSL_VERIFY_NONE, nullptr);
  }
  alpn = alpn_wire(options.alpn);
  if (server) {
    set_up_server();
  } else if (!alpn.empty()) {
    SSL_CTX_set_alpn_protos(c, octets(alpn), static_cast<unsigned>(alpn.size()));
  }
}

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::make(TlsSide side, const TlsOptions& options) {
  // OpenSSL writes with write(2), which has no MSG_NOSIGNAL: a peer that left must not end the process.
  std::signal(SIGPIPE, SIG_IGN);
  auto state = std::make_unique<State>(side, options);
  state->ctx.reset(SSL_CTX_new(side == TlsSide::server ? TLS_server_method() : TLS_client_method()));
  if (!state->ctx) return fail(tls_error("creating a TLS context"));
  const bool anonymous = side == TlsSide::client && options.certificate_pem.empty() && options.key_pem.empty();
  if (!anonymous) {
    if (auto used = use_certificate(state->ctx.get(), options); !used) return fail(std::move(used.error()));
  }
  // The key is in the SSL_CTX now; one copy less of a secret.
  OPENSSL_cleanse(state->options.key_pem.data(), state->options.key_pem.size());
  state->options.key_pem.clear();
  state->set_up();
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(state)));
}

SSL_CTX* TlsContext::native() const { return state_->ctx.get(); }
const TlsOptions& TlsContext::options() const { return state_->options; }
TlsSide TlsContext::side() const { return state_->side; }
void TlsContext::forget_sessions(const NodeId& node) { state_->sessions.forget(node.str()); }

Result<void> TlsContext::judge_again(SSL* ssl, Verdict& verdict) const {
  if (!state_->options.judge) return {};
  if (!verdict.identity && !verdict.refusal) {
    state_->judge(SSL_get0_peer_certificate(ssl), SSL_get_peer_cert_chain(ssl), verdict);
  }
  if (verdict.identity) return {};
  if (state_->side == TlsSide::server) {
    state_->sessions.drop(SessionCache::id_of(SSL_get_session(ssl)));
  } else {
    state_->sessions.drop(verdict.expected);
  }
  return fail(*verdict.refusal);
}

SSL_SESSION* TlsContext::session_for(const std::string& name) const { return state_->sessions.get(name); }

Result<SslHandle> begin_tls(const TlsContext& context, int descriptor, Verdict& verdict) {
  ERR_clear_error();
  SslHandle ssl(SSL_new(context.native()));
  if (!ssl || SSL_set_fd(ssl.get(), descriptor) != 1 || SSL_set_ex_data(ssl.get(), verdict_index(), &verdict) != 1) {
    return fail(tls_error("starting TLS"));
  }
  if (context.side() == TlsSide::server) {
    SSL_set_accept_state(ssl.get());
    return ssl;
  }
  SSL_set_connect_state(ssl.get());
  if (!verdict.expected.empty() && !is_address(verdict.expected)) {
    if (SSL_set_tlsext_host_name(ssl.get(), verdict.expected.c_str()) != 1)
      return fail(tls_error("setting the server name"));
  }
  if (SSL_SESSION* session = context.session_for(verdict.expected)) {
    SSL_set_session(ssl.get(), session);
    SSL_SESSION_free(session);
  }
  return ssl;
}

Result<void> judge_finished(const TlsContext& context, SSL* ssl, Verdict& verdict) {
  // OpenSSL asks the judge when the certificate arrives. A client may hold its last message back until an anchor or a
  // pin has been replaced; what counts is the judgement at the end.
  if (SSL_session_reused(ssl) != 1 && context.side() == TlsSide::client) return {};
  verdict.identity.reset();
  return context.judge_again(ssl, verdict);
}

Error tls_error(std::string_view doing) {
  const unsigned long first = ERR_get_error();
  ERR_clear_error();
  if (first == 0) return {Code::io_error, std::string(doing) + ": the connection was closed"};
  const char* reason = ERR_reason_error_string(first);
  const std::string why = std::string(doing) + ": " + (reason != nullptr ? reason : "unknown OpenSSL error");
  const bool alert = ERR_GET_LIB(first) == ERR_LIB_SSL && ERR_GET_REASON(first) >= SSL_AD_REASON_OFFSET;
  return {alert ? Code::peer_refused : Code::io_error, why};
}

}  // namespace fedgate::net
