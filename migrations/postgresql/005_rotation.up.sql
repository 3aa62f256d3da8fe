-- SPDX-License-Identifier: Apache-2.0
-- What is kept while anchors rotate. Hashes in hexadecimal.
-- One CA's certificate as the key of the one before it has signed it: others are shown it beside our bundle.
CREATE TABLE federation_cross_certificates (
  sha256         text COLLATE "C" NOT NULL PRIMARY KEY,
  certificate    text NOT NULL,
  announced_by   text NOT NULL,
  announced_at   timestamptz NOT NULL
);
-- Our anchors that no bundle of ours has any more, whatever the configuration says.
CREATE TABLE federation_retired_anchors (
  sha256         text COLLATE "C" NOT NULL PRIMARY KEY,
  retired_by     text NOT NULL,
  retired_at     timestamptz NOT NULL
);
-- The newest of each: a node's of our bundle (theirs), and ours of a node's (ours).
CREATE TABLE federation_acknowledgements (
  node_id        text COLLATE "C" NOT NULL,
  given          text NOT NULL CHECK (given IN ('theirs', 'ours')),
  seq            bigint NOT NULL CHECK (seq >= 1),
  bundle_sha256  text NOT NULL,
  stated_at      timestamptz NOT NULL,
  leaf           text NOT NULL,
  signature      text NOT NULL,
  PRIMARY KEY (node_id, given)
);
