-- SPDX-License-Identifier: Apache-2.0
-- Empty: the node's certificate names it by its node_id.
ALTER TABLE federation_nodes ADD COLUMN spiffe_id TEXT NOT NULL DEFAULT '';
