// SPDX-License-Identifier: Apache-2.0
//
// A registry on a real SQLite store that can be told to fail or to hang, for the tests of this folder.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "nodes/registry.h"
#include "support/fake_clock.h"
#include "support/temp_directory.h"

namespace fedgate::nodes {

inline NodeId id(std::string_view text) { return NodeId::parse(text).value(); }
inline Domain domain(std::string_view text) { return Domain::parse(text).value(); }

inline Node configured(std::string_view name) {
  Node node;
  node.id = id(name);
  node.endpoints = {"https://gate." + std::string(name) + ":8443"};
  node.trust_anchors = {"anchor of " + std::string(name)};
  node.principal_domains = {domain(name)};
  node.source = NodeSource::configuration;
  node.defined_at = "/etc/fedgate/fedgate.yaml:12";
  node.trust_level = TrustLevel::trusted;
  return node;
}

inline Node offered(std::string_view name) {
  auto node = configured(name);
  node.source = NodeSource::operator_command;
  node.defined_at.clear();
  return node;
}

/// Passes everything on to a real store, unless told to fail.
class Flaky final : public store::Store {
 public:
  explicit Flaky(std::unique_ptr<store::Store> real) : real_(std::move(real)) {}
  std::atomic<bool> reads_fail{false};
  std::atomic<bool> writes_fail{false};
  std::atomic<int> writes{0};

  /// From now on whoever reads or writes nodes waits, until release().
  void hang() {
    const std::lock_guard lock(mutex_);
    hangs_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    hangs_ = false;
    changed_.notify_all();
  }
  void let_one_pass() {
    const std::lock_guard lock(mutex_);
    ++passes_;
    changed_.notify_all();
  }
  /// That so many have come to wait since hang().
  bool wait_for_waiters(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return waiters_ >= count; });
  }

  [[nodiscard]] std::string_view kind() const override { return real_->kind(); }
  Result<void> ping() override { return real_->ping(); }
  Result<std::vector<store::MigrationStatus>> migrations() override { return real_->migrations(); }
  Result<int> migrate_up() override { return real_->migrate_up(); }
  Result<int> migrate_down(int steps) override { return real_->migrate_down(steps); }
  Result<std::vector<Node>> nodes() override {
    wait();
    if (reads_fail) return fail(Code::store_unavailable, "out of order");
    return real_->nodes();
  }
  Result<std::string> nodes_version() override { return real_->nodes_version(); }
  Result<void> put_node(const Node& node) override {
    wait();
    if (writes_fail) return fail(Code::store_unavailable, "out of order");
    ++writes;
    return real_->put_node(node);
  }
  Result<bool> remove_node(const NodeId& which) override {
    if (writes_fail) return fail(Code::store_unavailable, "out of order");
    ++writes;
    return real_->remove_node(which);
  }
  Result<void> transact(std::string_view what, const std::function<Result<void>(store::Transaction&)>& work) override {
    if (writes_fail) return fail(Code::store_unavailable, "out of order");
    return real_->transact(what, work);
  }
  Result<void> append_audit(std::span<const store::AuditRow> rows) override { return real_->append_audit(rows); }
  Result<std::optional<std::uint64_t>> audit_position(const std::string& log) override {
    return real_->audit_position(log);
  }
  Result<std::vector<store::AuditRow>> audit(const store::AuditQuery& query) override { return real_->audit(query); }
  Result<std::vector<store::AuditRow>> calls(const store::CallQuery& query) override { return real_->calls(query); }
  Result<std::vector<store::AuditRow>> log_rows(const std::string& log, std::uint64_t from,
                                                std::size_t limit) override {
    return real_->log_rows(log, from, limit);
  }

 private:
  void wait() {
    std::unique_lock lock(mutex_);
    if (!hangs_) return;
    ++waiters_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !hangs_ || passes_ > 0; });
    if (hangs_) --passes_;
  }

  std::unique_ptr<store::Store> real_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hangs_ = false;
  int passes_ = 0;
  int waiters_ = 0;
};

inline const Narrowing disabled{.disabled = NodeSource::operator_command};
inline const Narrowing removed{.removed = true};
inline const Narrowing revoked{.level = TrustLevel::revoked};

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() { restart(); }

  [[nodiscard]] std::string revocations_file() const { return directory_.path("revoked"); }
  [[nodiscard]] std::string database_file() const { return directory_.path("fedgate.db"); }
  void restart() {
    registry_.reset();
    store_.reset();
    auto opened = store::open({.url = "sqlite:" + database_file()});
    if (!opened) throw std::runtime_error(opened.error().detail);
    store_ = std::make_unique<Flaky>(std::move(*opened));
    auto revocations = Revocations::open(revocations_file());
    if (!revocations) throw std::runtime_error(revocations.error().detail);
    revocations_ = std::move(*revocations);
    registry_ = std::make_unique<Registry>(*store_, id("orga.example"), *revocations_, clock_, log::silent());
  }
  Result<void> load_result(const std::vector<Node>& nodes) {
    return registry_->load({.nodes = nodes, .own_domains = own_domains_});
  }
  void load(const std::vector<Node>& nodes) {
    const auto loaded = load_result(nodes);
    ASSERT_TRUE(loaded) << loaded.error().detail;
  }
  Error load_error(const std::vector<Node>& nodes) {
    const auto loaded = load_result(nodes);
    return loaded ? Error{Code::usage, "was loaded"} : loaded.error();
  }
  /// Takes it away and has it stored.
  Result<Node> cut(std::string_view name, const Narrowing& by) {
    auto narrowed = registry_->narrow(name, by);
    if (!narrowed) return narrowed;
    if (auto stored = registry_->refresh(); !stored) return fail(stored.error());
    return narrowed;
  }
  /// As it is published.
  Node now(std::string_view name) {
    const auto table = registry_->table().load();
    const auto* node = table->find_named(name);
    if (node == nullptr) throw std::runtime_error("no node " + std::string(name));
    return *node;
  }
  /// As it is published and stored.
  Node at(std::string_view name) {
    auto node = now(name);
    EXPECT_THAT(store_->nodes().value(), testing::Contains(node)) << "what is published is what is stored";
    return node;
  }
  std::size_t count() { return registry_->table().load()->all().size(); }

  test::FakeClock clock_;
  test::TempDirectory directory_;
  std::vector<Domain> own_domains_{domain("orga.example"), domain("people.orga.example")};
  std::unique_ptr<Flaky> store_;
  std::unique_ptr<Revocations> revocations_;
  std::unique_ptr<Registry> registry_;
};

}  // namespace fedgate::nodes
