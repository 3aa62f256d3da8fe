// SPDX-License-Identifier: Apache-2.0
//
// How the kernel treats threads that work behind the calls (the journal's writer, the shipper). Linux only.
#pragma once

namespace fedgate {

/// The calling thread no longer preempts others when it is woken (SCHED_BATCH, sched(7)); where a core is free it runs
/// as before. On a busy core each of its wake-ups would cost the callers two switches, and what it takes up would be
/// smaller batches: a fifth of a call's CPU in all. Needs no privilege; without it things are only slower.
void never_preempt() noexcept;

}  // namespace fedgate
