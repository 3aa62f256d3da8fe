-- SPDX-License-Identifier: Apache-2.0
-- Trust that has begun and nobody has decided about. Hashes and keys in hexadecimal; an empty text: not known.
CREATE TABLE federation_invites (
  id             TEXT NOT NULL PRIMARY KEY,
  node_id        TEXT NOT NULL,
  anchor_sha256  TEXT NOT NULL DEFAULT '',
  public_key     TEXT NOT NULL,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL,
  created_by     TEXT NOT NULL,
  used_at        INTEGER,
  used_by_key    TEXT NOT NULL DEFAULT '',
  used_by_bundle TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE federation_candidates (
  node_id        TEXT NOT NULL,
  asked          TEXT NOT NULL CHECK (asked IN ('incoming', 'outgoing')),
  bundle_sha256  TEXT NOT NULL,
  leaf_sha256    TEXT NOT NULL,
  bundle         TEXT NOT NULL,
  leaf           TEXT NOT NULL,
  leaf_key       TEXT NOT NULL,
  own_bundle     TEXT NOT NULL,
  how            TEXT NOT NULL CHECK (how IN ('request', 'invite')),
  invite_id      TEXT NOT NULL DEFAULT '',
  remote         TEXT NOT NULL DEFAULT '',
  proof          TEXT NOT NULL,
  level_there    TEXT NOT NULL DEFAULT '',
  received_at    INTEGER NOT NULL,
  PRIMARY KEY (node_id, asked, bundle_sha256, leaf_sha256)
) STRICT;
-- Verbatim: a bundle is known by the hash of its text.
CREATE TABLE federation_bundles (
  node_id        TEXT NOT NULL,
  seq            INTEGER NOT NULL CHECK (seq >= 1),
  sha256         TEXT NOT NULL,
  bundle         TEXT NOT NULL,
  recorded_at    INTEGER NOT NULL,
  PRIMARY KEY (node_id, seq)
) STRICT;
