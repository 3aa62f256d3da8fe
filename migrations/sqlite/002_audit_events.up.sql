-- SPDX-License-Identifier: Apache-2.0
-- A copy of the journal, filled by the shipper. "index" is a reserved word in SQL, hence log_index.
-- Two indexes besides the key and no more: each costs every call.
CREATE TABLE audit_events (
  log               TEXT    NOT NULL,
  log_index         INTEGER NOT NULL,
  timestamp         INTEGER NOT NULL,
  correlation_id    TEXT    NOT NULL,
  event_type        TEXT    NOT NULL,
  phase             TEXT    NOT NULL,
  attempt           INTEGER NOT NULL,
  principal         TEXT    NOT NULL,
  principal_org     TEXT    NOT NULL,
  actor             TEXT    NOT NULL,
  credential_id     TEXT    NOT NULL,
  resource          TEXT    NOT NULL,
  resource_protocol TEXT    NOT NULL,
  capability_id     TEXT    NOT NULL,
  action            TEXT    NOT NULL,
  decision          TEXT    NOT NULL,
  reason            TEXT    NOT NULL,
  policy_id         TEXT    NOT NULL,
  outcome           TEXT    NOT NULL,
  error_code        TEXT    NOT NULL,
  source_node       TEXT    NOT NULL,
  target_node       TEXT    NOT NULL,
  estimated_cost    REAL,
  actual_cost       REAL,
  duration_ms       REAL    NOT NULL,
  upstream_ms       REAL    NOT NULL,
  request_bytes     INTEGER NOT NULL,
  response_bytes    INTEGER NOT NULL,
  leaf              TEXT    NOT NULL,
  PRIMARY KEY (log, log_index)
) STRICT;
CREATE INDEX audit_events_correlation_id ON audit_events (correlation_id);
CREATE INDEX audit_events_timestamp ON audit_events (timestamp);
