-- SPDX-License-Identifier: Apache-2.0
DROP TABLE federation_acknowledgements;
DROP TABLE federation_retired_anchors;
DROP TABLE federation_cross_certificates;
