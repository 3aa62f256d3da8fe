// SPDX-License-Identifier: Apache-2.0
//
// The composition root: the whole gateway as members in dependency order, built top to bottom, ended bottom to
// top. start(), reload() and shutdown() block; call them from a thread that is none of the gateway's own. The
// program has one; tests have several in one process.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "adapters/resource.h"
#include "api/admin_api.h"
#include "api/audit_api.h"
#include "api/signing_api.h"
#include "app/cut_off.h"
#include "app/expiry_watch.h"
#include "app/file_watch.h"
#include "app/lane.h"
#include "app/registry_keeper.h"
#include "audit/acts.h"
#include "audit/disk.h"
#include "audit/generation.h"
#include "audit/journal.h"
#include "audit/principal_salts.h"
#include "audit/publisher.h"
#include "audit/shipper.h"
#include "base/entropy.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "base/worker.h"
#include "base/worker_pool.h"
#include "config/loader.h"
#include "config/settings.h"
#include "federation/audit_exchange.h"
#include "federation/audit_query.h"
#include "federation/bundle_exchange.h"
#include "federation/node_check.h"
#include "federation/own_trust.h"
#include "federation/peer_log_keys.h"
#include "federation/reconciliation.h"
#include "federation/refusal_floods.h"
#include "federation/seen_calls.h"
#include "federation/surroundings.h"
#include "federation/timeline.h"
#include "federation/trust_desk.h"
#include "federation/upkeep.h"
#include "federation/verifications.h"
#include "limits/node_limiter.h"
#include "net/enrolment_gate.h"
#include "net/http_server.h"
#include "net/tls.h"
#include "nodes/registry.h"
#include "policy/rules.h"
#include "routing/static_routes.h"
#include "store/change_listener.h"
#include "store/store.h"
#include "trust/client_tokens.h"
#include "trust/operators.h"
#include "trust/peer_verifier.h"
#include "trust/revocation_lists.h"
#include "trust/seen_leaves.h"

namespace fedgate::app {

/// The outside edges, replaced in tests.
struct Environment {
  const Clock& clock = system_clock();
  const Entropy& entropy = system_entropy();
  audit::Disk* disk = nullptr;  ///< null: the real one
  /// Where reload() reads from; empty: the file the settings came from.
  std::function<config::Loaded()> reload_source;
  federation::ExchangePace exchange{};
  std::chrono::milliseconds compare_database_each{10'000};  ///< a page of the trail's copy with the journal
  federation::AuditPace audit{};
  std::optional<federation::ReconciliationPace> reconciliation{};  ///< empty: as the configuration says
  federation::VerificationPace verification{};
  /// What to watch from the beginning: config::Loaded::files.
  std::vector<std::string> files{};
};

class Gateway {
 public:
  static constexpr std::chrono::seconds reload_pause{10};  ///< between attempts to use changed files

  static Result<std::unique_ptr<Gateway>> start(std::shared_ptr<const config::Settings> settings,
                                                Environment environment);
  /// Ends it at once if shutdown() was not called.
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // Where it listens, with the chosen ports; empty where a listener is off.
  [[nodiscard]] std::string peers_address() const;
  [[nodiscard]] std::string clients_address() const;
  [[nodiscard]] std::string admin_address() const;

  /// Reads the configuration again; a bad one leaves the old in use. Any thread that may block.
  /// `actor`: who asked for it, for the trail.
  api::GatewayFace::Reloaded reload(const std::string& actor);
  /// The same where a file of the configuration was changed; ask about once a second. Whether there was one.
  bool reload_if_changed();
  /// Not ready from here on (readyz 503, peers are told), then after `shutdown.announce` no new connections, then
  /// what runs may end within `shutdown.drain`, then the journal is closed. Idempotent.
  void shutdown();

  /// Every worker takes work: what the watchdog asks. Answers from what it saw since the last question.
  bool responsive();
  [[nodiscard]] bool ready() const { return state_ == State::ready; }
  [[nodiscard]] nodes::Registry& registry() { return *registry_; }
  [[nodiscard]] audit::Journal& journal() { return *journal_; }
  [[nodiscard]] audit::Shipper& shipper() { return *shipper_; }
  [[nodiscard]] audit::Publisher& publisher() { return *publisher_; }
  [[nodiscard]] const federation::PeerLogKeys& log_keys() const { return log_keys_; }
  [[nodiscard]] store::Store& store() { return *store_; }
  [[nodiscard]] Metrics& metrics() { return metrics_; }
  [[nodiscard]] const log::Logger& log() const { return log_; }

