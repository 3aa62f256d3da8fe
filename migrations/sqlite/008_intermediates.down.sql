-- SPDX-License-Identifier: Apache-2.0
DROP TABLE federation_seen_leaves;
ALTER TABLE federation_nodes DROP COLUMN intermediates;
