// SPDX-License-Identifier: Apache-2.0
#include "federation/upkeep.h"

namespace fedgate::federation {

Task<> Upkeep::run() {
  bool going_on = true;
  while (going_on) {
    try {
      co_await sleep_until(wheel_, wheel_.now() + summary_interval);
    } catch (const boost::system::system_error&) {
      going_on = false;
    }
    if (!going_on) co_await shielded();
    co_await summarise_refusals();
  }
}

Task<> Upkeep::summarise_refusals() {
  for (const AuditEvent& event : around_.floods.take(around_.clock.wall())) {
    auto durable = co_await around_.journal.append(event);
    if (!durable)
      around_.log.error("refusals not recorded", {{"problem", durable.error().detail}, {"what", event.reason}});
  }
}

}  // namespace fedgate::federation
