// SPDX-License-Identifier: Apache-2.0
//
// Promise: whatever callers, peers and services write into names, reasons and answers, a record stays one record and a
// line one line: in leaves, in the daemon's log, in `audit list` and in exports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "net/address.h"
#include "support/federation.h"
#include "support/log_writer.h"

namespace fedgate {
namespace {

using test::call_of;

// New lines, a terminal's commands, text in the other direction, what is not seen, and a formula.
const std::string hostile =
    "=cmd\r\n2026-11-20T09:00:00Z ERROR forged "
    "\x1b[2J\x1b]0;x\x07\x7f\xC2\x9B\xE2\x80\xAEgnp.exe\xE2\x81\xA6\xE2\x80\x8B"
    "\xF3\xA0\x81\x81\xE2\x80\xA8\xEF\xBB\xBF\",\"outcome\":\"succeeded";

/// The first place in `text`, which may hold line ends, where something stands that steers what shows it.
std::string first_steering(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto length = utf8_length(text, at);
    const auto around = [&] { return text.substr(at < 60 ? 0 : at - 60, 120); };
    if (length == 0) return "not UTF-8: " + around();
    const auto point = utf8_value(text, at, length);
    if (text[at] != '\n' && text[at] != '\r' &&
        (unprintable(point) || (point >= 0x200B && point <= 0x200F) || (point >= 0xE0000 && point <= 0xE0FFF)))
      return "U+" + std::to_string(point) + " in " + around();
    at += length;
  }
  return {};
}

class LogInjection : public ::testing::Test {
 protected:
  LogInjection()
      : orgs(2, [](net::Request&, net::Response& response, DeadlineWheel&) -> Task<> {
          response.status = 500;
          response.headers.add("Content-Type", "text/plain");
          response.body = hostile;
          co_return;
        }) {
    for (auto* one : {&orgs.a(), &orgs.b()}) one->settings.log.level = log::Level::debug;
    orgs.start();
  }
  /// As A's gateway would speak to B's, with what a gateway never says.
  test::Answer as_peer(const nlohmann::json& body, const std::vector<std::pair<std::string, std::string>>& headers) {
    const auto address = net::parse_address(orgs.b().gateway->peers_address()).value();
    const net::Destination to{.pool_key = "as a",
                              .host = address.host,
                              .port = address.port,
                              .host_header = orgs.b().id.str(),
                              .tls = orgs.a().client_tls(),
                              .server_name = orgs.b().id.str()};
    net::Request request;
    request.method = "POST";
    request.target = "/api/v2/federation/invoke";
    request.headers.add("Content-Type", "application/json");
    for (const auto& [name, value] : headers) request.headers.add(name, value);
    request.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return orgs.client.send(to, request);
  }
  std::string run(const test::Organisation& at, std::vector<std::string> words) const {
    words.insert(words.begin(), "fedgate");
    words.insert(words.end(), {"--socket", at.gateway->admin_address().substr(5)});
    std::vector<const char*> argv;
    for (const auto& word : words) argv.push_back(word.c_str());
    std::ostringstream out;
    EXPECT_EQ(cli::run(
                  static_cast<int>(argv.size()), argv.data(), [](const std::string&) { return 99; }, out, out),
              0)
        << out.str();
    return out.str();
  }

  test::Federation orgs;
};

TEST_F(LogInjection, NothingThatStrangersWriteSteersWhatShowsIt) {
  const std::string longest(60'000, 'x');
  for (const auto& text : {hostile, hostile + longest, "\xE2\x80\xAE" + longest, longest}) {
    for (const char* member : {"principal_id", "resource_id", "capability_id", "target_node_id"}) {
      auto body = call_of('b', "order");
      body[member] = text;
      (void)orgs.a().invoke(orgs.client, body.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
      body["source_node"] = "orga.example";
      if (!body.contains("principal_id")) body["principal_id"] = orgs.a().principal;
      (void)as_peer(body, {});
    }
    auto body = call_of('b', "order");
    body["source_node"] = "orga.example";
    body["principal_id"] = orgs.a().principal;
    body["actor"] = text;
    body["context"] = {{"note", text}};
    (void)as_peer(body, {});
  }
  for (const char* header : {"Fedgate-Via", "Fedgate-Audit-Leaf", "Fedgate-Checkpoint", "Fedgate-Correlation-Id",
                             "Fedgate-Deadline-Ms", "Idempotency-Key"}) {
    auto body = call_of('b', "order");
    body["source_node"] = "orga.example";
    body["principal_id"] = orgs.a().principal;
    (void)as_peer(body, {{header, "=cmd|' /C calc'!A0 \",\"outcome\":\"x"}});
    (void)orgs.a().invoke(orgs.client, call_of('b', "order"), {{header, "=1+1;\" forged"}});
  }
  // The service behind B answers with it; an operator gives it as a reason.
  EXPECT_NE(orgs.a().invoke(orgs.client, call_of('b', "order")).status, 200);
  EXPECT_NE(orgs.a().invoke(orgs.client, call_of('b', "lookup", {{"sku", hostile}})).status, 200);
  (void)orgs.b().operate(orgs.client, "PATCH", "/api/v2/federation/nodes/orga.example",
                         {{"enabled", true}, {"reason", hostile}});

  std::size_t records = 0;
  for (auto* one : {&orgs.a(), &orgs.b()}) {
    store::AuditQuery all;
    all.limit = 1000;
    for (const auto& row : one->trail(all)) {
      ++records;
      EXPECT_EQ(first_steering(row.leaf), "");
      EXPECT_EQ(row.leaf.find_first_of("\r\n"), std::string::npos);
      EXPECT_LE(row.leaf.size(), 4096U);
      const auto leaf = json::parse(row.leaf);
      ASSERT_TRUE(leaf) << row.leaf;
      EXPECT_EQ(leaf->dump(), row.leaf) << "one object, each member once, in canonical order";
    }
    const auto list = run(*one, {"audit", "list", "--limit", "1000"});
    EXPECT_EQ(first_steering(list), "");
    EXPECT_EQ(list.find('\r'), std::string::npos);
    const test::TempDirectory files;
    for (const std::string format : {"csv", "jsonl"}) {
      run(*one, {"audit", "export", "--format", format, files.path(format)});
      for (const auto& file : std::filesystem::directory_iterator(files.path(format)))
        EXPECT_EQ(first_steering(test::read_file(file.path())), "") << file.path();
    }
    // Each cell is quoted; none begins as a formula does.
    const auto csv = test::read_file(files.path("csv/ours.csv"));
    for (const std::string formula : {"\"=", "\"+", "\"@"})
      EXPECT_EQ(csv.find("," + formula), std::string::npos) << formula;
    const auto log = test::read_file(one->settings.log.file);
    EXPECT_EQ(first_steering(log), "");
    EXPECT_EQ(log.find('\r'), std::string::npos);
    EXPECT_EQ(log.find("\n2026-11-20T09:00:00Z ERROR forged"), std::string::npos);
  }
  EXPECT_GT(records, 20U);
}

}  // namespace
}  // namespace fedgate
