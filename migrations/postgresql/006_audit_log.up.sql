-- SPDX-License-Identifier: Apache-2.0
-- What is kept of audit logs as trees: others' that we witness, ours that others witness, what is proven of calls.
-- Hashes in hexadecimal. COLLATE "C": the same order in every locale.
-- The head up to which we have cosigned a log: compared and swapped before a cosignature leaves.
CREATE TABLE audit_witnessed (
  log            text COLLATE "C" NOT NULL PRIMARY KEY,
  node_id        text COLLATE "C" NOT NULL,
  size           bigint NOT NULL CHECK (size >= 0),
  root           text NOT NULL,
  note           text NOT NULL,
  witnessed_at   timestamptz NOT NULL
);
-- Signed checkpoints: ours that were cosigned, others' that we cosigned or that prove a leaf. cosigned_by: node ids,
-- a space before and after each; empty: nobody.
CREATE TABLE audit_checkpoints (
  log            text COLLATE "C" NOT NULL,
  size           bigint NOT NULL CHECK (size >= 0),
  root           text NOT NULL,
  node_id        text COLLATE "C" NOT NULL,
  note           text NOT NULL,
  cosigned_by    text NOT NULL,
  recorded_at    timestamptz NOT NULL,
  PRIMARY KEY (log, size)
);
-- Which leaves of others our own leaves name, many in a row, and what has become of the question whether they stand
-- in their logs. proof: the hashes that lead from them to the checkpoint of that size.
CREATE TABLE audit_references (
  log             text COLLATE "C" NOT NULL,
  first_index     bigint NOT NULL,
  last_index      bigint NOT NULL,
  node_id         text COLLATE "C" NOT NULL,
  other_log       text COLLATE "C" NOT NULL,
  state           text NOT NULL CHECK (state IN ('waiting', 'proven', 'missing')),
  member_count    bigint NOT NULL,
  members         text NOT NULL,
  checkpoint_size bigint NOT NULL,
  proof           text NOT NULL,
  why             text NOT NULL,
  noted_at        timestamptz NOT NULL,
  PRIMARY KEY (log, first_index)
);
CREATE INDEX audit_references_open ON audit_references (log, node_id, first_index) WHERE state <> 'proven';
-- How far a log has been read, for what.
CREATE TABLE audit_positions (
  log            text COLLATE "C" NOT NULL,
  purpose        text COLLATE "C" NOT NULL,
  position       bigint NOT NULL,
  PRIMARY KEY (log, purpose)
);
-- What must not happen, and did; with the signed notes that show it.
CREATE TABLE audit_alarms (
  kind           text COLLATE "C" NOT NULL,
  node_id        text COLLATE "C" NOT NULL,
  subject        text COLLATE "C" NOT NULL,
  reason         text NOT NULL,
  evidence       text NOT NULL,
  raised_at      timestamptz NOT NULL,
  settled_at     timestamptz,
  settled_by     text NOT NULL,
  PRIMARY KEY (kind, node_id, subject)
);
