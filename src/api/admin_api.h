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
#include "audit/journal.h"
#include "audit/shipper.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "base/worker_pool.h"
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
};

class AdminApi final : public net::Handler {
 public:
  struct Parts {
    NodeId own_id;
    const Snapshot<trust::Operators>& operators;
    nodes::Registry& registry;
    const Snapshot<routing::StaticRoutes>& routes;
    store::Store& store;
    audit::Journal& journal;
    audit::Shipper& shipper;
    WorkerPool& pool;
    Metrics& metrics;
    const Clock& clock;
    const log::Logger& log;
    GatewayFace gateway;
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
  Task<Result<void>> routes(const Operator& who, const net::Request& request, std::string_view rest,
                            net::Response& response);
  Task<Result<void>> audit_events(const Operator& who, const net::Request& request, std::string_view rest,
                                  net::Response& response);
  Task<Result<void>> reload(const Operator& who, const net::Request& request, std::string_view rest,
                            net::Response& response);
  Task<Result<void>> metrics(const Operator& who, const net::Request& request, std::string_view rest,
                             net::Response& response);
  Task<Result<void>> livez(const Operator& who, const net::Request& request, std::string_view rest,
                           net::Response& response);
  Task<Result<void>> readyz(const Operator& who, const net::Request& request, std::string_view rest,
                            net::Response& response);
  /// An operator's act goes into the trail before its answer leaves.
  Task<Result<void>> record(const Operator& who, EventType type, std::string action, std::string subject,
                            std::string reason);

  Parts parts_;
};

}  // namespace fedgate::api
