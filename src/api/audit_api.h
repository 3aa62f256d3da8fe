// SPDX-License-Identifier: Apache-2.0
//
// What the admin listener serves of finding records: GET /api/v2/audit/events, …/calls/ID, …/log, …/reconcile/NODE,
// POST …/reconcile and …/export. All need the role auditor. On worker 0 only.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/answers.h"
#include "audit/journal.h"
#include "audit/shipper.h"
#include "base/worker_pool.h"
#include "federation/reconciliation.h"
#include "federation/timeline.h"
#include "fedgate/checkpoint.h"
#include "fedgate/principal.h"
#include "store/store.h"

namespace fedgate::api {

class AuditApi {
 public:
  /// What is signed of our log.
  struct SignedLog {
    std::string name;
    std::optional<Checkpoint> newest;     ///< nothing: nothing is signed yet
    std::optional<Checkpoint> witnessed;  ///< the newest that somebody has cosigned
    std::vector<std::string> vkeys;
  };
  struct Parts {
    NodeId own_id;
    const Snapshot<nodes::NodeTable>& nodes;
    store::Store& store;
    audit::Journal& journal;
    audit::PrincipalSalts& salts;
    audit::Shipper& shipper;
    WorkerPool& pool;
    DeadlineWheel& wheel;
    federation::PeerClient& peers;
    federation::Timelines& timelines;
    federation::Reconciliation& reconciliation;
    std::function<Result<SignedLog>()> signed_log;  ///< blocks
  };
  explicit AuditApi(Parts parts) : parts_(std::move(parts)) {}

  /// Whether a path is one of those above.
  static bool serves(std::string_view path);
  Task<Result<void>> serve(const Operator& who, const net::Request& request, net::Response& response);

 private:
  Task<Result<nlohmann::json>> events(std::string_view query);
  /// The filters, people as they are recorded; then the rows, people by name where that is known.
  [[nodiscard]] Result<store::AuditQuery> query_from(std::string_view filters) const;
  [[nodiscard]] nlohmann::json view_of(store::AuditRow row) const;
  Task<Result<nlohmann::json>> call(std::string id, std::string_view query);
  Task<Result<nlohmann::json>> log();
  Task<Result<nlohmann::json>> reconcile(nlohmann::json body);
  Task<Result<nlohmann::json>> export_page(nlohmann::json body);
  Task<Result<nlohmann::json>> export_ours(nlohmann::json body);
  Task<Result<nlohmann::json>> export_theirs(nlohmann::json body);
  Task<Result<nlohmann::json>> export_log(nlohmann::json body);

  Parts parts_;
};

}  // namespace fedgate::api
