-- SPDX-License-Identifier: Apache-2.0
DROP TABLE federation_reconciliations;
DROP INDEX audit_events_timestamp;
CREATE INDEX audit_events_timestamp ON audit_events (timestamp);
