// SPDX-License-Identifier: Apache-2.0
//
// The audit log as a log that others can check: which generation of it is written, and the keys that sign it.
#include <nlohmann/json.hpp>

#include "api/admin_views.h"
#include "app/gateway.h"
#include "audit/durable_file.h"
#include "audit/signer_state.h"
#include "audit/signing_key.h"
#include "base/hash.h"

namespace fedgate::app {

namespace {

constexpr auto last_shipping_bound = std::chrono::seconds(10);
constexpr auto settling_bound = std::chrono::seconds(10);
constexpr auto first_leaf_bound = std::chrono::seconds(10);
constexpr auto rotation_bound = std::chrono::seconds(10);

std::string signing_key_of(const config::Settings& settings) {
  return settings.audit.signing_key_file.empty() ? config::default_signing_key(settings.audit.journal)
                                                 : settings.audit.signing_key_file;
}

std::string witness_key_of(const config::Settings& settings) {
  return settings.audit.witness_key_file.empty() ? config::default_witness_key(signing_key_of(settings))
                                                 : settings.audit.witness_key_file;
}

/// What this log's key has signed last; empty: nothing, or nobody knows.
std::string last_signed(const std::string& key_file, const std::string& log) {
  const auto text = audit::read_small_file(audit::directory_of(key_file) + "/signer.state");
  if (!text || !*text) return {};
  const auto state = audit::signer_state_from(**text);
  return state && state->log == log && state->last ? state->last->note : std::string();
}

}  // namespace

audit::JournalOptions Gateway::journal_options(std::uint64_t generation) const {
  return {.directory = audit::directory_of_generation(settings_->audit.journal, generation),
          .log_name = audit::log_name(settings_->node.id.view(), settings_->node.replica, generation),
          .max_bytes = settings_->audit.journal_max,
          .salts = salts_.get(),
          .principals = settings_->audit.principals};
}

/// Brings what the generation that ends still owes to the database, as far as that takes it. How many records are left.
std::uint64_t Gateway::end_generation(const audit::JournalOptions& options) {
  auto ending =
      audit::Journal::open(*environment_.disk, options, environment_.clock, environment_.entropy, log_, metrics_);
  if (!ending) {
    log_.error("the audit log that ends cannot be opened; it stays where it is", {{"detail", ending.error().detail}});
    return 0;
  }
  (*ending)->settle_found(settling_bound);
  audit::Shipper shipper(**ending, *shipper_store_, audit::Shipper::Options{}, log_, metrics_);
  const auto durable = (*ending)->state().durable;
  (void)shipper.wait_for(durable, last_shipping_bound);
  const auto shipped = std::min(shipper.position(), durable);
  (*ending)->close();
  shipper.stop(std::chrono::milliseconds(0));
  return durable - shipped;
}

Result<void> Gateway::choose_generation() {
  auto read = audit::read_generation(settings_->audit.journal);
  if (!read) return fail(read.error());
  generation_ = std::move(*read);
  if (!generation_.wanted) return {};
  const auto ends = journal_options(generation_.number);
  audit::Generation next;
  next.number = generation_.number + 1;
  next.who = generation_.wanted->who;
  next.reason = generation_.wanted->reason;
  next.last = last_signed(signing_key_of(*settings_), ends.log_name);
  next.unshipped = end_generation(ends);
  if (auto written = audit::write_generation(settings_->audit.journal, next); !written) return written;
  log_.warning("a new generation of the audit log begins",
               {{"generation", next.number}, {"reason", next.reason}, {"old_directory", ends.directory}});
  if (next.unshipped > 0)
    log_.error("the database does not have all of the generation that ended",
               {{"records", next.unshipped}, {"directory", ends.directory}});
  generation_ = std::move(next);
  return {};
}

/// A generation's first leaf says what it follows, before anything else is in it.
Result<void> Gateway::begin_generation() {
  if (generation_.number == 1 || journal_->state().next_index > 0) return {};
  const auto leaf = audit::first_leaf(generation_, environment_.clock.wall());
  if (!leaf) return fail(leaf.error());
  const auto durable = journal_->append_within(*leaf, first_leaf_bound);
  if (!durable) return fail(durable.error().in("the first leaf of the audit log"));
  return {};
}

Result<void> Gateway::open_signing() {
  const auto key_file = signing_key_of(*settings_);
  const auto witness_file = witness_key_of(*settings_);
  for (const auto& [path, what] :
       {std::pair(key_file, "signs our audit log"), std::pair(witness_file, "signs others'")}) {
    const auto found = audit::ensure_signing_key(path, environment_.entropy);
    if (!found)
      return fail(
          found.error().in("the key that " + std::string(what) + " (audit.signing_key_file, audit.witness_key_file)"));
    if (*found == audit::KeyFound::made)
      log_.warning("a key was made", {{"file", path}, {"what", what}, {"keep", "a copy of it in a safe place"}});
  }
  auto witness = audit::read_signer(witness_file, audit::witness_name(settings_->node.id.view()),
                                    wire::NoteAlgorithm::cosignature_v1);
  if (!witness) return fail(witness.error());
  witness_signer_.emplace(std::move(*witness));
  auto started = audit::Publisher::start(*journal_,
                                         {.signing_key_file = key_file,
                                          .journal_directory = journal_options(generation_.number).directory,
                                          .every = settings_->audit.checkpoint_every},
                                         environment_.clock, environment_.entropy, log_, metrics_);
  if (!started) return fail(started.error());
  publisher_ = std::move(*started);
  return {};
}

void Gateway::state_log_keys() {
  // Others learn the keys from our bundle; without a CA of our own there is none.
  if (own_trust_.load()->anchors.empty()) {
    log_.warning("others cannot check our audit log: set trust.anchors, so that they are told its keys", {});
    return;
  }
  if (auto stated = exchange_->state_log_keys(); !stated)
    log_.error("our log's keys are not in our bundle", {{"detail", stated.error().detail}});
}

Result<std::uint64_t> Gateway::want_new_log(const std::string& who, const std::string& reason) {
  const std::lock_guard lock(generation_mutex_);
  auto next = generation_;
  next.wanted = audit::Generation::Wanted{who, reason};
  if (auto written = audit::write_generation(settings_->audit.journal, next); !written) return fail(written.error());
  generation_ = std::move(next);
  log_.warning("a new generation of the audit log is wanted; it begins at the next start", {{"by", who}});
  return generation_.number + 1;
}

Result<std::string> Gateway::rotate_log_key(const std::string& who) {
  const auto key = publisher_->rotate(who, rotation_bound);
  if (!key) return fail(key.error());
  {
    const std::lock_guard lock(reload_mutex_);
    std::shared_ptr<const config::Settings> settings;
    {
      const std::lock_guard using_it(in_use_mutex_);
      settings = in_use_;
    }
    own_trust_.publish(std::make_shared<federation::OwnTrust>(own_trust(*settings)));
  }
  state_log_keys();
  return key->text();
}

/// Into `status`.
void Gateway::describe_signing(nlohmann::json& body) const {
  auto& audit = body["audit"];
  auto& attention = body["attention"];
  auto keys = nlohmann::json::array();
  for (const auto& key : publisher_->keys()) keys.push_back(key.text());
  audit["keys"] = std::move(keys);
  audit["witness_key"] = witness_signer_->vkey().text();
  audit["signing"] = publisher_->stopped().empty() ? "on" : "stopped";
  audit["checkpoint"] = nullptr;
  const auto latest = publisher_->latest();
  const auto at = publisher_->latest_at();
  if (latest && at)
    audit["checkpoint"] = {
        {"size", latest->head.size},
        {"root", to_hex(latest->head.root)},
        {"signed_at", api::rfc3339(*at)},
        {"age_seconds", std::chrono::duration_cast<std::chrono::seconds>(environment_.clock.wall() - *at).count()}};
  if (const auto why = publisher_->stopped(); !why.empty()) {
    audit["health"] = "degraded";
    attention.push_back("the audit log is not signed any more, calls go on: " + why);
  }
  if (const auto why = publisher_->problem(); !why.empty())
    attention.push_back("no checkpoint of the audit log can be made: " + why);
  const auto recorded = exchange_->own_witness_key();
  if (recorded && !recorded->empty() && *recorded != witness_signer_->vkey().text())
    attention.push_back(
        "our bundle names another witness key: give each replica the same audit.witness_key_file, or, "
        "where it was replaced, `fedgate trust announce`");
  const std::lock_guard lock(generation_mutex_);
  audit["generation"] = generation_.number;
  if (generation_.wanted)
    attention.push_back("a new generation of the audit log begins at the next start: restart the gateway");
  if (generation_.unshipped > 0)
    attention.push_back(std::to_string(generation_.unshipped) +
                        " records of the audit log's last generation are not in the database, only in " +
                        journal_options(generation_.number - 1).directory);
}

}  // namespace fedgate::app
