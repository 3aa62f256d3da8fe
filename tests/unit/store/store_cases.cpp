// SPDX-License-Identifier: Apache-2.0
#include "unit/store/store_cases.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "store/migrations.h"

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

template <class N>
N named(std::string_view text) {
  auto name = N::parse(text);
  if (!name) throw std::runtime_error(name.error().detail);
  return *name;
}

Node full_node(std::string_view id) {
  Node node;
  node.id = named<NodeId>(id);
  node.name = "Organisation B";
  node.alias = "orgb";
  node.endpoints = {"https://gate.orgb.example:8443", "https://gate2.orgb.example:8443", "https://[2001:db8::1]:8443"};
  node.trust_anchors = {"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "second"};
  node.intermediates = {"-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n", "another"};
  node.pins = {std::string(64, 'a'), std::string(64, 'b')};
  node.spiffe_id = "spiffe://orgb.example/gateway";
  node.principal_domains = {named<Domain>("orgb.example"), named<Domain>("b.example")};
  node.resources = {named<ResourceId>("inventory"), named<ResourceId>("mcp://orgb.example/x")};
  node.reads = {"inventory/lookup"};
  node.trust_level = TrustLevel::trusted;
  node.enabled = false;
  node.source = NodeSource::configuration;
  node.defined_at = "/etc/fedgate/conf.d/b.yaml:12";
  node.rate_limit_per_hour = 9'000'000'000;
  node.metadata = {{"contact", "ops@orgb.example"}, {"", "empty key"}, {"note", ""}};
  node.trusted_since = some_time;
  node.last_seen = some_time + std::chrono::microseconds(1);
  node.created_at = some_time - std::chrono::days(400);
  node.updated_at = some_time + std::chrono::microseconds(999'999);
  return node;
}

void nodes_round_trip(const std::string& url) {
  auto bare = Node{};
  bare.id = named<NodeId>("a.example");
  const auto full = full_node("b.example");
  auto other = full_node("c.example");
  other.trust_level = TrustLevel::revoked;
  other.source = NodeSource::operator_command;
  other.endpoints = {""};
  {
    const auto store = opened(url);
    EXPECT_THAT(store->nodes().value(), IsEmpty());
    for (const auto& node : {full, other, bare}) ASSERT_TRUE(ok(store->put_node(node)));
    EXPECT_THAT(store->nodes().value(), ElementsAre(bare, full, other));
  }
  EXPECT_THAT(opened(url)->nodes().value(), ElementsAre(bare, full, other)) << "after opening it again";
}

void put_replaces_and_created_at_stays(const std::string& url) {
  const auto store = opened(url);
  const auto first = full_node("b.example");
  ASSERT_TRUE(ok(store->put_node(first)));
  auto second = Node{};
  second.id = first.id;
  second.enabled = true;
  second.created_at = some_time + std::chrono::hours(1);
  second.updated_at = some_time + std::chrono::hours(2);
  ASSERT_TRUE(ok(store->put_node(second)));
  second.created_at = first.created_at;
  EXPECT_THAT(store->nodes().value(), ElementsAre(second));
  EXPECT_TRUE(store->remove_node(first.id).value());
  EXPECT_FALSE(store->remove_node(first.id).value());
  EXPECT_THAT(store->nodes().value(), IsEmpty());
}

void stores_see_each_other(const std::string& url) {
  const auto writer = opened(url);
  const auto reader = opened(url);
  EXPECT_THAT(reader->nodes().value(), IsEmpty());
  ASSERT_TRUE(ok(writer->put_node(full_node("b.example"))));
  EXPECT_EQ(reader->nodes().value().size(), 1U);
}

void hostile_texts_are_values(const std::string& url) {
  const auto store = opened(url);
  const std::string hostile[] = {"'; DROP TABLE federation_nodes; --",
                                 "\"",
                                 "\\",
                                 "\\N",
                                 "\\.",
                                 "a\tb\nc\rd",
                                 "$1 ?1 :x %s {}",
                                 "Ærø 北京 \U0001F510",
                                 "\u202Eevil",
                                 "{\"a\":[1]}",
                                 "NULL",
                                 "' OR 1=1"};
  for (const auto& text : hostile) {
    auto node = full_node("b.example");
    node.name = node.alias = node.defined_at = text;
    node.endpoints = {text, text};
    node.trust_anchors = node.pins = {text, text};
    node.metadata = {{text, text}};
    ASSERT_TRUE(ok(store->put_node(node))) << text;
    EXPECT_THAT(store->nodes().value(), ElementsAre(node));
  }
  std::vector<AuditRow> rows;
  for (const auto& text : hostile) {
    auto row = audit_row("log" + text, rows.size(), some_time + std::chrono::seconds(rows.size()));
    row.principal = row.reason = row.leaf = row.resource = row.error_code = row.event_type = text;
    rows.push_back(row);
  }
  ASSERT_TRUE(ok(store->append_audit(rows)));
  ASSERT_TRUE(ok(store->append_audit(rows))) << "the way round for rows that are there";
  EXPECT_EQ(store->audit({}).value().size(), rows.size());
  for (const auto& row : rows) {
    AuditQuery query;
    query.principal = query.resource = query.event_type = row.principal;
    EXPECT_THAT(store->audit(query).value(), ElementsAre(row)) << row.principal;
    EXPECT_EQ(store->audit_position(row.log).value(), row.index);
  }
}

void unfit_nodes_are_refused(const std::string& url) {
  const auto store = opened(url);
  const auto refused = [&](auto change, std::string_view why) {
    auto node = full_node("b.example");
    change(node);
    const auto put = store->put_node(node);
    ASSERT_FALSE(put) << why;
    EXPECT_EQ(put.error().code, Code::bad_request);
    EXPECT_THAT(put.error().detail, HasSubstr(std::string(why)));
  };
  refused([](Node& node) { node.name = std::string("a\0b", 3); }, "NUL");
  refused([](Node& node) { node.metadata = {{std::string("\0", 1), "x"}}; }, "NUL");
  refused([](Node& node) { node.alias = "\xff"; }, "UTF-8");
  refused([](Node& node) { node.endpoints = {"\xc0\xaf"}; }, "UTF-8");
  refused([](Node& node) { node.trust_anchors = {"fine", "\xed\xa0\x80"}; }, "UTF-8");
  refused([](Node& node) { node.rate_limit_per_hour = 1ULL << 63; }, "rate_limit_per_hour");
  refused([](Node& node) { node.id = {}; }, "no id");
  EXPECT_THAT(store->nodes().value(), IsEmpty());
}

void audit_round_trip(const std::string& url) {
  const auto store = opened(url);
  const auto full = audit_row("orgb.example/fedgate/log/a/1", 7, some_time);
  AuditRow bare;
  bare.log = "x";
  bare.timestamp = some_time - std::chrono::hours(1);
  auto large = audit_row("y", 9'000'000'000'000, some_time - std::chrono::hours(2));
  large.leaf = std::string(4096, 'l');
  large.duration_us = large.upstream_us = 86'400'000'001;
  large.request_bytes = large.response_bytes = 1ULL << 40;
  large.attempt = 4'000'000'000;
  ASSERT_TRUE(ok(store->append_audit(std::array{large, bare, full})));
  EXPECT_THAT(store->audit({}).value(), ElementsAre(full, bare, large));
  ASSERT_TRUE(ok(store->append_audit({})));
}

void append_is_idempotent(const std::string& url) {
  const auto store = opened(url);
  std::vector<AuditRow> rows;
  for (std::uint64_t i = 0; i < 10; ++i) rows.push_back(audit_row("a", i, some_time + std::chrono::seconds(i)));
  const std::span all(rows);
  ASSERT_TRUE(ok(store->append_audit(all.first(6))));
  ASSERT_TRUE(ok(store->append_audit(all.first(6))));
  auto changed = rows;
  for (auto& row : changed) row.reason = "rewritten";
  changed.push_back(changed.back());  // and twice in one batch
  ASSERT_TRUE(ok(store->append_audit(std::span(changed).subspan(3))));
  const auto found = store->audit({.oldest_first = true}).value();
  ASSERT_EQ(found.size(), 10U);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(found[i], i < 6 ? rows[i] : changed[i]) << i;
}

void position_is_of_one_log(const std::string& url) {
  const auto store = opened(url);
  EXPECT_EQ(store->audit_position("a").value(), std::nullopt);
  ASSERT_TRUE(ok(store->append_audit(std::array{audit_row("a", 0, some_time), audit_row("b", 41, some_time)})));
  EXPECT_EQ(store->audit_position("a").value(), 0U);
  EXPECT_EQ(store->audit_position("b").value(), 41U);
  EXPECT_EQ(store->audit_position("c").value(), std::nullopt);
}

void a_log_is_continued_where_it_stands(const std::string& url) {
  const auto store = opened(url);
  std::vector<AuditRow> rows;
  for (std::uint64_t i = 0; i < 10; ++i) rows.push_back(audit_row("a", i, some_time));
  const std::span all(rows);
  ASSERT_TRUE(ok(store->continue_audit(all.first(4), std::nullopt)));
  ASSERT_TRUE(ok(store->continue_audit(all.subspan(4, 2), 3)));
  ASSERT_TRUE(ok(store->append_audit(std::array{audit_row("b", 99, some_time)}))) << "another log is another matter";
  for (const std::optional<std::uint64_t> last : {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(4),
                                                  std::optional<std::uint64_t>(6), std::optional<std::uint64_t>(99)}) {
    const auto refused = store->continue_audit(all.subspan(6), last);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::conflict);
    EXPECT_THAT(refused.error().detail, HasSubstr("is record 5"));
  }
  // Rows that are there already are somebody else's, even behind the right place.
  auto overlapping = rows;
  for (auto& row : overlapping) row.reason = "rewritten";
  EXPECT_EQ(store->continue_audit(std::span(overlapping).subspan(5), 4).error().code, Code::conflict);
  EXPECT_EQ(store->log_rows("a", 0, 100).value(), std::vector(rows.begin(), rows.begin() + 6));
  ASSERT_TRUE(ok(store->continue_audit(all.subspan(6), 5)));
  ASSERT_TRUE(ok(store->continue_audit({}, 77)));
  EXPECT_EQ(store->log_rows("a", 0, 100).value(), rows);
}

void old_rows_are_pruned_from_the_front(const std::string& url) {
  const auto store = opened(url);
  std::vector<AuditRow> rows;
  for (std::uint64_t i = 0; i < 20; ++i)
    rows.push_back(audit_row("a", i, some_time + std::chrono::minutes(i == 3 ? 0 : i)));
  ASSERT_TRUE(ok(store->append_audit(rows)));
  ASSERT_TRUE(ok(store->append_audit(std::array{audit_row("b", 0, some_time)})));
  const auto pruned = [&](std::uint64_t below, int minutes, std::size_t most) {
    const auto gone = store->prune_audit("a", below, some_time + std::chrono::minutes(minutes), most);
    EXPECT_TRUE(ok(gone));
    return gone.value_or(0);
  };
  const auto first = [&] { return store->log_rows("a", 0, 1)->front().index; };
  EXPECT_EQ(pruned(20, 0, 10), 0U) << "none is older";
  EXPECT_EQ(pruned(20, 1, 10), 1U);
  EXPECT_EQ(first(), 1U) << "an old one behind a young one stays: no gap";
  EXPECT_EQ(pruned(20, 12, 4), 4U);
  EXPECT_EQ(first(), 5U);
  EXPECT_EQ(pruned(8, 12, 100), 3U);
  EXPECT_EQ(pruned(8, 12, 100), 0U);
  EXPECT_EQ(first(), 8U);
  EXPECT_EQ(pruned(20, 12, 100), 4U);
  EXPECT_EQ(first(), 12U);
  EXPECT_EQ(store->log_rows("a", 0, 100)->size(), 8U);
  EXPECT_EQ(store->log_rows("b", 0, 100)->size(), 1U);
}

void every_filter_filters(const std::string& url) {
  const auto store = opened(url);
  auto wanted = audit_row("a", 1, some_time);
  std::vector<AuditRow> rows{wanted};
  AuditQuery all_at_once{.from = some_time, .to = some_time + std::chrono::microseconds(1)};
  // Each filter has one row that differs from the wanted in its column only.
  const auto filter = [&](std::string AuditQuery::* in_query, std::string AuditRow::* in_row) {
    auto other = wanted;
    other.index = rows.size() + 1;
    other.*in_row += "x";
    rows.push_back(other);
    all_at_once.*in_query = wanted.*in_row;
  };
  filter(&AuditQuery::principal, &AuditRow::principal);
  filter(&AuditQuery::resource, &AuditRow::resource);
  filter(&AuditQuery::capability, &AuditRow::capability_id);
  filter(&AuditQuery::correlation_id, &AuditRow::correlation_id);
  filter(&AuditQuery::event_type, &AuditRow::event_type);
  filter(&AuditQuery::outcome, &AuditRow::outcome);
  filter(&AuditQuery::decision, &AuditRow::decision);
  for (const auto offset : {-1, 1}) {
    auto other = wanted;
    other.index = rows.size() + 1;
    other.timestamp += std::chrono::microseconds(offset);
    rows.push_back(other);
  }
  ASSERT_TRUE(ok(store->append_audit(rows)));
  EXPECT_THAT(store->audit(all_at_once).value(), ElementsAre(wanted));
  const auto found = [&](AuditQuery query) { return store->audit(query).value().size(); };
  const auto total = rows.size();
  EXPECT_EQ(found({}), total);
  EXPECT_EQ(found({.from = some_time}), total - 1);
  EXPECT_EQ(found({.to = some_time}), 1U);
  for (const auto member :
       {&AuditQuery::principal, &AuditQuery::resource, &AuditQuery::capability, &AuditQuery::correlation_id,
        &AuditQuery::event_type, &AuditQuery::outcome, &AuditQuery::decision}) {
    AuditQuery query;
    query.*member = all_at_once.*member;
    EXPECT_EQ(found(query), total - 1);
  }
  EXPECT_EQ(found({.peer = wanted.source_node}), total);
  EXPECT_EQ(found({.peer = wanted.target_node}), total);
  EXPECT_EQ(found({.peer = "nobody.example"}), 0U);
}

void paging_is_stable_under_equal_times(const std::string& url) {
  const auto store = opened(url);
  std::vector<AuditRow> rows;
  for (const auto* log : {"Ab", "a", "ab", "B"})
    for (std::uint64_t i = 0; i < 8; ++i) rows.push_back(audit_row(log, i, some_time + std::chrono::seconds(i / 5)));
  ASSERT_TRUE(ok(store->append_audit(rows)));
  std::ranges::sort(rows, {}, [](const AuditRow& row) { return std::tie(row.timestamp, row.log, row.index); });
  for (const bool oldest_first : {true, false}) {
    AuditQuery query{.limit = 3, .oldest_first = oldest_first};
    std::vector<AuditRow> read;
    for (int pages = 0; pages < 20; ++pages) {
      const auto page = store->audit(query).value();
      if (page.empty()) break;
      EXPECT_LE(page.size(), 3U);
      read.insert(read.end(), page.begin(), page.end());
      query.before = {page.back().timestamp, page.back().log, page.back().index};
    }
    if (!oldest_first) std::ranges::reverse(read);
    EXPECT_EQ(read, rows) << oldest_first;
  }
}

int newest_version() { return load_migrations("sqlite", "").value().back().version; }

void migrations_go_up_and_down(const std::string& url) {
  auto manual = open({.url = url, .migrate = false});
  ASSERT_FALSE(manual) << "an empty database is behind";
  EXPECT_THAT(manual.error().detail, HasSubstr("fedgate migrate up"));
  auto store = open({.url = url, .any_schema = true}).value();
  const auto applied = [&] {
    std::vector<bool> list;
    bool exact = false;
    for (const auto& status : store->migrations().value()) {
      list.push_back(status.applied());
      if (status.applied_at) {
        EXPECT_LT(std::chrono::abs(system_clock().wall() - *status.applied_at), std::chrono::minutes(1));
        exact = exact || *status.applied_at != std::chrono::floor<std::chrono::seconds>(*status.applied_at);
      }
      EXPECT_FALSE(status.name.empty());
    }
    EXPECT_EQ(exact, list.front()) << "databases made in one second are told apart by this";
    return list;
  };
  const int all = newest_version();
  const std::vector none(static_cast<std::size_t>(all), false), every(static_cast<std::size_t>(all), true);
  ASSERT_GE(all, 2);
  EXPECT_EQ(applied(), none);
  EXPECT_EQ(store->nodes().error().code, Code::store_unavailable);
  EXPECT_EQ(store->migrate_up().value(), all);
  EXPECT_EQ(store->migrate_up().value(), 0);
  EXPECT_EQ(applied(), every);
  ASSERT_TRUE(ok(store->put_node(full_node("b.example"))));
  ASSERT_TRUE(ok(store->append_audit(std::array{audit_row("a", 0, some_time)})));
  EXPECT_EQ(store->migrate_down(all - 1).value(), all - 1);
  auto first = none;
  first.front() = true;
  EXPECT_EQ(applied(), first);
  EXPECT_FALSE(store->nodes()) << "this program needs later columns";
  EXPECT_FALSE(store->audit({}));
  EXPECT_FALSE(open({.url = url, .migrate = false}));
  EXPECT_EQ(store->migrate_up().value(), all - 1);
  EXPECT_EQ(store->nodes().value().size(), 1U);
  EXPECT_THAT(store->audit({}).value(), IsEmpty());
  EXPECT_EQ(store->migrate_down(99).value(), all);
  EXPECT_EQ(applied(), none);
  EXPECT_EQ(store->migrate_down(0).error().code, Code::usage);
  EXPECT_EQ(store->migrate_up().value(), all);
  EXPECT_TRUE(ok(open({.url = url, .migrate = false})));
}

/// A copy of the built-in migrations with one more.
struct Directory {
  explicit Directory(std::string_view up) {
    char name[] = "/tmp/fedgate-migrations-XXXXXX";
    path = ::mkdtemp(name);
    for (const auto& file : built_in_migrations()) write(std::string(file.path), file.text);
    for (const std::string kind : {"sqlite", "postgresql"}) {
      const auto stem = kind + "/" + std::to_string(newest_version() + 1) + "_later";
      write(stem + ".up.sql", up);
      write(stem + ".down.sql", "DROP TABLE later;");
    }
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path); }
  void write(const std::string& file, std::string_view text) const {
    std::filesystem::create_directories((path / file).parent_path());
    std::ofstream(path / file) << text;
  }
  std::filesystem::path path;
};

