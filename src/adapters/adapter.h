// SPDX-License-Identifier: Apache-2.0
//
// An adapter invokes one kind of local service. It answers into a sink, so that whole and streamed answers
// take one path. One instance per resource and worker, on that worker's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/task.h"
#include "fedgate/invocation.h"
#include "fedgate/outcome.h"

namespace fedgate::adapters {

/// Where an answer goes, piece by piece. begin() once, data() any number of times; the end is the adapter's
/// return. An error from either (too large, the caller has gone) ends the invocation.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual Task<Result<void>> begin(std::string_view content_type) = 0;
  virtual Task<Result<void>> data(std::string_view bytes) = 0;
};

class Adapter {
 public:
  virtual ~Adapter() = default;
  /// Never throws but on cancellation. `outcome.error` says why it failed; `effect` is `unknown` where the
  /// service may have acted, `not_sent` where it cannot have; timing.upstream is the service's share.
  virtual Task<Outcome> invoke(const Invocation& invocation, ReplySink& sink) = 0;
  /// http, mcp, grpc: for audit and metrics.
  [[nodiscard]] virtual std::string_view protocol() const = 0;
};

}  // namespace fedgate::adapters
