// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "store/reconciliation_records.h"
#include "unit/store/store_cases.h"

namespace fedgate::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::unique_ptr<Store> opened(const std::string& url) {
  auto store = open({.url = url});
  if (!store) throw std::runtime_error(store.error().detail);
  return std::move(*store);
}

const std::string a = "orga.example", b = "orgb.example", c = "orgc.example", log_name = "orga.example/fedgate/log/a/1";

/// A call's record: `minute` says when it began, and so its id.
AuditRow call_row(std::uint64_t index, unsigned minute, const std::string& from, const std::string& to) {
  auto row = audit_row(log_name, index, some_time + std::chrono::minutes(minute));
  row.correlation_id =
      CorrelationId::make(some_time + std::chrono::minutes(minute), {static_cast<std::uint8_t>(index)}).str();
  row.source_node = from;
  row.target_node = to;
  return row;
}

std::vector<std::uint64_t> indexes(const Result<std::vector<AuditRow>>& rows) {
  std::vector<std::uint64_t> list;
  EXPECT_TRUE(ok(rows));
  if (rows)
    for (const auto& row : *rows) list.push_back(row.index);
  return list;
}

}  // namespace

void further_filters_filter(const std::string& url) {
  const auto store = opened(url);
  const auto wanted = audit_row("a", 1, some_time);
  std::vector<AuditRow> rows{wanted, wanted, wanted, wanted};
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].index = i + 1;
  rows[1].principal_org = "other.example";
  rows[2].credential_id = "token:other";
  rows[3].error_code = "policy_denied";
  ASSERT_TRUE(ok(store->append_audit(rows)));
  EXPECT_THAT(indexes(store->audit({.organisation = "orga.example", .oldest_first = true})), ElementsAre(1, 3, 4));
  EXPECT_THAT(indexes(store->audit({.organisation = "other.example"})), ElementsAre(2));
  EXPECT_THAT(indexes(store->audit({.credential = "token:other"})), ElementsAre(3));
  EXPECT_THAT(indexes(store->audit({.error_code = "policy_denied"})), ElementsAre(4));
  EXPECT_THAT(
      indexes(store->audit({.organisation = "orga.example", .credential = "token:alice", .error_code = "none"})),
      ElementsAre(1));
}

void calls_are_between_two_nodes(const std::string& url) {
  const auto store = opened(url);
  std::vector<AuditRow> rows{call_row(0, 0, a, b), call_row(1, 1, b, a), call_row(2, 2, a, c), call_row(3, 3, c, a),
                             call_row(4, 4, a, b), call_row(5, 5, a, b), call_row(6, 6, b, a), call_row(7, 7, a, b)};
  rows[4].action = "node_disable";  // what an operator did about b
  rows[5].decision = "deny";        // never left
  rows[6].decision = "deny";        // we turned b down: it knows
  rows[7].principal = "bob@orga.example";
  ASSERT_TRUE(ok(store->append_audit(rows)));
  EXPECT_THAT(indexes(store->calls({.own = a, .peer = b})), ElementsAre(0, 1, 6, 7));
  EXPECT_THAT(indexes(store->calls({.own = a, .peer = c})), ElementsAre(2, 3));
  EXPECT_THAT(indexes(store->calls({.own = a, .peer = "nobody.example"})), IsEmpty());
  EXPECT_THAT(indexes(store->calls({.own = a, .peer = b, .principal = "bob@orga.example"})), ElementsAre(7));
  EXPECT_THAT(
      indexes(store->calls({.own = a, .peer = b, .correlation_ids = {rows[1].correlation_id, rows[2].correlation_id}})),
      ElementsAre(1));
  EXPECT_THAT(
      indexes(store->calls({.own = a, .peer = b, .from = rows[1].correlation_id, .to = rows[7].correlation_id})),
      ElementsAre(1, 6));
  EXPECT_THAT(indexes(store->calls({.own = a, .peer = "' OR '1' = '1"})), IsEmpty());
}

