-- SPDX-License-Identifier: Apache-2.0
-- CA certificates between a node's anchors and its leaf, where it does not present them itself. A JSON list of PEM texts.
ALTER TABLE federation_nodes ADD COLUMN intermediates TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(intermediates));
-- When the certificates end that nodes presented last: nobody can look that up, they have to be seen.
CREATE TABLE federation_seen_leaves (
  node_id     TEXT    NOT NULL,
  shown_by    TEXT    NOT NULL CHECK (shown_by IN ('client', 'server')),
  subject     TEXT    NOT NULL,
  ends_at     INTEGER NOT NULL,
  PRIMARY KEY (node_id, shown_by)
) STRICT;