void newer_database_is_refused(const std::string& url) {
  const Directory later("CREATE TABLE later (a INTEGER);");
  ASSERT_TRUE(ok(open({.url = url, .migrations_directory = later.path})));
  for (const bool migrate : {true, false}) {
    const auto refused = open({.url = url, .migrate = migrate});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::store_unavailable);
    EXPECT_THAT(refused.error().detail, HasSubstr("version " + std::to_string(newest_version() + 1) +
                                                  ", this program knows up to " + std::to_string(newest_version())));
  }
  const auto store = open({.url = url, .any_schema = true}).value();
  EXPECT_EQ(store->migrations().value().back().name, "later");
  EXPECT_FALSE(store->migrate_up());
  EXPECT_FALSE(store->migrate_down(1));
  EXPECT_EQ(open({.url = url, .migrations_directory = later.path, .any_schema = true}).value()->migrate_down(1).value(),
            1);
  EXPECT_TRUE(ok(open({.url = url})));
}

void failed_migration_leaves_nothing(const std::string& url) {
  const Directory broken("CREATE TABLE later (a INTEGER); CREATE TABLE later (a INTEGER);");
  const auto refused = open({.url = url, .migrations_directory = broken.path});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr(std::to_string(newest_version() + 1) + "_later"));
  const Directory repaired("CREATE TABLE later (a INTEGER);");
  const auto store = open({.url = url, .migrations_directory = repaired.path, .any_schema = true}).value();
  EXPECT_FALSE(store->migrations().value().back().applied());
  EXPECT_EQ(store->migrate_up().value(), 1);
}

