-- SPDX-License-Identifier: Apache-2.0
CREATE TABLE federation_nodes (
  id                    uuid        NOT NULL PRIMARY KEY DEFAULT gen_random_uuid(),
  node_id               text        COLLATE "C" NOT NULL UNIQUE,
  name                  text        NOT NULL DEFAULT '',
  alias                 text        NOT NULL DEFAULT '',
  endpoint              text,
  further_endpoints     jsonb       NOT NULL DEFAULT '[]',
  trust_anchor_cert     text,
  further_trust_anchors jsonb       NOT NULL DEFAULT '[]',
  pins                  jsonb       NOT NULL DEFAULT '[]',
  principal_domains     jsonb       NOT NULL DEFAULT '[]',
  resources             jsonb       NOT NULL DEFAULT '[]',
  trust_level           text        NOT NULL CHECK (trust_level IN ('untrusted', 'pending', 'trusted', 'revoked')),
  enabled               boolean     NOT NULL,
  source                text        NOT NULL CHECK (source IN ('configuration', 'operator')),
  defined_at            text        NOT NULL DEFAULT '',
  rate_limit_per_hour   bigint      CHECK (rate_limit_per_hour >= 0),
  metadata              jsonb       NOT NULL DEFAULT '{}',
  trusted_since         timestamptz,
  last_seen             timestamptz,
  created_at            timestamptz NOT NULL,
  updated_at            timestamptz NOT NULL
);
