// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fedgate {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, TextNamesWhatTheProductPromises) {
  Metrics metrics;
  metrics.requests("orgb.example", "out", "200").Increment();
  metrics.requests("orgb.example", "out", "200").Increment();
  metrics.request_duration("orgb.example").Observe(0.0003);
  metrics.call_phase("orgb.example", "network").Observe(0.001);
  metrics.denials("orgb.example", "target", "policy_denied").Increment();
  metrics.errors("overloaded").Increment();
  metrics.tls_handshakes("server", "refused").Increment();
  metrics.certificate_expiry_days("orga.example", "server").Set(12.5);
  metrics.rate_limit_hits("orgb.example", "per_org").Increment();
  metrics.invocations("http", "succeeded").Increment();
  metrics.config_reload_success().Set(1);
  metrics.audit_backlog().Set(7);
  metrics.connections("peers").Set(3);
  metrics.rejected_connections("peers", "limit").Increment();
  metrics.build_info("0.1.0", "abc");
  const std::string text = metrics.text();
  for (const auto* wanted :
       {R"(federation_requests_total{direction="out",node="orgb.example",status="200"} 2)",
        R"(federation_request_duration_seconds_bucket{node="orgb.example",le="0.0002"} 0)",
        R"(federation_request_duration_seconds_bucket{node="orgb.example",le="0.0005"} 1)",
        R"(federation_request_duration_seconds_bucket{node="orgb.example",le="30"} 1)",
        R"(federation_call_phase_seconds_count{node="orgb.example",phase="network"} 1)",
        R"(federation_denials_total{code="policy_denied",decided_by="target",node="orgb.example"} 1)",
        R"(federation_errors_total{code="overloaded"} 1)",
        R"(federation_tls_handshakes_total{result="refused",side="server"} 1)",
        R"(federation_certificate_expiry_days{kind="server",subject="orga.example"} 12.5)",
        R"(federation_rate_limit_hits_total{limit="per_org",node="orgb.example"} 1)",
        R"(federation_invocation_requests_total{resource_protocol="http",result="succeeded"} 1)",
        "federation_config_reload_success 1", "federation_audit_backlog 7",
        R"(federation_connections{listener="peers"} 3)",
        R"(federation_rejected_connections_total{listener="peers",reason="limit"} 1)",
        R"(federation_build_info{commit="abc",version="0.1.0"} 1)", "# TYPE federation_requests_total counter",
        "# HELP federation_audit_backlog "}) {
    EXPECT_THAT(text, HasSubstr(wanted));
  }
}

TEST(Metrics, SameLabelsSameInstance) {
  Metrics metrics;
  EXPECT_EQ(&metrics.requests("a.example", "in", "200"), &metrics.requests("a.example", "in", "200"));
  EXPECT_NE(&metrics.requests("a.example", "in", "200"), &metrics.requests("a.example", "in", "403"));
}

TEST(Metrics, LabelsAreEscaped) {
  Metrics metrics;
  metrics.certificate_expiry_days("a\"b\\c\nd", "server").Set(1);
  EXPECT_THAT(metrics.text(), HasSubstr(R"(subject="a\"b\\c\nd"} 1)"));
}

}  // namespace
}  // namespace fedgate
