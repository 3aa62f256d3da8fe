-- SPDX-License-Identifier: Apache-2.0
ALTER TABLE federation_nodes DROP COLUMN spiffe_id;
