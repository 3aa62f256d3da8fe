// SPDX-License-Identifier: Apache-2.0
//
// Every metric of product.md section 9 that this gateway has, declared in one place over prometheus-cpp, so
// that names and labels stay one list. Labels are bounded: node ids of the registry, codes, methods; never a
// principal or a correlation id. Any thread; hot callers keep the Counter& they were given.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <string_view>

namespace fedgate {

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Each returns the one instance with these labels (made at the first call; takes a lock).
  prometheus::Counter& requests(const std::string& node, std::string_view direction, std::string_view status);
  prometheus::Histogram& request_duration(const std::string& node);
  prometheus::Histogram& call_phase(const std::string& node, std::string_view phase);
  prometheus::Counter& denials(const std::string& node, std::string_view decided_by, std::string_view code);
  prometheus::Counter& errors(std::string_view code);
  prometheus::Counter& tls_handshakes(std::string_view side, std::string_view result);  // side: server, client
  prometheus::Gauge& certificate_expiry_days(const std::string& subject, std::string_view kind);
  /// Whatever it was about is not in use any more: from here on nobody holds that gauge.
  void forget_certificate_expiry_days(const std::string& subject, std::string_view kind);
  prometheus::Counter& rate_limit_hits(const std::string& node, std::string_view limit);
  prometheus::Counter& trust_verification(std::string_view result, std::string_view reason);  // reason: of refused
  prometheus::Counter& trust_establishment(std::string_view result);
  prometheus::Gauge& trust_pending();          // nodes with a candidate about which nobody has decided
  prometheus::Histogram& cut_off_seconds();    // until the last connection of a node that was cut off is closed
  prometheus::Counter& cut_off_connections();  // closed because their node was cut off
  prometheus::Counter& route_lookups(std::string_view result);
  prometheus::Counter& invocations(std::string_view resource_protocol, std::string_view result);
  prometheus::Histogram& invocation_duration(std::string_view resource_protocol);
  prometheus::Counter& config_reload(std::string_view result);
  prometheus::Gauge& config_reload_success();  // 1: the newest configuration is in use; 0: it was refused
  prometheus::Gauge& audit_backlog();          // records in the journal that the database does not have yet
  prometheus::Counter& audit_records();
  /// Calls that the newest reconciliation with this node found; kind: differs, missing_here, missing_there, unknown,
  /// unproven.
  prometheus::Gauge& audit_mismatches(const std::string& node, std::string_view kind);
  prometheus::Gauge& audit_checkpoint_size();              // records under the newest signed checkpoint
  prometheus::Gauge& audit_checkpoint_timestamp();         // when that was signed, in seconds since 1970
  prometheus::Gauge& audit_signing_stopped();              // 1: the journal contradicts what is signed
  prometheus::Counter& audit_refusals();                   // calls refused because the journal could not be written
  prometheus::Gauge& audit_alarms(std::string_view kind);  // that are raised and not settled
  /// Leaves of a node that our own name: state waiting, missing.
  prometheus::Gauge& audit_receipts(const std::string& node, std::string_view state);
  prometheus::Counter& audit_cosignatures(const std::string& node, std::string_view side);  // side: given, got
  prometheus::Gauge& connections(std::string_view listener);
  prometheus::Counter& rejected_connections(std::string_view listener, std::string_view reason);
  void build_info(const std::string& version, const std::string& commit);

  /// Prometheus text format 0.0.4.
  [[nodiscard]] std::string text() const;

 private:
  struct Families;  // one prometheus::Family per method above
  prometheus::Registry registry_;
  std::unique_ptr<Families> families_;
};

}  // namespace fedgate
