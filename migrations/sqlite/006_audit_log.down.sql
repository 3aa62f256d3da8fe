-- SPDX-License-Identifier: Apache-2.0
DROP TABLE audit_alarms;
DROP TABLE audit_positions;
DROP TABLE audit_references;
DROP TABLE audit_checkpoints;
DROP TABLE audit_witnessed;
