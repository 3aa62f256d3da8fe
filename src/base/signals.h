// SPDX-License-Identifier: Apache-2.0
//
// Which thread takes signals: the main one, always. Every other thread calls this first.
#pragma once

#include <csignal>

namespace fedgate {

/// Blocks all signals on the calling thread but those that a fault of its own raises.
inline void leave_signals_to_main() {
  sigset_t all;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&all, fault);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace fedgate
