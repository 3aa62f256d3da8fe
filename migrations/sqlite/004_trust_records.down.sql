-- SPDX-License-Identifier: Apache-2.0
DROP TABLE federation_bundles;
DROP TABLE federation_candidates;
DROP TABLE federation_invites;