 private:
  enum class State : std::uint8_t { starting, ready, draining, ended };
  struct TlsContexts {
    std::shared_ptr<net::TlsContext> peers_server, peers_client, clients_server;
  };

  Gateway(std::shared_ptr<const config::Settings> settings, Environment environment);

  // Start, in order; each returns why it could not.
  Result<void> open_store();
  Result<void> open_journal();
  // The log's generations and keys: gateway_signing.cpp.
  Result<void> choose_generation();
  Result<void> begin_generation();
  Result<void> open_signing();
  [[nodiscard]] audit::JournalOptions journal_options(std::uint64_t generation) const;
  std::uint64_t end_generation(const audit::JournalOptions& options);
  void state_log_keys();
  Result<std::uint64_t> want_new_log(const std::string& who, const std::string& reason);
  Result<std::string> rotate_log_key(const std::string& who);
  void describe_signing(nlohmann::json& body) const;
  Result<void> open_witnessing();
  void describe_witnessing(nlohmann::json& body) const;
  void build_trust();
  Result<void> build_tls();
  void build_lanes();
  Result<void> listen_to_replicas();
  Result<void> open_finding();
  void build_finding();
  [[nodiscard]] federation::ReconciliationPace reconciliation_pace() const;
  [[nodiscard]] Result<api::AuditApi::SignedLog> signed_log() const;
  Result<void> open_listeners();

  Result<TlsContexts> make_tls(const config::Settings& settings);
  net::Judge judge(trust::Presented presented);
  [[nodiscard]] federation::CallOptions call_options(const config::Settings& settings) const;
  [[nodiscard]] federation::OwnTrust own_trust(const config::Settings& settings) const;
  void publish(const config::Settings& settings);
  void nodes_changed(const nodes::NodeTable& before, const nodes::NodeTable& after, nodes::ChangedBy by);
  api::GatewayFace::Reloaded reload_now(const std::string& actor);
  /// What files hold beside the settings.
  struct Material {
    TlsContexts tls;
    std::shared_ptr<const trust::RevocationLists> crls;
  };
  Result<void> take_into_use(const config::Settings& settings, Material material, const std::string& actor);
  void record_nodes(const std::string& actor, const nodes::NodeTable& before, const nodes::NodeTable& after);
  Result<std::shared_ptr<const trust::RevocationLists>> read_crls(const config::Settings& settings) const;
  void use_crls(std::shared_ptr<const trust::RevocationLists> crls);
  void publish_verifier();
  void judge_connections();
  void cut_off(const Node& was, nodes::ChangedBy by);
  void renew_connections();
  Task<> record_cut_off(NodeId node, SteadyTime since);
  [[nodiscard]] nlohmann::json status() const;
  [[nodiscard]] audit::Shipper::Options shipper_options() const;
  void describe_database(nlohmann::json& body) const;
  // What ends; look_at_expiry() blocks.
  [[nodiscard]] std::chrono::seconds warn_before() const;
  void look_at_expiry();
  Task<> keep_looking_at_expiry();
  void restore_seen_leaves();
  void keep_seen_leaves(const std::vector<SeenLeaf>& news);
  [[nodiscard]] nlohmann::json expiry_of(const Node& node) const;
  void drain_lanes();

  std::shared_ptr<const config::Settings> settings_;  // what it was started with
  std::shared_ptr<const config::Settings> in_use_;    // the newest that was accepted; guarded by in_use_mutex_
  Environment environment_;
  log::Logger log_;
  Metrics metrics_;
  std::unique_ptr<audit::Disk> own_disk_;
  SteadyTime started_;
  std::atomic<State> state_{State::starting};