void calls_are_paged_in_their_order(const std::string& url) {
  const auto store = opened(url);
  std::vector<AuditRow> rows;
  for (std::uint64_t i = 0; i < 20; ++i) rows.push_back(call_row(100 - i, static_cast<unsigned>(i / 4), a, b));
  for (auto& row : rows)  // four records of each call, on two logs
    row.correlation_id = CorrelationId::make(row.timestamp, {}).str();
  for (std::size_t i = 0; i < rows.size(); i += 2) rows[i].log = "orga.example/fedgate/log/B/1";
  ASSERT_TRUE(ok(store->append_audit(rows)));
  std::ranges::sort(rows, {}, [](const AuditRow& row) { return std::tie(row.correlation_id, row.log, row.index); });
  CallQuery query{.own = a, .peer = b, .limit = 3};
  std::vector<AuditRow> read;
  for (int pages = 0; pages < 20; ++pages) {
    const auto page = store->calls(query).value();
    if (page.empty()) break;
    read.insert(read.end(), page.begin(), page.end());
    query.after = {page.back().correlation_id, page.back().log, page.back().index};
  }
  EXPECT_EQ(read, rows);
}

void questions_end(const std::string& url) {
  const auto store = opened(url);
  std::vector<AuditRow> rows;
  for (std::uint64_t i = 0; i < 20'000; ++i) rows.push_back(call_row(i, 0, a, b));
  ASSERT_TRUE(ok(store->append_audit(rows)));
  const auto late = store->audit({.resource = "nothing has this", .patience = std::chrono::milliseconds(1)});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::deadline_exceeded);
  EXPECT_THAT(late.error().detail, HasSubstr("shorter time"));
  const auto calls = store->calls({.own = a, .peer = c, .patience = std::chrono::milliseconds(1)});
  ASSERT_FALSE(calls);
  EXPECT_EQ(calls.error().code, Code::deadline_exceeded);
  EXPECT_EQ(store->audit({.limit = 5}).value().size(), 5U) << "the store goes on";
  ASSERT_TRUE(ok(store->append_audit(std::array{call_row(20'000, 0, a, b)})));
}

void a_log_is_read_by_index(const std::string& url) {
  const auto store = opened(url);
  std::vector<AuditRow> rows;
  for (const std::uint64_t i : {0U, 1U, 3U, 4U}) rows.push_back(call_row(i, 0, a, b));
  rows.push_back(audit_row("other", 2, some_time));
  ASSERT_TRUE(ok(store->append_audit(rows)));
  EXPECT_THAT(indexes(store->log_rows(log_name, 1, 2)), ElementsAre(1, 3));
  EXPECT_THAT(indexes(store->log_rows(log_name, 4, 10)), ElementsAre(4));
  EXPECT_THAT(indexes(store->log_rows("other", 0, 10)), ElementsAre(2));
}

void reconciliations_go_on(const std::string& url) {
  const auto store = opened(url);
  ReconciliationRecords records(*store);
  const auto node = NodeId::parse(b).value();
  const auto hour = std::chrono::hours(1);
  const auto first = some_time - std::chrono::hours(24);
  EXPECT_EQ(records.begin(node, some_time, hour, first).value(), first);
  EXPECT_EQ(records.begin(node, some_time + hour / 2, hour, first).value(), std::nullopt) << "another replica did";
  EXPECT_EQ(records.begin(NodeId::parse(c).value(), some_time, hour, first).value(), first);
  EXPECT_EQ(records.begin(node, some_time + hour, hour, some_time).value(), first) << "it did not come to its end";
  ASSERT_TRUE(ok(records.reached(node, some_time)));
  EXPECT_EQ(records.begin(node, some_time + 2 * hour, hour, first).value(), some_time);
  EXPECT_EQ(records.begin(node, some_time + hour, hour, first).value(), some_time) << "a clock that was set back";
}

}  // namespace fedgate::store
