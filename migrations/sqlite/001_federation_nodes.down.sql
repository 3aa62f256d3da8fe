-- SPDX-License-Identifier: Apache-2.0
DROP TABLE federation_nodes;
