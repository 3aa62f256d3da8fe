// SPDX-License-Identifier: Apache-2.0
//
// What a check found, in one sentence that the other side's administrators can act upon without asking back.
#include <algorithm>

#include "base/time_text.h"
#include "federation/node_check.h"

namespace fedgate::federation {

namespace {

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
  std::string all;
  for (const auto& part : parts) all.append(all.empty() ? "" : between).append(part);
  return all;
}

std::string introduction(const OwnFace& own) {
  std::vector<std::string> facts;
  if (!own.endpoint.empty()) facts.push_back("endpoint " + own.endpoint);
  for (const auto& anchor : own.anchors) facts.push_back("CA certificate SHA-256 " + anchor);
  if (own.anchors.empty() && !own.issuer.empty()) facts.push_back("CA \"" + own.issuer + "\"");
  if (!own.certificate.empty()) facts.push_back("certificate SHA-256 " + own.certificate);
  if (!own.pin.empty()) facts.push_back("pin " + own.pin);
  return own.id.str() + " (" + joined(facts, ", ") + ")";
}

void add_once(std::vector<std::string>& all, std::string one) {
  if (std::ranges::find(all, one) == all.end()) all.push_back(std::move(one));
}

}  // namespace

std::string check_message(const CheckReport& report) {
  std::vector<std::string> findings;
  std::vector<std::string> pleas;
  std::vector<std::string> ours;
  for (const auto& step : report.steps) {
    if (step.state != CheckState::failed && step.state != CheckState::warning) continue;
    if (step.plea.empty()) {
      if (step.state == CheckState::failed) add_once(ours, step.detail);
      continue;
    }
    add_once(findings, (step.endpoint.empty() ? "" : "at " + step.endpoint + " ") + step.detail);
    add_once(pleas, step.plea);
  }
  std::string text = "To the administrators of " + report.node.str() + ": our gateway " + introduction(report.own) +
                     " checked yours on " + utc_text(report.at) + " and found ";
  if (findings.empty() && ours.empty()) return text + "nothing wrong.";
  if (findings.empty()) return text + "a fault of ours, not of yours: " + joined(ours, "; ") + ".";
  return text + "that " + joined(findings, "; ") + "; please " + joined(pleas, ", and ") + ".";
}

}  // namespace fedgate::federation
