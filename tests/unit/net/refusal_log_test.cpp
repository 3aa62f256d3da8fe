// SPDX-License-Identifier: Apache-2.0
//
// An operator reads whom the listener refused and why; a flood of refusals does not fill the log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "raw_client.h"
#include "running_server.h"
#include "support/fake_clock.h"
#include "support/temp_directory.h"

namespace fedgate::net::test {
namespace {

TEST(RefusalLog, TellsTenAMinuteAndHowManyItLeftOut) {
  const fedgate::test::TempDirectory folder;
  const log::Logger log({.level = log::Level::info, .format = log::Format::json, .file = folder.path("log")});
  fedgate::test::FakeClock clock;
  auto tls = context(TlsSide::server, "gate.example", [](const PresentedChain&) -> Result<PeerIdentity> {
    return fail(Code::identity_mismatch, "its anchor is not ours");
  });
  RunningServer::Setup setup;
  setup.tls = [tls] { return tls; };
  setup.clock = &clock;
  setup.log = &log;
  RunningServer server(echo, setup);
  RawClient stranger("orgx.example");
  const auto knock = [&] {
    RawTls connection(RawSocket::connect(server.port()), stranger.ctx.get(), false, "gate.example");
    EXPECT_FALSE(connection.send(who_request) && !connection.receive().empty());
  };
  const auto text = [&] {
    log.flush();
    std::ifstream in(folder.path("log"));
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const auto lines = [&] {
    const auto all = text();
    std::size_t count = 0;
    for (auto at = all.find("connection refused"); at != std::string::npos; at = all.find("connection refused", at + 1))
      ++count;
    return count;
  };
  for (int i = 0; i < 12; ++i) knock();
  ASSERT_TRUE(eventually([&] { return server.connections() == 0; }));
  EXPECT_EQ(lines(), 10U);
  EXPECT_THAT(text(), testing::HasSubstr("its anchor is not ours"));
  EXPECT_THAT(text(), testing::HasSubstr(R"("level":"warning")"));
  clock.advance(std::chrono::minutes(1));
  knock();
  ASSERT_TRUE(eventually([&] { return lines() == 11U; }));
  EXPECT_THAT(text(), testing::HasSubstr(R"("left_out":2)"));
}

}  // namespace
}  // namespace fedgate::net::test
