-- SPDX-License-Identifier: Apache-2.0
-- What is kept of audit logs as trees: others' that we witness, ours that others witness, what is proven of calls.
-- Hashes in hexadecimal.
-- The head up to which we have cosigned a log: compared and swapped before a cosignature leaves.
CREATE TABLE audit_witnessed (
  log            TEXT NOT NULL PRIMARY KEY,
  node_id        TEXT NOT NULL,
  size           INTEGER NOT NULL CHECK (size >= 0),
  root           TEXT NOT NULL,
  note           TEXT NOT NULL,
  witnessed_at   INTEGER NOT NULL
) STRICT;
-- Signed checkpoints: ours that were cosigned, others' that we cosigned or that prove a leaf. cosigned_by: node ids,
-- a space before and after each; empty: nobody.
CREATE TABLE audit_checkpoints (
  log            TEXT NOT NULL,
  size           INTEGER NOT NULL CHECK (size >= 0),
  root           TEXT NOT NULL,
  node_id        TEXT NOT NULL,
  note           TEXT NOT NULL,
  cosigned_by    TEXT NOT NULL,
  recorded_at    INTEGER NOT NULL,
  PRIMARY KEY (log, size)
) STRICT;
-- Which leaves of others our own leaves name, many in a row, and what has become of the question whether they stand
-- in their logs. proof: the hashes that lead from them to the checkpoint of that size.
CREATE TABLE audit_references (
  log             TEXT NOT NULL,
  first_index     INTEGER NOT NULL,
  last_index      INTEGER NOT NULL,
  node_id         TEXT NOT NULL,
  other_log       TEXT NOT NULL,
  state           TEXT NOT NULL CHECK (state IN ('waiting', 'proven', 'missing')),
  member_count    INTEGER NOT NULL,
  members         TEXT NOT NULL,
  checkpoint_size INTEGER NOT NULL,
  proof           TEXT NOT NULL,
  why             TEXT NOT NULL,
  noted_at        INTEGER NOT NULL,
  PRIMARY KEY (log, first_index)
) STRICT;
CREATE INDEX audit_references_open ON audit_references (log, node_id, first_index) WHERE state <> 'proven';
-- How far a log has been read, for what.
CREATE TABLE audit_positions (
  log            TEXT NOT NULL,
  purpose        TEXT NOT NULL,
  position       INTEGER NOT NULL,
  PRIMARY KEY (log, purpose)
) STRICT;
-- What must not happen, and did; with the signed notes that show it.
CREATE TABLE audit_alarms (
  kind           TEXT NOT NULL,
  node_id        TEXT NOT NULL,
  subject        TEXT NOT NULL,
  reason         TEXT NOT NULL,
  evidence       TEXT NOT NULL,
  raised_at      INTEGER NOT NULL,
  settled_at     INTEGER,
  settled_by     TEXT NOT NULL,
  PRIMARY KEY (kind, node_id, subject)
) STRICT;
