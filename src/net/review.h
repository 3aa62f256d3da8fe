// SPDX-License-Identifier: Apache-2.0
//
// Open connections whose peers are judged again, because anchors, pins or revocation lists have changed: some at each
// tick of the deadline wheel, so that a thousand judgements (a tenth of a millisecond each) hold no call up for
// longer than a few of them. Used by http_server.cpp and http_client.cpp. Constants, any thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace fedgate::net {

/// Within this time all open connections of a worker have been judged again.
inline constexpr std::chrono::seconds review_bound{5};

/// How many of so many at one tick: a hundred ticks of at most 32 ms are enough for all.
constexpr std::size_t review_slice(std::size_t connections) { return std::max<std::size_t>(8, connections / 100 + 1); }

}  // namespace fedgate::net
