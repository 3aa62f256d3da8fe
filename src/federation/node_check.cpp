// SPDX-License-Identifier: Apache-2.0
#include "federation/node_check.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/hash.h"
#include "base/time_text.h"
#include "federation/examination.h"
#include "trust/certificate_facts.h"
#include "trust/enrolment.h"

namespace fedgate::federation {

namespace {

class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::size_t& count_;
};

OwnFace face_of(const OwnTrust& own) {
  OwnFace face{.id = own.id,
               .endpoint = own.endpoints.empty() ? "" : own.endpoints.front(),
               .anchors = {},
               .issuer = {},
               .certificate = {},
               .pin = {}};
  for (const auto& pem : own.anchors)
    if (const auto hash = trust::pem_sha256(pem)) face.anchors.push_back(to_hex(*hash));
  if (const auto facts = trust::certificate_facts(own.client_certificate)) {
    face.issuer = facts->issuer;
    face.certificate = to_hex(facts->sha256);
    face.pin = to_hex(facts->public_key);
  }
  return face;
}

}  // namespace

std::string_view to_string(CheckState state) {
  constexpr std::array<std::string_view, 4> names{"ok", "warning", "failed", "skipped"};
  return names.at(static_cast<std::size_t>(state));
}

bool CheckReport::good() const {
  return std::ranges::none_of(steps, [](const CheckStep& step) { return step.state == CheckState::failed; });
}

ClockDifference clock_difference(WallTime date, WallTime asked, WallTime answered) {
  // Their clock showed a moment of that second while ours was somewhere between the two.
  const auto most = date + std::chrono::seconds(1) - asked;
  const auto least = date - answered;
  return {.ahead = (most + least) / 2, .give_or_take = (most - least) / 2};
}

Task<Result<CheckReport>> NodeCheck::run(std::string id_or_alias) {
  const auto table = parts_.nodes.load();
  const Node* node = table->find_named(id_or_alias);
  if (node == nullptr)
    co_return fail(Code::node_not_found, "no node " + id_or_alias + "; `fedgate nodes list` shows all");
  if (running_ >= most_at_once)
    co_return fail(Code::overloaded, std::to_string(running_) + " checks are running; try again when one has ended");
  const Counted counted(running_);
  const auto own = parts_.own.load();
  CheckReport report{
      .node = node->id, .at = parts_.worker.clock().wall(), .own = face_of(*own), .steps = {}, .message = {}};
  Examination examination(parts_, *node, *own, report);
  co_await examination.run();
  report.message = check_message(report);
  co_return report;
}

}  // namespace fedgate::federation
