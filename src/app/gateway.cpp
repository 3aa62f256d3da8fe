// SPDX-License-Identifier: Apache-2.0
#include "app/gateway.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/admin_views.h"
#include "fedgate/version.h"
#include "net/address.h"
#include "trust/dev_pki.h"

namespace fedgate::app {

namespace {

constexpr std::size_t pool_threads = 4;
constexpr std::size_t pool_queue = 256;
constexpr std::size_t background_tasks =
    10 + federation::BundleExchange::lanes + federation::Verifications::lanes + federation::AuditExchange::lanes;
constexpr auto shipping_bound = std::chrono::seconds(5);
constexpr auto settling_bound = std::chrono::seconds(10);

nodes::Configured configured(const config::Settings& settings) {
  return {.nodes = settings.nodes, .own_domains = settings.node.principal_domains};
}

std::vector<std::string> host_names(const config::Settings& settings, const std::string& address) {
  std::vector<std::string> names{settings.node.id.str(), "localhost", "127.0.0.1", "[::1]"};
  if (auto url = net::parse_url(settings.node.endpoint)) names.push_back(url->host);
  if (auto own = net::parse_address(address); own && !own->is_unix) {
    names.push_back(own->host.find(':') == std::string::npos ? own->host : "[" + own->host + "]");
  }
  return names;
}

}  // namespace

Gateway::Gateway(std::shared_ptr<const config::Settings> settings, Environment environment)
    : settings_(std::move(settings)),
      in_use_(settings_),
      environment_(std::move(environment)),
      log_(settings_->log),
      started_(environment_.clock.steady()),
      options_(std::make_shared<federation::CallOptions>(call_options(*settings_))),
      routes_(std::make_shared<routing::StaticRoutes>(std::span<const Node>{})),
      rules_(std::make_shared<policy::Rules>(settings_->rules)),
      resources_(std::make_shared<adapters::ResourceTable>(settings_->resources)),
      tokens_(std::make_shared<trust::ClientTokens>(settings_->clients_list)),
      operators_(std::make_shared<trust::Operators>(geteuid(), settings_->operators)),
      crls_(trust::RevocationLists::make({})),
      verifier_(trust::PeerVerifier::make({})),
      own_trust_(std::make_shared<federation::OwnTrust>()),
      expiry_watch_(metrics_, log_),
      tls_(std::make_shared<TlsContexts>()),
      inbound_limits_(environment_.clock, settings_->node_limits),
      outbound_limits_(environment_.clock, settings_->node_limits),
      seen_(environment_.clock),
      own_head_(std::make_shared<const std::string>()),
      cut_off_progress_(environment_.clock, metrics_, log_),
      pool_(pool_threads, pool_queue),
      keeping_(1, pool_queue),
      cut_offs_(1, pool_queue),
      witnessing_pool_(2, pool_queue),
      watch_(environment_.files),
      loaded_at_(environment_.clock.wall()) {
  if (environment_.disk == nullptr) {
    own_disk_ = audit::real_disk();
    environment_.disk = own_disk_.get();
  }
}

Result<std::unique_ptr<Gateway>> Gateway::start(std::shared_ptr<const config::Settings> settings,
                                                Environment environment) {
  std::unique_ptr<Gateway> gateway(new Gateway(std::move(settings), std::move(environment)));
  gateway->metrics_.build_info(std::string(version()), std::string(commit()));
  gateway->metrics_.config_reload_success().Set(1);
  if (auto ok = gateway->open_store(); !ok) return fail(ok.error());
  if (auto ok = gateway->open_journal(); !ok) return fail(ok.error());
  if (auto ok = gateway->open_finding(); !ok) return fail(ok.error());
  if (auto ok = gateway->open_witnessing(); !ok) return fail(ok.error());
  gateway->build_trust();
  if (auto ok = gateway->build_tls(); !ok) return fail(ok.error());
  gateway->build_lanes();
  if (auto ok = gateway->listen_to_replicas(); !ok) return fail(ok.error());
  if (auto ok = gateway->open_listeners(); !ok) return fail(ok.error());
  // The port may have been chosen just now.
  gateway->own_trust_.publish(std::make_shared<federation::OwnTrust>(gateway->own_trust(*gateway->settings_)));
  gateway->state_log_keys();
  gateway->restore_seen_leaves();
  gateway->look_at_expiry();
  gateway->state_ = State::ready;
  gateway->log_.info("ready", {{"node_id", gateway->settings_->node.id.view()}, {"version", version()}});
  return gateway;
}

Result<void> Gateway::open_store() {
  auto revocations = nodes::Revocations::open(settings_->audit.journal + "/revoked");
  if (!revocations) return fail(revocations.error());
  revocations_ = std::move(*revocations);
  auto opened = store::open(settings_->store);
  if (!opened) return fail(opened.error());
  store_ = std::move(*opened);
  auto for_readers = store::open(settings_->store);
  if (!for_readers) return fail(for_readers.error());
  reading_store_ = std::move(*for_readers);
  auto for_shipper = store::open(settings_->store);
  if (!for_shipper) return fail(for_shipper.error());
  shipper_store_ = std::move(*for_shipper);
  registry_ = std::make_unique<nodes::Registry>(*store_, settings_->node.id, *revocations_, environment_.clock, log_);
  // At start there is no older one to fall back on: what a bad list would cover is refused.
  if (auto crls = read_crls(*settings_))
    crls_.publish(std::move(*crls));
  else
    return fail(crls.error());
  registry_->on_change([this](const nodes::NodeTable& before, const nodes::NodeTable& after, nodes::ChangedBy by) {
    nodes_changed(before, after, by);
  });
  return registry_->load(configured(*settings_));
}

Result<void> Gateway::open_journal() {
  const config::Settings& settings = *settings_;
  if (auto made = environment_.disk->make_directory(settings.audit.journal); !made)
    return fail(made.error().in("audit.journal"));
  auto salts = audit::PrincipalSalts::open(settings.audit.journal + "/principals.salts", environment_.entropy);
  if (!salts) return fail(salts.error());
  salts_ = std::move(*salts);
  if (auto chosen = choose_generation(); !chosen) return chosen;
  auto opened = audit::Journal::open(*environment_.disk, journal_options(generation_.number), environment_.clock,
                                     environment_.entropy, log_, metrics_);
  if (!opened) return fail(opened.error());
  journal_ = std::move(*opened);
  if (auto begun = begin_generation(); !begun) return begun;
  journal_->settle_found(settling_bound);
  if (auto signing = open_signing(); !signing) return signing;
  acts_ = std::make_unique<audit::Acts>(*journal_, settings.node.id, environment_.clock, environment_.entropy, log_);
  shipper_ = std::make_unique<audit::Shipper>(*journal_, *shipper_store_, shipper_options(), log_, metrics_);
  around_.emplace(federation::Surroundings{.own_id = settings.node.id,
                                           .clock = environment_.clock,
                                           .entropy = environment_.entropy,
                                           .log = log_,
                                           .metrics = metrics_,
                                           .options = options_,
                                           .nodes = registry_->table(),
                                           .routes = routes_,
                                           .rules = rules_,
                                           .resources = resources_,
                                           .inbound_limits = inbound_limits_,
                                           .outbound_limits = outbound_limits_,
                                           .seen = seen_,
                                           .floods = floods_,
                                           .journal = *journal_,
                                           .salts = *salts_,
                                           .own_head = own_head_});
  return {};
}

net::Judge Gateway::judge(trust::Presented presented) {
  return [this, presented](const net::PresentedChain& chain) -> Result<PeerIdentity> {
    NodeId expected;
    if (!chain.expected.empty()) {
      auto parsed = NodeId::parse(chain.expected);
      if (!parsed) return fail(parsed.error());
      expected = std::move(*parsed);
    }
    const auto judgement = verifier_.load()->judge({.leaf = chain.leaf,
                                                    .rest = chain.rest,
                                                    .presented = presented,
                                                    .expected = std::move(expected),
                                                    .at = environment_.clock.wall(),
                                                    .staple = chain.ocsp});
    auto identity = judgement.result();
    if (identity) seen_leaves_.saw(identity->node, presented, chain.leaf);
    metrics_.trust_verification(identity ? "accepted" : "refused", identity ? "" : judgement.refusals.front().id())
        .Increment();
    return identity;
  };
}

Result<Gateway::TlsContexts> Gateway::make_tls(const config::Settings& settings) {
  TlsContexts contexts;
  net::TlsOptions peers;
  peers.certificate_pem = settings.tls.certificate_pem;
  peers.key_pem = settings.tls.key_pem;
  peers.judge = judge(trust::Presented::by_client);
  peers.server_name = settings.node.id.str();
  peers.enrolment = gate_;
  auto server = net::TlsContext::make(net::TlsSide::server, peers);
  if (!server) return fail(server.error().in(settings.tls.certificate_file));
  contexts.peers_server = std::move(*server);
  contexts.peers_server->staple(settings.ocsp_staple);
  if (settings.tls_client) {
    peers.certificate_pem = settings.tls_client->certificate_pem;
    peers.key_pem = settings.tls_client->key_pem;
  }
  peers.judge = judge(trust::Presented::by_server);
  peers.server_name.clear();
  peers.enrolment = nullptr;
  auto client = net::TlsContext::make(net::TlsSide::client, peers);
  if (!client)
    return fail(client.error().in((settings.tls_client ? *settings.tls_client : settings.tls).certificate_file));
  contexts.peers_client = std::move(*client);
  if (settings.clients_tls) {
    net::TlsOptions own;
    own.certificate_pem = settings.clients_tls->certificate_pem;
    own.key_pem = settings.clients_tls->key_pem;
    auto made = net::TlsContext::make(net::TlsSide::server, own);
    if (!made) return fail(made.error().in(settings.clients_tls->certificate_file));
    contexts.clients_server = std::move(*made);
  }
  return contexts;
}

Result<void> Gateway::build_tls() {
  auto made = make_tls(*settings_);
  if (!made) return fail(made.error());
  tls_.publish(std::make_shared<TlsContexts>(std::move(*made)));
  return {};
}

void Gateway::build_lanes() {
  const config::Settings& settings = *settings_;
  net::ClientLimits client_limits;
  client_limits.header = settings.server_limits.header;
  // An answer wraps a result of at most limits.body.
  client_limits.body = settings.server_limits.body + 64 * 1024;
  net::ServerOptions clients{
      .name = "clients", .limits = settings.server_limits, .hosts = host_names(settings, settings.clients.address)};
  net::ServerOptions peers{
      .name = "peers", .limits = settings.server_limits, .hosts = host_names(settings, settings.peers.address)};
  peers.limits.body += 64 * 1024;
  for (unsigned i = 0; i < settings.threads; ++i) {
    workers_.push_back(std::make_unique<Worker>(i, environment_.clock));
    lanes_.push_back(
        std::make_unique<Lane>(LaneParts{.worker = *workers_.back(),
                                         .around = *around_,
                                         .verifications = *verifications_,
                                         .desk = *desk_,
                                         .exchange = *exchange_,
                                         .trail = *trail_,
                                         .audit = *audit_exchange_,
                                         .tokens = tokens_,
                                         .client_tls = [this] { return tls_.load()->peers_client; },
                                         .about = {settings.node.id, settings.node.name, std::string(version())},
                                         .draining = [this] { return state_ != State::ready; },
                                         .client_limits = client_limits,
                                         .clients_options = clients,
                                         .peers_options = peers}));
  }
  node_check_ = std::make_unique<federation::NodeCheck>(
      federation::NodeCheck::Parts{.worker = *workers_.front(),
                                   .nodes = registry_->table(),
                                   .own = own_trust_,
                                   .verifier = verifier_,
                                   .warn_before = [this] { return warn_before(); }});
  build_finding();
  erasure_api_ =
      std::make_unique<api::ErasureApi>(api::ErasureApi::Parts{.acts = *acts_, .salts = *salts_, .pool = pool_});
  signing_api_ = std::make_unique<api::SigningApi>(api::SigningApi::Parts{
      .acts = *acts_,
      .pool = pool_,
      .new_log = [this](const std::string& who, const std::string& reason) { return want_new_log(who, reason); },
      .rotate = [this](const std::string& who) { return rotate_log_key(who); }});
  admin_api_ = std::make_unique<api::AdminApi>(api::AdminApi::Parts{
      .operators = operators_,
      .registry = *registry_,
      .routes = routes_,
      .store = *reading_store_,
      .journal = *journal_,
      .acts = *acts_,
      .shipper = *shipper_,
      .pool = pool_,
      .cut_offs = cut_offs_,
      .metrics = metrics_,
      .log = log_,
      .gateway = {
          .status = [this] { return status(); },
          .ready = [this] { return ready(); },
          .alive = [this] { return state_ != State::ended; },
          .reload = [this](const std::string& actor) { return reload(actor); },
          .cut_off = [this](const NodeId& node, SteadyTime since) { return cut_off_progress_.ended(node, since); },
          .stored = [this](const NodeId& node) { return keeper_->stored(node); },
          .expiry = [this](const Node& node) { return expiry_of(node); }},
      .desk = *desk_,
      .exchange = *exchange_,
      .worker = *workers_.front(),
      .peers = lanes_.front()->peers,
      .node_check = *node_check_,
      .signing = *signing_api_,
      .erasure = *erasure_api_,
      .audit = *audit_api_,
      .receipts = *receipt_api_});
  net::ServerOptions admin{.name = "admin", .limits = settings.server_limits, .hosts = {"localhost"}};
  admin_server_ = std::make_unique<net::HttpServer>(*workers_.front(), admin, *admin_api_, log_, metrics_);
  for (auto& worker : workers_) {
    worker->start([this](const std::exception& error) {
      log_.error("bug: exception in the event loop", {{"what", error.what()}});
    });
  }
  Worker& first = *workers_.front();
  cut_off_progress_.wake_on(first.executor());
  upkeep_ = std::make_unique<federation::Upkeep>(*around_, first.wheel());
  keeper_ =
      std::make_unique<RegistryKeeper>(first.executor(), *registry_, *store_, *acts_, keeping_,
                                       settings.store.migrate ? EmptyDatabase::migrate : EmptyDatabase::leave, log_);
  background_ = std::make_unique<TaskGroup>(first.executor(), background_tasks, [this](const std::exception& error) {
    log_.error("bug: a background task failed", {{"what", error.what()}});
  });
  first.run_and_wait([this]() -> Task<> {
    (void)background_->spawn(upkeep_->run());
    (void)background_->spawn(keeper_->run());
    (void)background_->spawn(desk_->keep_looking(workers_.front()->wheel()));
    for (std::size_t lane = 0; lane < federation::BundleExchange::lanes; ++lane)
      (void)background_->spawn(exchange_->run(workers_.front()->wheel(), lanes_.front()->peers, lane));
    for (std::size_t lane = 0; lane < federation::Verifications::lanes; ++lane)
      (void)background_->spawn(verifications_->run(workers_.front()->wheel(), lanes_.front()->peers, lane));
    for (std::size_t lane = 0; lane < federation::AuditExchange::lanes; ++lane)
      (void)background_->spawn(audit_exchange_->run(workers_.front()->wheel(), lanes_.front()->peers, lane));
    (void)background_->spawn(keep_looking_at_expiry());
    (void)background_->spawn(reconciliation_->run());
    co_return;
  });
}

Result<void> Gateway::open_listeners() {
  const config::Settings& settings = *settings_;
  Worker& acceptor = *workers_.front();
  struct Wanted {
    std::string_view name;
    const config::ListenerSettings& where;
    std::unique_ptr<net::Listener>& listener;
    std::vector<net::HttpServer*> servers;
    std::function<std::shared_ptr<net::TlsContext>()> tls;
  };
  std::vector<Wanted> all;
  all.push_back({"admin", settings.admin, admin_listener_, {admin_server_.get()}, {}});
  all.push_back({"peers", settings.peers, peers_listener_, {}, [this] { return tls_.load()->peers_server; }});
  all.push_back({"clients", settings.clients, clients_listener_, {}, {}});
  if (settings.clients_tls) all.back().tls = [this] { return tls_.load()->clients_server; };
  for (auto& lane : lanes_) {
    all[1].servers.push_back(&lane->peers_server);
    all[2].servers.push_back(&lane->clients_server);
  }
  // All are bound before the first accepts: a daemon that cannot serve everything serves nothing.
  for (Wanted& one : all) {
    if (one.where.address.empty()) continue;
    auto bound = net::Listener::bind(acceptor,
                                     {.address = one.where.address,
                                      .limits = settings.server_limits,
                                      .proxy_protocol_from = one.where.proxy_protocol_from},
                                     log_);
    if (!bound) return fail(bound.error().in("listen." + std::string(one.name)));
    one.listener = std::move(*bound);
  }
  for (Wanted& one : all) {
    if (!one.listener) continue;
    one.listener->start(one.servers, one.tls);
    log_.info("listening", {{"listener", one.name}, {"address", one.listener->local()}});
  }
  return {};
}

namespace {
std::string local_of(const std::unique_ptr<net::Listener>& listener) {
  return listener ? listener->local() : std::string();
}
}  // namespace

std::string Gateway::peers_address() const { return local_of(peers_listener_); }
std::string Gateway::clients_address() const { return local_of(clients_listener_); }
std::string Gateway::admin_address() const { return local_of(admin_listener_); }

bool Gateway::responsive() {
  const bool all = heartbeats_->exchange(0) >= workers_.size() || !asked_;
  asked_ = true;
  for (auto& worker : workers_) {
    asio::post(worker->executor(), [beats = heartbeats_] { beats->fetch_add(1); });
  }
  return all;
}

void Gateway::drain_lanes() {
  const SteadyTime deadline = environment_.clock.steady() + settings_->shutdown.drain;
  std::vector<std::thread> draining;
  for (auto& lane : lanes_) {
    draining.emplace_back([&lane, deadline] {
      lane->worker.run_and_wait([&lane, deadline]() -> Task<> {
        lane->clients_server.announce_end();
        lane->peers_server.announce_end();
        co_await lane->clients_server.drain(deadline);
        co_await lane->peers_server.drain(deadline);
        co_await lane->peers.stop();
        co_await lane->upstreams.stop();
      });
    });
  }
  for (std::thread& one : draining) one.join();
}

void Gateway::shutdown() {
  State expected = State::ready;
  if (!state_.compare_exchange_strong(expected, State::draining)) {
    if (expected != State::starting) return;
    state_ = State::draining;
  }
  const bool serving = expected == State::ready;
  if (serving) {
    log_.info("stopping: announced", {{"announce_ms", settings_->shutdown.announce.count()}});
    std::this_thread::sleep_for(settings_->shutdown.announce);
  }
  listener_.reset();
  if (!workers_.empty()) {
    workers_.front()->run_and_wait([this]() -> Task<> {
      if (peers_listener_) peers_listener_->stop();
      if (clients_listener_) clients_listener_->stop();
      co_return;
    });
    drain_lanes();
    workers_.front()->run_and_wait([this]() -> Task<> {
      if (admin_listener_) admin_listener_->stop();
      admin_server_->announce_end();
      co_await admin_server_->drain(environment_.clock.steady() + std::chrono::seconds(1));
    });
    // Last: what operators have done until now is theirs to bring home.
    workers_.front()->run_and_wait([this]() -> Task<> {
      background_->cancel();
      co_await background_->join();
    });
  }
  pool_.stop();
  keeping_.stop();
  cut_offs_.stop();
  witnessing_pool_.stop();
  if (registry_)
    for (const auto& node : registry_->waiting())
      log_.error("what was taken from a node is not stored, and forgotten now", {{"node", node.view()}});
  if (acts_ && acts_->owed() > 0) log_.error("acts of operators are not in the trail", {{"acts", acts_->owed()}});
  if (journal_) journal_->close();
  if (publisher_) publisher_->stop(shipping_bound);
  if (shipper_) shipper_->stop(shipping_bound);
  cut_off_progress_.stop();
  for (auto& worker : workers_) worker->finish();
  state_ = State::ended;
  log_.info("ended");
  log_.flush();
}

Gateway::~Gateway() { shutdown(); }

}  // namespace fedgate::app
