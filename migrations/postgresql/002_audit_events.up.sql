-- SPDX-License-Identifier: Apache-2.0
-- A copy of the journal, filled by the shipper. "index" is a reserved word in SQL, hence log_index.
-- Two indexes besides the key and no more: each costs every call. COLLATE "C": the same order in every locale.
CREATE TABLE audit_events (
  log               text             COLLATE "C" NOT NULL,
  log_index         bigint           NOT NULL,
  timestamp         timestamptz      NOT NULL,
  correlation_id    text             COLLATE "C" NOT NULL,
  event_type        text             NOT NULL,
  phase             text             NOT NULL,
  attempt           bigint           NOT NULL,
  principal         text             NOT NULL,
  principal_org     text             NOT NULL,
  actor             text             NOT NULL,
  credential_id     text             NOT NULL,
  resource          text             NOT NULL,
  resource_protocol text             NOT NULL,
  capability_id     text             NOT NULL,
  action            text             NOT NULL,
  decision          text             NOT NULL,
  reason            text             NOT NULL,
  policy_id         text             NOT NULL,
  outcome           text             NOT NULL,
  error_code        text             NOT NULL,
  source_node       text             NOT NULL,
  target_node       text             NOT NULL,
  estimated_cost    double precision,
  actual_cost       double precision,
  duration_ms       double precision NOT NULL,
  upstream_ms       double precision NOT NULL,
  request_bytes     bigint           NOT NULL,
  response_bytes    bigint           NOT NULL,
  leaf              text             NOT NULL,
  PRIMARY KEY (log, log_index)
);
CREATE INDEX audit_events_correlation_id ON audit_events (correlation_id);
CREATE INDEX audit_events_timestamp ON audit_events (timestamp);
