-- SPDX-License-Identifier: Apache-2.0
-- CA certificates between a node's anchors and its leaf, where it does not present them itself. A JSON list of PEM texts.
ALTER TABLE federation_nodes ADD COLUMN intermediates jsonb NOT NULL DEFAULT '[]';
-- When the certificates end that nodes presented last: nobody can look that up, they have to be seen.
CREATE TABLE federation_seen_leaves (
  node_id     text COLLATE "C" NOT NULL,
  shown_by    text NOT NULL CHECK (shown_by IN ('client', 'server')),
  subject     text NOT NULL,
  ends_at     timestamptz NOT NULL,
  PRIMARY KEY (node_id, shown_by)
);
