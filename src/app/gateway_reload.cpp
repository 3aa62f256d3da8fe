// SPDX-License-Identifier: Apache-2.0
//
// What changes while the gateway runs: configuration that is read again. Nodes: gateway_nodes.cpp.
#include <unistd.h>

#include <algorithm>

#include "app/gateway.h"
#include "net/address.h"

namespace fedgate::app {

federation::CallOptions Gateway::call_options(const config::Settings& settings) const {
  return {.principal_domains = settings.node.principal_domains,
          .timeout = settings.call_timeout,
          .json_depth = settings.json_depth,
          // Needs a restart: the listeners and the connections to others know it, too.
          .body = settings_->server_limits.body};
}

namespace {
/// What a configuration that was refused has taken away all the same.
std::string in_force(const nodes::NodeTable& before, const nodes::NodeTable& after) {
  std::string names;
  for (const auto& one : nodes::differences(before, after))
    names.append(names.empty() ? "" : ", ")
        .append(one.before != nullptr ? one.before->id.view() : one.after->id.view());
  return names.empty() ? names : "; what it takes from these nodes is in force already: " + names;
}
}  // namespace

api::GatewayFace::Reloaded Gateway::reload(const std::string& actor) {
  const std::lock_guard lock(reload_mutex_);
  watch_.accept();
  return reload_now(actor);
}

bool Gateway::reload_if_changed() {
  const std::unique_lock lock(reload_mutex_, std::try_to_lock);
  if (!lock || state_ != State::ready) return false;
  const bool due = reload_again_ && environment_.clock.steady() >= *reload_again_;
  if (!watch_.settled_change() && !due) return false;
  reload_again_.reset();
  // The files may be right and the database away: nobody would ask for them again.
  if (!reload_now("file change").in_use && reload_failed_elsewhere_)
    reload_again_ = environment_.clock.steady() + reload_pause;
  return true;
}

// With reload_mutex_ held.
api::GatewayFace::Reloaded Gateway::reload_now(const std::string& actor) {
  config::Loaded loaded =
      environment_.reload_source ? environment_.reload_source() : config::load(settings_->file, environment_.clock);
  watch_.follow(loaded.files);
  reload_failed_elsewhere_ = false;
  api::GatewayFace::Reloaded report;
  std::string first_error;
  for (const config::Finding& finding : loaded.findings) {
    report.findings.push_back(finding.text());
    if (first_error.empty() && finding.severity == config::Severity::error) first_error = finding.text();
  }
  const auto refuse = [&](std::string why) {
    if (!why.empty()) report.findings.push_back(why);
    const std::lock_guard in_use(in_use_mutex_);
    reload_problem_ = why.empty() ? first_error : std::move(why);
    metrics_.config_reload("refused").Increment();
    metrics_.config_reload_success().Set(0);
    log_.error("new configuration refused, the old one stays in use", {{"problem", reload_problem_}});
    return report;
  };
  if (!loaded.settings) return refuse({});
  auto tls = make_tls(*loaded.settings);
  if (!tls) return refuse(tls.error().detail);
  auto crls = read_crls(*loaded.settings);
  if (!crls) return refuse(crls.error().detail);
  const auto before = registry_->table().load();
  const auto used = take_into_use(*loaded.settings, {std::move(*tls), std::move(*crls)}, actor);
  const auto after = registry_->table().load();
  record_nodes(actor, *before, *after);
  if (!used) {
    reload_failed_elsewhere_ = used.error().code == Code::store_unavailable || journal_->state().failing;
    return refuse(used.error().detail + in_force(*before, *after));
  }
  report.pending_restart = config::needs_restart(*settings_, *loaded.settings);
  report.in_use = true;
  {
    const std::lock_guard in_use(in_use_mutex_);
    in_use_ = loaded.settings;
    pending_restart_ = report.pending_restart;
    reload_problem_.clear();
    loaded_at_ = environment_.clock.wall();
  }
  look_at_expiry();
  metrics_.config_reload("accepted").Increment();
  metrics_.config_reload_success().Set(1);
  log_.info("configuration reloaded", {{"by", actor}, {"pending_restart", report.pending_restart.size()}});
  return report;
}

namespace {
/// The same lists, renewed: what a CA has signed waits for nobody. A list that is left out takes nothing away.
bool replaces_lists(const std::vector<trust::CrlSource>& before, const std::vector<trust::CrlSource>& after) {
  const auto same = [](const trust::CrlSource& one, const trust::CrlSource& other) {
    return one.name == other.name && one.node == other.node;
  };
  return before != after && std::ranges::all_of(before, [&](const trust::CrlSource& old) {
           return std::ranges::any_of(after, [&](const trust::CrlSource& now) { return same(old, now); });
         });
}
}  // namespace

// What it takes from nodes comes first and stays, whatever becomes of the rest: neither a database nor a journal that
// fails may keep anybody in. What it gives comes only after it is on record.
Result<void> Gateway::take_into_use(const config::Settings& settings, Material material, const std::string& actor) {
  const nodes::Configured configured{.nodes = settings.nodes, .own_domains = settings.node.principal_domains};
  if (auto narrowed = registry_->narrow_to(configured); !narrowed) return narrowed;
  const bool replaced = replaces_lists(in_use_->crls, settings.crls);
  if (replaced) use_crls(material.crls);
  const auto intent = acts_->begin_blocking({.who = actor, .action = "reload", .subject = settings_->node.id.str()});
  if (!intent) return fail(intent.error());
  auto loaded = registry_->load(configured);
  if (loaded) {
    if (!replaced && settings.crls != in_use_->crls) use_crls(material.crls);
    const bool another = in_use_->tls.certificate_pem != settings.tls.certificate_pem;
    tls_.publish(std::make_shared<TlsContexts>(std::move(material.tls)));
    publish(settings);
    if (another) renew_connections();
  }
  if (auto ended = acts_->end_blocking(*intent, loaded); !ended)
    log_.error("how a reload ended is not in the trail", {{"detail", ended.error().detail}});
  return loaded;
}

// Others may stop believing the certificate that was ours so far: no connection shows it for longer than it must.
void Gateway::renew_connections() {
  for (auto& lane : lanes_) asio::post(lane->worker.executor(), [lane = lane.get()] { lane->peers_server.renew(); });
}

federation::OwnTrust Gateway::own_trust(const config::Settings& settings) const {
  const auto& client = settings.tls_client ? *settings.tls_client : settings.tls;
  federation::OwnTrust own{.id = settings_->node.id,
                           .endpoints = {},
                           .principal_domains = settings.node.principal_domains,
                           .anchors = settings.trust.anchors,
                           .enrolment = settings.trust.enrolment,
                           .server_certificate = settings.tls.certificate_pem,
                           .server_key = settings.tls.key_pem,
                           .client_certificate = client.certificate_pem,
                           .client_key = client.key_pem};
  if (publisher_)
    for (const auto& key : publisher_->keys()) own.log_vkeys.push_back(key.text());
  if (witness_signer_) own.witness_vkey = witness_signer_->vkey().text();
  const auto listening = net::parse_address(peers_address());
  if (!settings_->node.endpoint.empty())
    own.endpoints = {settings_->node.endpoint};
  else if (listening && listening->loopback())  // elsewhere only the operator knows how it is reached
    own.endpoints = {"https://" + peers_address()};
  return own;
}

void Gateway::build_trust() {
  own_trust_.publish(std::make_shared<federation::OwnTrust>(own_trust(*settings_)));
  verifications_ =
      std::make_unique<federation::Verifications>(federation::Verifications::Parts{.nodes = registry_->table(),
                                                                                   .own = own_trust_,
                                                                                   .clock = environment_.clock,
                                                                                   .entropy = environment_.entropy,
                                                                                   .log = log_,
                                                                                   .metrics = metrics_,
                                                                                   .pace = environment_.verification});
  verifications_->nodes_changed(nodes::NodeTable({}), *registry_->table().load());
  const federation::TrustSurroundings around{.store = *store_,
                                             .registry = *registry_,
                                             .acts = *acts_,
                                             .journal = *journal_,
                                             .own = own_trust_,
                                             .pool = pool_,
                                             .clock = environment_.clock,
                                             .entropy = environment_.entropy,
                                             .log = log_,
                                             .metrics = metrics_};
  desk_ = std::make_unique<federation::TrustDesk>(federation::TrustDesk::Parts{
      around, *verifications_, [this]() -> std::size_t { return gate_ ? gate_->take_refused() : 0; }});
  exchange_ = std::make_unique<federation::BundleExchange>(
      federation::BundleExchange::Parts{around, log_keys_, environment_.exchange});
  if (auto looked = exchange_->look(); !looked) log_.error("bundles", {{"detail", looked.error().detail}});
  if (auto looked = desk_->look(); !looked) log_.error("trust records", {{"detail", looked.error().detail}});
  gate_ = std::make_shared<net::EnrolmentGate>(environment_.clock, [this] { return desk_->open(); });
}

void Gateway::publish(const config::Settings& settings) {
  own_trust_.publish(std::make_shared<federation::OwnTrust>(own_trust(settings)));
  options_.publish(std::make_shared<federation::CallOptions>(call_options(settings)));
  rules_.publish(std::make_shared<policy::Rules>(settings.rules));
  resources_.publish(std::make_shared<adapters::ResourceTable>(settings.resources));
  tokens_.publish(std::make_shared<trust::ClientTokens>(settings.clients_list));
  operators_.publish(std::make_shared<trust::Operators>(geteuid(), settings.operators));
  inbound_limits_.set_options(settings.node_limits);
  outbound_limits_.set_options(settings.node_limits);
  log_.set_level(settings.log.level);
}

}  // namespace fedgate::app