  std::unique_ptr<store::Store> store_;          // nodes and trust: short transactions
  std::unique_ptr<store::Store> reading_store_;  // what people ask for, which may take its time
  std::unique_ptr<store::Store> shipper_store_;  // the shipper's own connection
  std::unique_ptr<store::Store> finding_store_;  // what peers ask for and reconciliations read
  std::unique_ptr<nodes::Revocations> revocations_;
  std::unique_ptr<nodes::Registry> registry_;
  mutable std::mutex generation_mutex_;
  audit::Generation generation_;
  std::unique_ptr<audit::PrincipalSalts> salts_;
  std::unique_ptr<audit::Journal> journal_;
  std::unique_ptr<audit::Publisher> publisher_;
  std::optional<wire::NoteSigner> witness_signer_;
  federation::PeerLogKeys log_keys_;
  std::unique_ptr<audit::Acts> acts_;
  std::unique_ptr<audit::Shipper> shipper_;

  Snapshot<federation::CallOptions> options_;
  Snapshot<routing::StaticRoutes> routes_;
  Snapshot<policy::Rules> rules_;
  Snapshot<adapters::ResourceTable> resources_;
  Snapshot<trust::ClientTokens> tokens_;
  Snapshot<trust::Operators> operators_;
  std::mutex verifier_mutex_;  // one at a time is made, from the newest of everything
  Snapshot<trust::RevocationLists> crls_;
  Snapshot<trust::PeerVerifier> verifier_;
  Snapshot<federation::OwnTrust> own_trust_;
  trust::SeenLeaves seen_leaves_;
  ExpiryWatch expiry_watch_;
  Snapshot<TlsContexts> tls_;
  limits::NodeLimiter inbound_limits_;
  limits::NodeLimiter outbound_limits_;
  federation::SeenCalls seen_;
  federation::RefusalFloods floods_;
  Snapshot<std::string> own_head_;  // the header Fedgate-Checkpoint
  std::optional<federation::Surroundings> around_;

  CutOffs cut_off_progress_;
  WorkerPool pool_;
  WorkerPool keeping_;          // one thread, of keeper_ alone
  WorkerPool cut_offs_;         // for what must not wait behind those who wait for the database
  WorkerPool witnessing_pool_;  // what peers may ask of our log and for theirs
  std::unique_ptr<store::Store> witnessing_store_;
  std::unique_ptr<federation::AuditAlarms> alarms_;
  std::unique_ptr<federation::AuditExchange> audit_exchange_;
  std::unique_ptr<api::ReceiptApi> receipt_api_;
  std::unique_ptr<federation::Verifications> verifications_;
  std::unique_ptr<federation::TrustDesk> desk_;
  std::unique_ptr<federation::BundleExchange> exchange_;
  std::unique_ptr<federation::Trail> trail_;
  std::shared_ptr<net::EnrolmentGate> gate_;  // for strangers at the peers listener
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<federation::Upkeep> upkeep_;
  std::unique_ptr<federation::NodeCheck> node_check_;
  std::unique_ptr<federation::Timelines> timelines_;
  std::unique_ptr<federation::Reconciliation> reconciliation_;
  std::unique_ptr<api::AuditApi> audit_api_;
  std::unique_ptr<RegistryKeeper> keeper_;
  std::unique_ptr<store::ChangeListener> listener_;  // to other replicas
  std::unique_ptr<TaskGroup> background_;            // worker 0
  std::unique_ptr<api::SigningApi> signing_api_;
  std::unique_ptr<api::ErasureApi> erasure_api_;
  std::unique_ptr<api::AdminApi> admin_api_;
  std::unique_ptr<net::HttpServer> admin_server_;
  std::unique_ptr<net::Listener> peers_listener_, clients_listener_, admin_listener_;

  std::shared_ptr<std::atomic<std::size_t>> heartbeats_ = std::make_shared<std::atomic<std::size_t>>(0);
  bool asked_ = false;

  std::mutex reload_mutex_;  // one reload at a time, over files and the database
  // Guarded by reload_mutex_.
  FileWatch watch_;
  bool reload_failed_elsewhere_ = false;  // not for what the files say
  std::optional<SteadyTime> reload_again_;
  mutable std::mutex
      in_use_mutex_;  // guards in_use_ and what follows; status() takes it on a worker, so nobody blocks under it
  std::string reload_problem_;
  std::vector<std::string> pending_restart_;
  WallTime loaded_at_;
};

}  // namespace fedgate::app
