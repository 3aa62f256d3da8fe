// SPDX-License-Identifier: Apache-2.0
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <mutex>

#include "net/ascii.h"
#include "net/enrolment_gate.h"
#include "net/session_cache.h"
#include "net/tls_material.h"
#include "net/tls_session.h"

namespace fedgate::net {
namespace {

struct FreeCtx {
  void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
};

constexpr int the_alert = SSL_AD_HANDSHAKE_FAILURE;  // what X509_V_ERR_APPLICATION_VERIFICATION becomes, too
constexpr unsigned veto_extension = 0xFFE0;          // for private use; never sent
constexpr unsigned most_afterwards = 256;            // an update of keys that is answered counts about three times
constexpr long longest_certificate_message = 32 * 1024;
// What a stranger may make us compute: no finite fields, no P-521.
constexpr const char* groups = "X25519:P-256:P-384";
constexpr int most_certificates = 4;  // of a stranger, the leaf included
constexpr int largest_rsa_key = 4096;
constexpr long session_lifetime = 3600;  // seconds; OpenSSL's 300 would end before our pool lets go

std::string alpn_wire(const std::vector<std::string>& names) {
  std::string wire;
  for (const auto& name : names) {
    wire.push_back(static_cast<char>(name.size()));
    wire.append(name);
  }
  return wire;
}

/// One of `names` stands in the extension's list (RFC 7301 section 3.1).
bool offers(std::string_view extension, const std::vector<std::string>& names) {
  if (extension.size() < 2) return false;
  for (auto rest = extension.substr(2); !rest.empty();) {
    const auto size = static_cast<unsigned char>(rest.front());
    if (size + std::size_t{1} > rest.size()) return false;
    if (std::ranges::find(names, rest.substr(1, size)) != names.end()) return true;
    rest.remove_prefix(size + std::size_t{1});
  }
  return false;
}

/// Nobody judges a stranger's chain yet; only what it costs is looked at, before a signature is verified.
Result<void> bear(X509* leaf, const STACK_OF(X509) * presented) {
  if (sk_X509_num(presented) > most_certificates)
    return fail(Code::identity_mismatch, "a stranger's chain has more than 4 certificates");
  const auto costly = [](const X509* certificate) {
    const EVP_PKEY* key = X509_get0_pubkey(certificate);
    return key == nullptr || (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC && EVP_PKEY_get_bits(key) > largest_rsa_key);
  };
  for (int i = 0; i < sk_X509_num(presented); ++i) {
    if (costly(sk_X509_value(presented, i)))
      return fail(Code::identity_mismatch, "a stranger's chain holds a key that is too large or unknown");
  }
  if (costly(leaf)) return fail(Code::identity_mismatch, "a stranger's key is too large or unknown");
  return {};
}

const unsigned char* octets(const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

struct TlsContext::State {
  State(TlsSide s, const TlsOptions& o) : side(s), options(o), sessions(o.session_cache) {}

  TlsSide side;
  TlsOptions options;
  std::string alpn;
  SessionCache sessions;
  std::mutex staple_mutex;
  std::string staple;  // OCSP response for our own certificate
  std::unique_ptr<SSL_CTX, FreeCtx> ctx;

  void judge_at_end(SSL* ssl, Verdict& verdict) const;
  void judge(SSL* ssl, X509* leaf, const STACK_OF(X509) * presented, Verdict& verdict) const;
  void set_up();
  void set_up_server();

  static int verify(X509_STORE_CTX* store, void* self);
  static int choose_alpn(SSL* ssl, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                         unsigned offered_size, void* self);
  static int greet(SSL* ssl, int* alert, void* self);
  static int check_name(SSL* ssl, int* alert, void* self);
  static int answer_status(SSL* ssl, void* self);
  static int veto(SSL* ssl, unsigned type, unsigned context, const unsigned char** out, std::size_t* size,
                  X509* certificate, std::size_t place, int* alert, void* self);
  static void watch(const SSL* ssl, int where, int answer);
  static int remember(SSL* ssl, SSL_SESSION* session);
  static SSL_SESSION* recall(SSL* ssl, const unsigned char* id, int size, int* copy);
  static void drop(SSL_CTX* ctx, SSL_SESSION* session);
  static State& of(const SSL_CTX* ctx) { return *static_cast<State*>(SSL_CTX_get_app_data(ctx)); }
};

void TlsContext::State::judge(SSL* ssl, X509* leaf, const STACK_OF(X509) * presented, Verdict& verdict) const {
  verdict.identity.reset();
  verdict.refusal.reset();
  if (leaf == nullptr) {
    verdict.refusal.emplace(Code::identity_mismatch, "no certificate was presented");
    return;
  }
  PresentedChain chain{.leaf = leaf, .rest = {}, .expected = verdict.expected, .ocsp = {}};
  if (side == TlsSide::client) chain.ocsp = staple_of(ssl);
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

// A client's chain is judged in conclude(), when its key has been proven: before that, anybody could learn whom we
// trust by presenting certificates of others and comparing alerts.
int TlsContext::State::verify(X509_STORE_CTX* store, void* context) {
  const auto& self = *static_cast<State*>(context);
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  Verdict& verdict = *verdict_of(ssl);
  X509* leaf = X509_STORE_CTX_get0_cert(store);
  const STACK_OF(X509)* presented = X509_STORE_CTX_get0_untrusted(store);
  if (self.side == TlsSide::client) {
    self.judge(ssl, leaf, presented, verdict);
  } else if (auto bearable = bear(leaf, presented); !bearable) {
    if (!verdict.enrolment) self.judge(ssl, leaf, presented, verdict);  // its reason is the better one
    if (!verdict.refusal) verdict.refusal = std::move(bearable.error());
  }
  if (!verdict.refusal) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  // One error for every reason, so that every refusal is the same alert.
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

int TlsContext::State::greet(SSL* ssl, int* alert, void* self) {
  *alert = the_alert;
  const unsigned char* bytes = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &bytes, &size) != 1)
    return SSL_CLIENT_HELLO_SUCCESS;
  const State& context = *static_cast<State*>(self);
  Verdict* verdict = verdict_of(ssl);
  const std::string_view offered(reinterpret_cast<const char*>(bytes), size);
  if (context.options.alpn.empty() || offers(offered, context.options.alpn)) return SSL_CLIENT_HELLO_SUCCESS;
  if (context.options.enrolment && offers(offered, {std::string(enrolment_protocol)})) {
    verdict->enrolment = true;
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  verdict->refusal.emplace(Code::bad_request, "the client offers no protocol that is spoken here");
  return SSL_CLIENT_HELLO_ERROR;
}

int TlsContext::State::choose_alpn(SSL* ssl, const unsigned char** out, unsigned char* size,
                                   const unsigned char* offered, unsigned offered_size, void* self) {
  static const std::string enrolment = alpn_wire({std::string(enrolment_protocol)});
  const std::string& ours = verdict_of(ssl)->enrolment ? enrolment : static_cast<State*>(self)->alpn;
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, size, octets(ours), static_cast<unsigned>(ours.size()), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// Called whether or not the client sent a name. A stranger takes a place here, behind everything that costs none.
int TlsContext::State::check_name(SSL* ssl, int* alert, void* self) {
  *alert = the_alert;
  const TlsOptions& options = static_cast<State*>(self)->options;
  Verdict& verdict = *verdict_of(ssl);
  const char* asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (!options.server_name.empty() && (asked == nullptr || !same_text(asked, options.server_name))) {
    verdict.refusal.emplace(Code::identity_mismatch, std::string("the client asked for the server name '") +
                                                         (asked != nullptr ? asked : "") + "', not '" +
                                                         options.server_name + "'");
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  if (!verdict.enrolment || verdict.place) return SSL_TLSEXT_ERR_OK;
  auto place = options.enrolment->admit(verdict.remote);
  if (!place) {
    verdict.refusal = std::move(place.error());
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  verdict.place = std::move(*place);
  return SSL_TLSEXT_ERR_OK;
}

int TlsContext::State::answer_status(SSL* ssl, void* self) {
  auto& context = *static_cast<State*>(self);
  const std::lock_guard lock(context.staple_mutex);
  if (context.staple.empty()) return SSL_TLSEXT_ERR_NOACK;
  void* copy = OPENSSL_memdup(context.staple.data(), context.staple.size());  // OpenSSL's from here on
  if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(context.staple.size()));
  return SSL_TLSEXT_ERR_OK;
}

// OpenSSL sends an alert of our choice only from within a callback, and after the handshake it has none but this one:
// a session ticket's extension. None is ever added.
int TlsContext::State::veto(SSL* ssl, unsigned, unsigned, const unsigned char**, std::size_t*, X509*, std::size_t,
                            int* alert, void*) {
  const Verdict* verdict = verdict_of(ssl);
  if (verdict == nullptr || !verdict->refusal) return 0;
  *alert = the_alert;
  return -1;
}

// Of what follows the handshake only key updates and, at a client, tickets come here; application data does not.
void TlsContext::State::watch(const SSL* ssl, int where, int) {
  if ((where & SSL_CB_LOOP) == 0) return;
  Verdict* verdict = verdict_of(ssl);
  if (verdict == nullptr || !verdict->concluded || ++verdict->afterwards <= most_afterwards) return;
  ::shutdown(verdict->descriptor, SHUT_RDWR);
}

int TlsContext::State::remember(SSL* ssl, SSL_SESSION* session) {
  State& self = of(SSL_get_SSL_CTX(ssl));
  Verdict* verdict = verdict_of(ssl);
  if (verdict == nullptr) return 0;
  if (verdict->enrolment || (self.options.judge && !verdict->identity)) return 0;
  if (self.side == TlsSide::client) {
    // A resumed handshake brings no staple.
    const std::string staple = staple_of(ssl);
    SSL_SESSION_set1_ticket_appdata(session, staple.data(), staple.size());
  }
  std::string key = self.side == TlsSide::client ? verdict->expected : SessionCache::id_of(session);
  self.sessions.put(std::move(key), session, verdict->identity ? verdict->identity->node.str() : std::string{});
  return 1;  // the cache owns this reference now
}

SSL_SESSION* TlsContext::State::recall(SSL* ssl, const unsigned char* id, int size, int* copy) {
  *copy = 0;  // what is returned is already a reference of its own
  if (verdict_of(ssl)->enrolment) return nullptr;
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
  SSL_CTX_set_num_tickets(ctx.get(), 0);  // conclude() gives one to whom it has accepted
  SSL_CTX_set_client_hello_cb(ctx.get(), greet, this);
  SSL_CTX_set_tlsext_status_cb(ctx.get(), answer_status);
  SSL_CTX_set_tlsext_status_arg(ctx.get(), this);
  SSL_CTX_add_custom_ext(ctx.get(), veto_extension, SSL_EXT_TLS1_3_ONLY | SSL_EXT_TLS1_3_NEW_SESSION_TICKET, veto,
                         nullptr, nullptr, nullptr, nullptr);
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
  SSL_CTX_set_max_cert_list(c, longest_certificate_message);
  SSL_CTX_set1_groups_list(c, groups);
  SSL_CTX_set_info_callback(c, watch);
  if (!server) SSL_CTX_set_tlsext_status_type(c, TLSEXT_STATUSTYPE_ocsp);
  if (options.judge) {
    // OpenSSL's own refusal of a missing certificate is an alert of its own: conclude() refuses it instead.
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
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

void TlsContext::staple(std::string response) {
  const std::lock_guard lock(state_->staple_mutex);
  state_->staple = std::move(response);
}

// A client may hold its last message back until an anchor or a pin has been replaced; what counts is the judgement of
// this moment.
void TlsContext::State::judge_at_end(SSL* ssl, Verdict& verdict) const {
  const bool resumed = SSL_session_reused(ssl) == 1;
  X509* leaf = SSL_get0_peer_certificate(ssl);
  if (handshake_too_long(ssl)) {
    verdict.refusal.emplace(Code::payload_too_large, "the handshake is too long");
  } else if (verdict.enrolment) {
    if (leaf == nullptr) verdict.refusal.emplace(Code::identity_mismatch, "no certificate was presented");
    if (resumed) verdict.refusal.emplace(Code::internal, "enrolment on a resumed connection");
  } else if (options.judge && (resumed || side == TlsSide::server)) {
    judge(ssl, leaf, SSL_get_peer_cert_chain(ssl), verdict);
  }
}

Result<void> TlsContext::conclude(SSL* ssl, Verdict& verdict) const {
  State& state = *state_;
  const bool server = state.side == TlsSide::server;
  const bool resumed = SSL_session_reused(ssl) == 1;
  const std::string key = server ? SessionCache::id_of(SSL_get_session(ssl)) : verdict.expected;
  state.judge_at_end(ssl, verdict);
  if (server && (verdict.refusal || (state.options.session_cache > 0 && !verdict.enrolment))) {
    // The ticket, or in its place the alert; what cannot be written now leaves with the first answer.
    ERR_clear_error();
    if (SSL_new_session_ticket(ssl) == 1) SSL_do_handshake(ssl);
    ERR_clear_error();
  }
  verdict.concluded = true;
  if (!verdict.refusal) return {};
  verdict.identity.reset();
  if (resumed) state.sessions.drop(key);
  return fail(*verdict.refusal);
}

Result<void> TlsContext::judge_again(SSL* ssl, Verdict& verdict) const {
  if (!state_->options.judge || verdict.enrolment) return {};
  state_->judge(ssl, SSL_get0_peer_certificate(ssl), SSL_get_peer_cert_chain(ssl), verdict);
  if (!verdict.refusal) return {};
  return fail(*verdict.refusal);
}

SSL_SESSION* TlsContext::session_for(const std::string& name) const { return state_->sessions.get(name); }

}  // namespace fedgate::net
