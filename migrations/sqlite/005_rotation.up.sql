-- SPDX-License-Identifier: Apache-2.0
-- What is kept while anchors rotate. Hashes in hexadecimal.
-- One CA's certificate as the key of the one before it has signed it: others are shown it beside our bundle.
CREATE TABLE federation_cross_certificates (
  sha256         TEXT NOT NULL PRIMARY KEY,
  certificate    TEXT NOT NULL,
  announced_by   TEXT NOT NULL,
  announced_at   INTEGER NOT NULL
) STRICT;
-- Our anchors that no bundle of ours has any more, whatever the configuration says.
CREATE TABLE federation_retired_anchors (
  sha256         TEXT NOT NULL PRIMARY KEY,
  retired_by     TEXT NOT NULL,
  retired_at     INTEGER NOT NULL
) STRICT;
-- The newest of each: a node's of our bundle (theirs), and ours of a node's (ours).
CREATE TABLE federation_acknowledgements (
  node_id        TEXT NOT NULL,
  given          TEXT NOT NULL CHECK (given IN ('theirs', 'ours')),
  seq            INTEGER NOT NULL CHECK (seq >= 1),
  bundle_sha256  TEXT NOT NULL,
  stated_at      INTEGER NOT NULL,
  leaf           TEXT NOT NULL,
  signature      TEXT NOT NULL,
  PRIMARY KEY (node_id, given)
) STRICT;
