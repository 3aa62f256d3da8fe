// SPDX-License-Identifier: Apache-2.0
#include "federation/audit_exchange.h"

#include "fedgate/levels.h"

namespace fedgate::federation {

Task<> AuditExchange::run(DeadlineWheel& wheel, PeerClient& peers, std::size_t lane) {
  bool going_on = true;
  while (going_on) {
    try {
      // Not everybody at the same moment: three to five quarters of the interval.
      std::uint8_t chance = 0;
      entropy_.fill({&chance, 1});
      co_await sleep_until(wheel, wheel.now() + pace_.interval * (384 + chance) / 512);
      co_await round(peers, lane);
    } catch (const boost::system::system_error&) {
      going_on = false;
    }
  }
}

Task<> AuditExchange::round(PeerClient& peers, std::size_t lane) {
  if (lane == 0) {
    const auto looked = co_await around_.pool.run([this] { return look(); });
    const std::string trouble = looked ? std::string() : looked.error().detail;
    if (!trouble.empty() && trouble != trouble_)
      around_.log.warning("what is kept of audit logs cannot be used", {{"detail", trouble}});
    trouble_ = trouble;
  }
  const auto table = around_.nodes.load();
  for (std::size_t i = lane; i < table->all().size(); i += lanes) {
    const Node& node = table->all()[i];
    if (!may(node, Act::connect)) continue;
    co_await witnessing.meet(peers, node);
    co_await entanglement.meet(peers, node);
  }
}

Result<void> AuditExchange::look() {
  auto there = audit::Witnesses::none;
  const auto table = around_.nodes.load();
  for (const Node& node : table->all())
    if (may(node, Act::connect) && around_.keys.witness_key(node.id)) there = audit::Witnesses::some;
  around_.journal.witnesses(there);
  // What one of them cannot do does not keep the others from their work.
  Result<void> done = entanglement.read_on();
  const auto and_then = [&done](Result<void> next) {
    if (done) done = std::move(next);
  };
  if (around_.clock.steady() < look_again_) return done;
  look_again_ = around_.clock.steady() + 3 * pace_.interval;
  and_then(around_.alarms.look());
  and_then(witnessing.look());
  and_then(entanglement.look());
  return done;
}

void AuditExchange::contact(const NodeId& node) {
  witnessing.contact(node);
  entanglement.contact(node);
}

std::vector<std::string> AuditExchange::attention() const {
  auto lines = around_.alarms.attention();
  for (const auto& [node, counts] : entanglement.open())
    if (counts.missing > 0)
      lines.push_back(std::to_string(counts.missing) + " receipts of " + node.str() +
                      " are missing: it has not proven what it stated of calls; fedgate audit reconcile " + node.str());
  return lines;
}

}  // namespace fedgate::federation
