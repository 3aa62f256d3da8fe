// SPDX-License-Identifier: Apache-2.0
//
// Expiry is no surprise: what this gateway knows that ends.
#include <nlohmann/json.hpp>

#include "api/admin_views.h"
#include "app/gateway.h"
#include "store/trust_records.h"
#include "trust/certificate_facts.h"

namespace fedgate::app {

namespace {

/// Our own certificates, each once, with what it is used for.
std::vector<trust::Expiring> ours(const config::Settings& settings) {
  const auto& id = settings.node.id;
  auto things = trust::expiring_of_own(id, settings.tls.certificate_pem);
  const auto add = [&](const std::string& pem, const std::string& use) {
    for (auto& thing : trust::expiring_of_own(id, pem)) {
      thing.what += use;
      things.push_back(std::move(thing));
    }
  };
  if (settings.tls_client) add(settings.tls_client->certificate_pem, " (tls.client)");
  if (settings.clients_tls) add(settings.clients_tls->certificate_pem, " (listen.clients)");
  for (const auto& pem : settings.trust.anchors)
    if (const auto facts = trust::certificate_facts(pem))
      things.push_back({trust::Expiring::Kind::anchor, id.str(), "our own trust anchor \"" + facts->subject + "\"",
                        facts->not_after});
  return things;
}

}  // namespace

std::chrono::seconds Gateway::warn_before() const {
  const std::lock_guard lock(in_use_mutex_);
  return first_mark(in_use_->expiry_warnings);
}

void Gateway::look_at_expiry() {
  std::shared_ptr<const config::Settings> settings;
  {
    const std::lock_guard lock(in_use_mutex_);
    settings = in_use_;
  }
  auto things = ours(*settings);
  const auto append = [&](std::vector<trust::Expiring> more) { things.insert(things.end(), more.begin(), more.end()); };
  const auto table = registry_->table().load();
  append(trust::expiring_anchors(table->all()));
  seen_leaves_.keep_only(table->all());
  append(seen_leaves_.expiring(table->all()));
  append(trust::expiring_lists(*crls_.load()));
  expiry_watch_.look(things, settings->expiry_warnings, environment_.clock.wall());
}

// Blocks, as what follows.
void Gateway::restore_seen_leaves() {
  const auto leaves = store::TrustRecords(*store_).seen_leaves();
  if (leaves)
    seen_leaves_.restore(*leaves);
  else
    log_.warning("when peers' certificates end is known again only after they have shown them",
                 {{"detail", leaves.error().detail}});
}

void Gateway::keep_seen_leaves(const std::vector<SeenLeaf>& news) {
  if (auto put = store::TrustRecords(*store_).put_seen_leaves(news); !put) {
    seen_leaves_.put_back(news);
    log_.debug("when peers' certificates end is not stored yet", {{"detail", put.error().detail}});
  }
}

Task<> Gateway::keep_looking_at_expiry() {
  constexpr auto news_interval = std::chrono::seconds(2);
  auto& wheel = workers_.front()->wheel();
  auto look = wheel.now() + ExpiryWatch::interval;
  while (true) {
    try {
      co_await sleep_until(wheel, wheel.now() + news_interval);
      const bool due = wheel.now() >= look;
      auto news = seen_leaves_.take_news();
      if (!due && news.empty()) continue;
      if (due) look = wheel.now() + ExpiryWatch::interval;
      const auto done = co_await pool_.run([this, due, news]() -> Result<void> {
        keep_seen_leaves(news);
        if (due) look_at_expiry();
        return {};
      });
      if (!done) seen_leaves_.put_back(news);
    } catch (const boost::system::system_error&) {
      co_return;
    }
  }
}

nlohmann::json Gateway::expiry_of(const Node& node) const {
  auto things = trust::expiring_anchors({&node, 1});
  for (auto& leaf : seen_leaves_.expiring({&node, 1})) things.push_back(std::move(leaf));
  return api::expiry_view(things, warn_before(), environment_.clock.wall());
}

}  // namespace fedgate::app
