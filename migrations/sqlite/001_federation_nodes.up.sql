-- SPDX-License-Identifier: Apache-2.0
-- Times are microseconds since 1970 (UTC). Lists and metadata are JSON texts.
CREATE TABLE federation_nodes (
  id                    TEXT    NOT NULL PRIMARY KEY
                        DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)
                          || '-' || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))),
  node_id               TEXT    NOT NULL UNIQUE,
  name                  TEXT    NOT NULL DEFAULT '',
  alias                 TEXT    NOT NULL DEFAULT '',
  endpoint              TEXT,
  further_endpoints     TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(further_endpoints)),
  trust_anchor_cert     TEXT,
  further_trust_anchors TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(further_trust_anchors)),
  pins                  TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(pins)),
  principal_domains     TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(principal_domains)),
  resources             TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(resources)),
  reads                 TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(reads)),
  trust_level           TEXT    NOT NULL CHECK (trust_level IN ('untrusted', 'pending', 'trusted', 'revoked')),
  enabled               INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  source                TEXT    NOT NULL CHECK (source IN ('configuration', 'operator')),
  defined_at            TEXT    NOT NULL DEFAULT '',
  rate_limit_per_hour   INTEGER CHECK (rate_limit_per_hour >= 0),
  metadata              TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
  trusted_since         INTEGER,
  last_seen             INTEGER,
  created_at            INTEGER NOT NULL,
  updated_at            INTEGER NOT NULL
) STRICT;
