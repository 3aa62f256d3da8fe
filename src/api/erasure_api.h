// SPDX-License-Identifier: Apache-2.0
//
// What the admin listener serves of forgetting people: POST /api/v2/audit/erase {principal, reason}, for trust admins.
// The record of it names the pseudonym, not the person. On worker 0 only.
#pragma once

#include <string_view>

#include "api/answers.h"
#include "audit/acts.h"
#include "audit/principal_salts.h"
#include "base/worker_pool.h"
#include "fedgate/principal.h"

namespace fedgate::api {

class ErasureApi {
 public:
  struct Parts {
    audit::Acts& acts;
    audit::PrincipalSalts& salts;
    WorkerPool& pool;
  };
  explicit ErasureApi(Parts parts) : parts_(parts) {}

  static bool serves(std::string_view path);
  Task<Result<void>> serve(const Operator& who, const net::Request& request, net::Response& response);

 private:
  Parts parts_;
};

}  // namespace fedgate::api
