// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include <prometheus/text_serializer.h>

namespace fedgate {

namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

Family<Counter>& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(std::string("federation_") + name).Help(help).Register(registry);
}
Family<Gauge>& gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(std::string("federation_") + name).Help(help).Register(registry);
}
Family<Histogram>& histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(std::string("federation_") + name).Help(help).Register(registry);
}

// Seconds: from a call that stays on this host to the default timeout.
Histogram& add(Family<Histogram>& family, const prometheus::Labels& labels) {
  static const Histogram::BucketBoundaries bounds{0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                                  0.1,    0.2,    0.5,   1,     2,     5,    10,   30};
  return family.Add(labels, bounds);
}

std::string text_of(std::string_view view) { return std::string(view); }

}  // namespace

struct Metrics::Families {
  explicit Families(prometheus::Registry& r)
      : requests(
            counters(r, "requests_total", "Federated calls, by counterparty, direction (in, out) and HTTP status")),
        request_duration(histograms(r, "request_duration_seconds", "Time from a request read to its answer written")),
        call_phase(histograms(r, "call_phase_seconds",
                              "Time of a call by where it was spent: origin, network, target, upstream")),
        denials(counters(r, "denials_total", "Calls that were turned down, by who decided and the error code")),
        errors(counters(r, "errors_total", "Answers that were errors, by error code")),
        tls_handshakes(counters(r, "tls_handshakes_total", "TLS handshakes by side (server, client) and result")),
        certificate_expiry(gauges(r, "certificate_expiry_days", "Days until a certificate in use expires")),
        rate_limit_hits(counters(r, "rate_limit_hits_total", "Calls refused by a rate limit")),
        trust_verification(counters(r, "trust_verification_total", "Judgements of peers' certificates")),
        trust_establishment(counters(r, "trust_establishment_total", "Dialogues by which trust begins, by result")),
        trust_pending(gauges(r, "trust_pending", "Nodes that wait for an operator's decision").Add({})),
        cut_off_seconds(histograms(r, "cut_off_seconds", "Time from cutting a node off to its last connection closed")),
        cut_off_connections(
            counters(r, "cut_off_connections_total", "Connections closed because their node was cut off").Add({})),
        route_lookups(counters(r, "route_lookups_total", "Choices of a route by result")),
        invocations(counters(r, "invocation_requests_total", "Calls of local resources by protocol and result")),
        invocation_duration(histograms(r, "invocation_duration_seconds", "Time that local resources took to answer")),
        config_reload(counters(r, "config_reload_total", "Reloads of the configuration by result")),
        config_reload_success(
            gauges(r, "config_reload_success", "1: the newest configuration is in use; 0: it was refused").Add({})),
        audit_backlog(gauges(r, "audit_backlog", "Records in the journal that the database does not have yet").Add({})),
        audit_mismatches(gauges(r, "audit_mismatches", "Calls of which a node's records and ours do not agree")),
        audit_records(counters(r, "audit_records_total", "Records made durable in the journal").Add({})),
        audit_checkpoint_size(gauges(r, "audit_checkpoint_size", "Records under the newest signed checkpoint").Add({})),
        audit_checkpoint_timestamp(
            gauges(r, "audit_checkpoint_timestamp_seconds", "When the newest checkpoint was signed").Add({})),
        audit_signing_stopped(
            gauges(r, "audit_signing_stopped", "1: the audit journal contradicts what is signed").Add({})),
        audit_refusals(
            counters(r, "audit_refusals_total", "Calls refused because the journal could not be written").Add({})),
        audit_alarms(gauges(r, "audit_alarms", "Alarms about audit logs that are raised and not settled, by kind")),
        audit_receipts(gauges(r, "audit_receipts", "Leaves of a node that ours name and it has not proven, by state")),
        audit_cosignatures(counters(r, "audit_cosignatures_total", "Cosignatures given to and got from a node")),
        connections(gauges(r, "connections", "Open connections by listener")),
        rejected_connections(counters(r, "rejected_connections_total", "Connections closed before a request was read")),
        build_info(gauges(r, "build_info", "1, with the version and commit as labels")) {}

  Family<Counter>& requests;
  Family<Histogram>& request_duration;
  Family<Histogram>& call_phase;
  Family<Counter>& denials;
  Family<Counter>& errors;
  Family<Counter>& tls_handshakes;
  Family<Gauge>& certificate_expiry;
  Family<Counter>& rate_limit_hits;
  Family<Counter>& trust_verification;
  Family<Counter>& trust_establishment;
  Gauge& trust_pending;
  Family<Histogram>& cut_off_seconds;
  Counter& cut_off_connections;
  Family<Counter>& route_lookups;
  Family<Counter>& invocations;
  Family<Histogram>& invocation_duration;
  Family<Counter>& config_reload;
  Gauge& config_reload_success;
  Gauge& audit_backlog;
  Family<Gauge>& audit_mismatches;
  Counter& audit_records;
  Gauge& audit_checkpoint_size;
  Gauge& audit_checkpoint_timestamp;
  Gauge& audit_signing_stopped;
  Counter& audit_refusals;
  Family<Gauge>& audit_alarms;
  Family<Gauge>& audit_receipts;
  Family<Counter>& audit_cosignatures;
  Family<Gauge>& connections;
  Family<Counter>& rejected_connections;
  Family<Gauge>& build_info;
};

