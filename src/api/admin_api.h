// SPDX-License-Identifier: Apache-2.0
//
// What the admin listener serves: operators and the CLI, known by SO_PEERCRED. Each endpoint declares the role
// it needs. Storage work runs on the worker pool. On worker 0 only.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "api/answers.h"
#include "api/audit_api.h"
#include "api/erasure_api.h"
#include "api/receipt_api.h"
#include "api/rotation_api.h"
#include "api/signing_api.h"
#include "api/trust_api.h"
#include "audit/acts.h"
#include "audit/journal.h"
#include "audit/shipper.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "base/worker_pool.h"
#include "federation/node_check.h"
#include "net/http_server.h"
#include "nodes/registry.h"
#include "routing/static_routes.h"
#include "store/store.h"
#include "trust/operators.h"

namespace fedgate::api {

/// What the admin listener needs of the gateway as a whole; the composition root gives it as functions.
struct GatewayFace {
  std::function<nlohmann::json()> status;  ///< GET /api/v2/status, any worker, must not block
  std::function<bool()> ready;
  std::function<bool()> alive;
  /// Blocks (reads files): run on the pool. The findings, whether the new configuration is in use, and what
  /// needs a restart.
  struct Reloaded {
    bool in_use = false;
    std::vector<std::string> findings;
    std::vector<std::string> pending_restart;
  };
  std::function<Reloaded(const std::string& actor)> reload;
  /// What a command that cut a node off has closed of it.
  struct CutOff {
    std::size_t connections = 0;
    std::chrono::microseconds took{};  ///< from the command to the last of them closed
    bool complete = true;              ///< false: not all are closed yet
  };
  /// Worker 0. Waits until they are, but not long; `since`: when the command came.
  std::function<Task<CutOff>(const NodeId&, SteadyTime since)> cut_off;
  /// Worker 0. Whether what was taken from this node is stored; waits for it, but not long.
  std::function<Task<bool>(const NodeId&)> stored;
  /// What of this node ends, and when. Any worker, must not block.
  std::function<nlohmann::json(const Node&)> expiry;
};

class AdminApi final : public net::Handler {
 public:
  struct Parts {
    const Snapshot<trust::Operators>& operators;
    nodes::Registry& registry;
    const Snapshot<routing::StaticRoutes>& routes;
    store::Store& store;
    audit::Journal& journal;
    audit::Acts& acts;
    audit::Shipper& shipper;
    WorkerPool& pool;
    WorkerPool& cut_offs;  ///< never waits for the database
    Metrics& metrics;
    const log::Logger& log;
    GatewayFace gateway;
    federation::TrustDesk& desk;
    federation::BundleExchange& exchange;
    Worker& worker;
    federation::PeerClient& peers;
    federation::NodeCheck& node_check;
    SigningApi& signing;
    ErasureApi& erasure;
    AuditApi& audit;
    ReceiptApi& receipts;
  };
  explicit AdminApi(Parts parts);
  Task<> handle(const net::Connection& connection, net::Request& request, net::Response& response) override;

 private:
  struct Endpoint;
  static const std::vector<Endpoint>& endpoints();

  Task<Result<void>> status(const Operator& who, const net::Request& request, std::string_view rest,
                            net::Response& response);
  Task<Result<void>> list_nodes(const Operator& who, const net::Request& request, std::string_view rest,
                                net::Response& response);
  Task<Result<void>> show_node(const Operator& who, const net::Request& request, std::string_view rest,
                               net::Response& response);
  Task<Result<void>> add_node(const Operator& who, const net::Request& request, std::string_view rest,
                              net::Response& response);
  Task<Result<void>> change_node(const Operator& who, const net::Request& request, std::string_view rest,
                                 net::Response& response);
  Task<Result<void>> remove_node(const Operator& who, const net::Request& request, std::string_view rest,
                                 net::Response& response);
  Task<Result<void>> check_node(const Operator& who, const net::Request& request, std::string_view rest,
                                net::Response& response);
  Task<Result<void>> routes(const Operator& who, const net::Request& request, std::string_view rest,
                            net::Response& response);
  Task<Result<void>> reload(const Operator& who, const net::Request& request, std::string_view rest,
                            net::Response& response);
  Task<Result<void>> metrics(const Operator& who, const net::Request& request, std::string_view rest,
                             net::Response& response);
  Task<Result<void>> livez(const Operator& who, const net::Request& request, std::string_view rest,
                           net::Response& response);
  Task<Result<void>> readyz(const Operator& who, const net::Request& request, std::string_view rest,
                            net::Response& response);
  /// What gives something: on record before it is done. `work` blocks.
  Task<Result<Node>> widen(audit::Act act, std::function<Result<Node>()> work);
  /// What takes something away: done before anything else, then recorded and stored. The answer's body.
  Task<Result<nlohmann::json>> narrow(std::string name, nodes::Narrowing by, audit::Act act);

  Parts parts_;
  TrustApi trust_;
  RotationApi rotation_;
};

}  // namespace fedgate::api
