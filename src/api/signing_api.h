// SPDX-License-Identifier: Apache-2.0
//
// What the admin listener serves of the log's keys and generations: POST /api/v2/audit/new-log {reason} and POST
// /api/v2/audit/rotate-key, both for trust admins. On worker 0 only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "api/answers.h"
#include "audit/acts.h"
#include "base/worker_pool.h"
#include "fedgate/principal.h"

namespace fedgate::api {

class SigningApi {
 public:
  struct Parts {
    audit::Acts& acts;
    WorkerPool& pool;
    // Both block.
    std::function<Result<std::uint64_t>(const std::string& who, const std::string& reason)> new_log;
    std::function<Result<std::string>(const std::string& who)> rotate;  ///< the new verifier key
  };
  explicit SigningApi(Parts parts) : parts_(std::move(parts)) {}

  static bool serves(std::string_view path);
  Task<Result<void>> serve(const Operator& who, const net::Request& request, net::Response& response);

 private:
  Task<Result<void>> new_log(const Operator& who, const net::Request& request, net::Response& response);
  Task<Result<void>> rotate(const Operator& who, net::Response& response);

  Parts parts_;
};

}  // namespace fedgate::api
