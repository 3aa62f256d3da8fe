// SPDX-License-Identifier: Apache-2.0
//
// No node may take every place on a listener.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>

#include "raw_client.h"
#include "running_server.h"

namespace fedgate::net::test {
namespace {

TEST(Crowd, a_node_has_a_quarter_of_the_connections_and_others_have_theirs) {
  auto tls = context(TlsSide::server, "gate.example", believe);
  RunningServer::Setup setup;
  setup.tls = [tls] { return tls; };
  setup.limits.connections = 12;
  RunningServer server(echo, setup);
  RawClient greedy("orgb.example");
  RawClient modest("orgc.example");
  const auto connect = [&](RawClient& client) {
    return std::make_unique<RawTls>(RawSocket::connect(server.port()), client.ctx.get(), false, "gate.example");
  };
  const auto served = [](RawTls& connection) { return connection.send(who_request) && !connection.receive().empty(); };
  std::list<std::unique_ptr<RawTls>> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(connect(greedy));
    EXPECT_TRUE(served(*held.back())) << i;
  }
  EXPECT_FALSE(served(*connect(greedy)));
  const auto other = connect(modest);
  EXPECT_TRUE(served(*other));
  EXPECT_TRUE(served(*held.front())) << "those that it has stay";

  // A place that becomes free can be taken again, and being refused takes none.
  for (int i = 0; i < 3; ++i) {
    held.pop_front();
    ASSERT_TRUE(eventually([&] { return server.connections() == 3; }));
    held.push_back(connect(greedy));
    EXPECT_TRUE(served(*held.back())) << i;
    EXPECT_FALSE(served(*connect(greedy))) << i;
  }
}

}  // namespace
}  // namespace fedgate::net::test
