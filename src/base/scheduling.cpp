// SPDX-License-Identifier: Apache-2.0
#include "base/scheduling.h"

#include <pthread.h>
#include <sched.h>

namespace fedgate {

void never_preempt() noexcept {
  const sched_param none{};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
}

}  // namespace fedgate