void replicas_start_at_once(const std::string& url) {
  std::vector<Result<std::unique_ptr<Store>>> stores(4);
  {
    std::vector<std::jthread> threads;
    for (auto& store : stores) threads.emplace_back([&] { store = open({.url = url}); });
  }
  for (const auto& store : stores) {
    ASSERT_TRUE(store) << store.error().detail;
    EXPECT_TRUE(ok((*store)->nodes()));
  }
}

constexpr Case cases[] = {
    {"nodes_round_trip", nodes_round_trip},
    {"put_replaces_and_created_at_stays", put_replaces_and_created_at_stays},
    {"stores_see_each_other", stores_see_each_other},
    {"hostile_texts_are_values", hostile_texts_are_values},
    {"unfit_nodes_are_refused", unfit_nodes_are_refused},
    {"audit_round_trip", audit_round_trip},
    {"append_is_idempotent", append_is_idempotent},
    {"position_is_of_one_log", position_is_of_one_log},
    {"a_log_is_continued_where_it_stands", a_log_is_continued_where_it_stands},
    {"old_rows_are_pruned_from_the_front", old_rows_are_pruned_from_the_front},
    {"every_filter_filters", every_filter_filters},
    {"paging_is_stable_under_equal_times", paging_is_stable_under_equal_times},
    {"migrations_go_up_and_down", migrations_go_up_and_down},
    {"newer_database_is_refused", newer_database_is_refused},
    {"failed_migration_leaves_nothing", failed_migration_leaves_nothing},
    {"replicas_start_at_once", replicas_start_at_once},
    {"transactions_are_whole", transactions_are_whole},
    {"seen_leaves_are_kept", seen_leaves_are_kept},
    {"invites_are_kept", invites_are_kept},
    {"invites_serve_one_key", invites_serve_one_key},
    {"candidates_are_kept", candidates_are_kept},
    {"candidates_are_bounded", candidates_are_bounded},
    {"bundles_follow_each_other", bundles_follow_each_other},
    {"rotation_is_kept", rotation_is_kept},
    {"further_filters_filter", further_filters_filter},
    {"calls_are_between_two_nodes", calls_are_between_two_nodes},
    {"calls_are_paged_in_their_order", calls_are_paged_in_their_order},
    {"questions_end", questions_end},
    {"a_log_is_read_by_index", a_log_is_read_by_index},
    {"reconciliations_go_on", reconciliations_go_on},
    {"witness_state_is_compared_and_swapped", witness_state_is_compared_and_swapped},
    {"checkpoints_gather_signatures", checkpoints_gather_signatures},
    {"references_change_their_state", references_change_their_state},
    {"alarms_are_kept", alarms_are_kept},
};

}  // namespace

