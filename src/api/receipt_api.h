// SPDX-License-Identifier: Apache-2.0
//
// What the admin listener serves of receipts and alarms: GET /api/v2/audit/receipt?id= (a correlation id, or
// LOG:INDEX), GET /api/v2/audit/alarms, both for auditors; POST /api/v2/audit/alarms/settle {kind, node_id, log,
// reason} for trust admins. On worker 0 only.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "api/answers.h"
#include "audit/acts.h"
#include "audit/journal.h"
#include "audit/shipper.h"
#include "base/task.h"
#include "base/worker_pool.h"
#include "federation/audit_exchange.h"
#include "fedgate/principal.h"
#include "store/store.h"

namespace fedgate::api {

class ReceiptApi {
 public:
  struct Parts {
    store::Store& store;
    audit::Journal& journal;
    audit::Shipper& shipper;
    audit::Acts& acts;
    WorkerPool& pool;
    federation::AuditExchange& exchange;
  };
  explicit ReceiptApi(Parts parts) : parts_(parts) {}

  /// Whether a path is one of those above.
  static bool serves(std::string_view path);
  Task<Result<void>> serve(const Operator& who, const net::Request& request, net::Response& response);

 private:
  Task<Result<nlohmann::json>> receipt(std::string id);
  Task<Result<nlohmann::json>> alarms();
  Task<Result<nlohmann::json>> settle(std::string who, std::string body);

  Parts parts_;
};

}  // namespace fedgate::api
