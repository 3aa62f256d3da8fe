-- SPDX-License-Identifier: Apache-2.0
-- Trust that has begun and nobody has decided about. Hashes and keys in hexadecimal; an empty text: not known.
CREATE TABLE federation_invites (
  id             text COLLATE "C" NOT NULL PRIMARY KEY,
  node_id        text COLLATE "C" NOT NULL,
  anchor_sha256  text NOT NULL DEFAULT '',
  public_key     text NOT NULL,
  created_at     timestamptz NOT NULL,
  expires_at     timestamptz NOT NULL,
  created_by     text NOT NULL,
  used_at        timestamptz,
  used_by_key    text NOT NULL DEFAULT '',
  used_by_bundle text NOT NULL DEFAULT ''
);
CREATE TABLE federation_candidates (
  node_id        text COLLATE "C" NOT NULL,
  asked          text NOT NULL CHECK (asked IN ('incoming', 'outgoing')),
  bundle_sha256  text NOT NULL,
  leaf_sha256    text NOT NULL,
  bundle         text NOT NULL,
  leaf           text NOT NULL,
  leaf_key       text NOT NULL,
  own_bundle     text NOT NULL,
  how            text NOT NULL CHECK (how IN ('request', 'invite')),
  invite_id      text NOT NULL DEFAULT '',
  remote         text NOT NULL DEFAULT '',
  proof          text NOT NULL,
  level_there    text NOT NULL DEFAULT '',
  received_at    timestamptz NOT NULL,
  PRIMARY KEY (node_id, asked, bundle_sha256, leaf_sha256)
);
-- Verbatim: a bundle is known by the hash of its text.
CREATE TABLE federation_bundles (
  node_id        text COLLATE "C" NOT NULL,
  seq            bigint NOT NULL CHECK (seq >= 1),
  sha256         text NOT NULL,
  bundle         text NOT NULL,
  recorded_at    timestamptz NOT NULL,
  PRIMARY KEY (node_id, seq)
);
