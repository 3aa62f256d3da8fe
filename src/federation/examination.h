// SPDX-License-Identifier: Apache-2.0
//
// One run of `nodes check`: the steps, in their order. Lives as long as the run, inside one coroutine; used by
// node_check.cpp only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "federation/node_check.h"
#include "net/address.h"
#include "net/connector.h"
#include "net/dialogue.h"
#include "net/tls.h"

namespace fedgate::federation {

class Examination {
 public:
  /// All of them outlive the run.
  Examination(const NodeCheck::Parts& parts, const Node& node, const OwnTrust& own, CheckReport& report);
  Task<> run();

 private:
  void look_at_node();
  void look_at_ourselves();
  Task<> try_endpoint();
  Task<std::optional<std::vector<net::Connector::Endpoint>>> look_up(net::Url url);
  Task<std::optional<net::Stream>> reach(std::vector<net::Connector::Endpoint> addresses);
  Task<bool> shake_hands(net::Stream& stream);
  void judge(const net::Presentation& shown);
  Task<> await_their_alert(net::Stream& stream);
  Task<bool> ask_health(net::Dialogue& dialogue);
  void read_health(const net::Response& response);
  void compare_clocks(const net::Response& response, WallTime asked, WallTime answered);
  Task<> ask_what_they_see(net::Dialogue& dialogue);

  void begin() { begun_ = parts_.worker.wheel().now(); }
  void add(std::string name, CheckState state, std::string detail, std::string plea = {});
  /// What comes after a step that failed.
  void skip_rest(const std::string& why);
  [[nodiscard]] SteadyTime until(std::chrono::milliseconds time = NodeCheck::step_time) const;
  [[nodiscard]] WallTime now() const { return parts_.worker.clock().wall(); }
  [[nodiscard]] CheckState state_of(WallTime ends) const;

  const NodeCheck::Parts& parts_;
  const Node node_;
  const OwnTrust& own_;
  CheckReport& report_;
  const std::string them_, us_;
  net::Connector connector_;
  std::shared_ptr<net::TlsContext> tls_;
  SteadyTime begun_, end_;
  std::string endpoint_;   // that is being tried
  std::size_t tried_ = 0;  // steps there
};

}  // namespace fedgate::federation