Metrics::Metrics() : families_(std::make_unique<Families>(registry_)) {}
Metrics::~Metrics() = default;

Counter& Metrics::requests(const std::string& node, std::string_view direction, std::string_view status) {
  return families_->requests.Add({{"node", node}, {"direction", text_of(direction)}, {"status", text_of(status)}});
}
Histogram& Metrics::request_duration(const std::string& node) {
  return add(families_->request_duration, {{"node", node}});
}
Histogram& Metrics::call_phase(const std::string& node, std::string_view phase) {
  return add(families_->call_phase, {{"node", node}, {"phase", text_of(phase)}});
}
Counter& Metrics::denials(const std::string& node, std::string_view decided_by, std::string_view code) {
  return families_->denials.Add({{"node", node}, {"decided_by", text_of(decided_by)}, {"code", text_of(code)}});
}
Counter& Metrics::errors(std::string_view code) { return families_->errors.Add({{"code", text_of(code)}}); }
Counter& Metrics::tls_handshakes(std::string_view side, std::string_view result) {
  return families_->tls_handshakes.Add({{"side", text_of(side)}, {"result", text_of(result)}});
}
Gauge& Metrics::certificate_expiry_days(const std::string& subject, std::string_view kind) {
  return families_->certificate_expiry.Add({{"subject", subject}, {"kind", std::string(kind)}});
}
void Metrics::forget_certificate_expiry_days(const std::string& subject, std::string_view kind) {
  families_->certificate_expiry.Remove(&certificate_expiry_days(subject, kind));
}
Counter& Metrics::rate_limit_hits(const std::string& node, std::string_view limit) {
  return families_->rate_limit_hits.Add({{"node", node}, {"limit", text_of(limit)}});
}
Counter& Metrics::trust_verification(std::string_view result, std::string_view reason) {
  return families_->trust_verification.Add({{"result", text_of(result)}, {"reason", text_of(reason)}});
}
Counter& Metrics::trust_establishment(std::string_view result) {
  return families_->trust_establishment.Add({{"result", text_of(result)}});
}
Gauge& Metrics::trust_pending() { return families_->trust_pending; }
Histogram& Metrics::cut_off_seconds() { return add(families_->cut_off_seconds, {}); }
Counter& Metrics::cut_off_connections() { return families_->cut_off_connections; }
Counter& Metrics::route_lookups(std::string_view result) {
  return families_->route_lookups.Add({{"result", text_of(result)}});
}
Counter& Metrics::invocations(std::string_view resource_protocol, std::string_view result) {
  return families_->invocations.Add({{"resource_protocol", text_of(resource_protocol)}, {"result", text_of(result)}});
}
Histogram& Metrics::invocation_duration(std::string_view resource_protocol) {
  return add(families_->invocation_duration, {{"resource_protocol", text_of(resource_protocol)}});
}
Counter& Metrics::config_reload(std::string_view result) {
  return families_->config_reload.Add({{"result", text_of(result)}});
}
Gauge& Metrics::config_reload_success() { return families_->config_reload_success; }
Gauge& Metrics::audit_backlog() { return families_->audit_backlog; }
Gauge& Metrics::audit_mismatches(const std::string& node, std::string_view kind) {
  return families_->audit_mismatches.Add({{"node", node}, {"kind", text_of(kind)}});
}
Counter& Metrics::audit_records() { return families_->audit_records; }
Gauge& Metrics::audit_checkpoint_size() { return families_->audit_checkpoint_size; }
Gauge& Metrics::audit_checkpoint_timestamp() { return families_->audit_checkpoint_timestamp; }
Gauge& Metrics::audit_signing_stopped() { return families_->audit_signing_stopped; }
Counter& Metrics::audit_refusals() { return families_->audit_refusals; }
Gauge& Metrics::audit_alarms(std::string_view kind) { return families_->audit_alarms.Add({{"kind", text_of(kind)}}); }
Gauge& Metrics::audit_receipts(const std::string& node, std::string_view state) {
  return families_->audit_receipts.Add({{"node", node}, {"state", text_of(state)}});
}
Counter& Metrics::audit_cosignatures(const std::string& node, std::string_view side) {
  return families_->audit_cosignatures.Add({{"node", node}, {"side", text_of(side)}});
}
Gauge& Metrics::connections(std::string_view listener) {
  return families_->connections.Add({{"listener", text_of(listener)}});
}
Counter& Metrics::rejected_connections(std::string_view listener, std::string_view reason) {
  return families_->rejected_connections.Add({{"listener", text_of(listener)}, {"reason", text_of(reason)}});
}
void Metrics::build_info(const std::string& version, const std::string& commit) {
  families_->build_info.Add({{"version", version}, {"commit", commit}}).Set(1);
}

std::string Metrics::text() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

}  // namespace fedgate