std::span<const Case> store_cases() { return cases; }

AuditRow audit_row(const std::string& log, std::uint64_t index, WallTime time) {
  AuditRow row;
  row.log = log;
  row.index = index;
  row.leaf = R"({"index":)" + std::to_string(index) + R"(,"text":")" + std::string(600, 'x') + "\"}";
  row.timestamp = time;
  row.event_type = "cross_org_request";
  row.phase = "outcome";
  row.principal = "alice@orga.example";
  row.principal_org = "orga.example";
  row.actor = "agent@orga.example";
  row.credential_id = "token:alice";
  row.resource = "inventory";
  row.resource_protocol = "http";
  row.capability_id = "lookup";
  row.action = "invoke";
  row.decision = "allow";
  row.reason = "matched rule";
  row.policy_id = "orgb-reads";
  row.outcome = "succeeded";
  row.error_code = "none";
  row.correlation_id = "01910000-0000-7000-8000-000000000001";
  row.source_node = "orga.example";
  row.target_node = "orgb.example";
  row.attempt = 1;
  row.duration_us = 1234;
  row.upstream_us = 567;
  row.request_bytes = 89;
  row.response_bytes = 1011;
  row.estimated_cost = 0.1;
  row.actual_cost = 2.5e-7;
  return row;
}

void measure_append(const std::string& url) {
  const auto store = opened(url);
  constexpr std::size_t batch = 2000, batches = 100;
  const auto cpu = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto micros = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
    };
    return micros(usage.ru_utime) + micros(usage.ru_stime);
  };
  double used = 0;
  std::chrono::duration<double> elapsed{};
  for (std::size_t number = 0; number < batches; ++number) {
    std::vector<AuditRow> rows;
    for (std::size_t i = 0; i < batch; ++i) {
      const auto index = number * batch + i;
      const auto time = some_time + std::chrono::microseconds(index * 50);
      rows.push_back(audit_row("orga.example/fedgate/log/a/1", index, time));
      rows.back().correlation_id =
          CorrelationId::make(time, {static_cast<std::uint8_t>(index * 37), static_cast<std::uint8_t>(index)}).str();
    }
    const auto before = cpu();
    const auto start = std::chrono::steady_clock::now();
    const auto appended = store->append_audit(rows);
    ASSERT_TRUE(appended) << appended.error().detail;
    elapsed += std::chrono::steady_clock::now() - start;
    used += cpu() - before;
  }
  const auto rows = static_cast<double>(batch * batches);
  std::printf("%.0f rows: %.0f rows/s, %.2f us a row, of it %.2f us of this process's CPU\n", rows,
              rows / elapsed.count(), elapsed.count() * 1e6 / rows, used / rows);
}

}  // namespace fedgate::store
