// SPDX-License-Identifier: Apache-2.0
//
// A real journal, publisher and store of B; A's log made by hand.
#include "federation/witness.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "audit/batch_proof.h"
#include "audit/merkle_proof.h"
#include "audit/signing_key.h"
#include "base/hash.h"
#include "base/worker.h"
#include "federation/receipts.h"
#include "support/fake_clock.h"
#include "support/temp_directory.h"

namespace fedgate::federation {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

NodeId node(const std::string& text) { return NodeId::parse(text).value(); }

const std::string log_of_a = "a.example/fedgate/log/a/1";
const std::string log_of_b = "b.example/fedgate/log/b/1";

wire::NoteSigner signer(const std::string& name, wire::NoteAlgorithm algorithm, std::uint8_t seed) {
  std::array<std::uint8_t, 32> bytes{};
  bytes.fill(seed);
  return {name, algorithm, bytes};
}

/// A log of A: any leaves, and a signature.
class Log {
 public:
  explicit Log(audit::Disk& disk, const std::string& directory, std::uint8_t kind = 0)
      : tree_(audit::MerkleTree::open(disk, directory).value()) {
    for (std::uint64_t i = 0; i < 64; ++i) {
      const auto leaf = sha256("leaf " + std::to_string(i < 10 ? i : 1000U * kind + i));
      tree_->append(std::span(&leaf, 1));
    }
  }
  Checkpoint at(std::uint64_t size, std::uint8_t key = 1) const {
    const auto head = tree_->head_at(size).value();
    const auto text = wire::checkpoint_text(log_of_a, head);
    return {log_of_a, head, text + "\n" + signer(log_of_a, wire::NoteAlgorithm::ed25519, key).sign(text)};
  }
  std::string body(std::uint64_t old_size, std::uint64_t size) const {
    wire::AddCheckpoint request{old_size, {}, at(size)};
    if (old_size > 0 && old_size <= size) request.proof = tree_->consistency(old_size, size).value();
    return wire::add_checkpoint_body(request);
  }

 private:
  std::unique_ptr<audit::MerkleTree> tree_;
};

struct WitnessTest : testing::Test {
  test::TempDirectory directory;
  std::unique_ptr<audit::Disk> disk = audit::real_disk();
  Metrics metrics;
  Worker worker{1, system_clock()};
  WorkerPool pool{2, 64};
  std::unique_ptr<store::Store> store;
  std::unique_ptr<audit::Journal> journal;
  std::unique_ptr<audit::Publisher> publisher;
  Snapshot<nodes::NodeTable> nodes{nullptr};
  PeerLogKeys keys;
  wire::NoteSigner cosigner = signer("b.example/fedgate/witness", wire::NoteAlgorithm::cosignature_v1, 9);
  std::unique_ptr<AuditAlarms> alarms;
  std::unique_ptr<Witness> witness;
  Log log{*disk, directory.path("tree")};
  Log fork{*disk, directory.path("fork"), 1};
  NodeId a = node("a.example"), b = node("b.example");

  void SetUp() override {
    worker.start({});
    audit::JournalOptions with;
    with.directory = directory.path("journal");
    with.log_name = log_of_b;
    journal = audit::Journal::open(*disk, with, system_clock(), system_entropy(), log::silent(), metrics).value();
    audit::PublisherOptions options;
    options.signing_key_file = directory.path("signer/audit.key");
    options.journal_directory = with.directory;
    options.every = 1h;
    ASSERT_TRUE(audit::ensure_signing_key(options.signing_key_file, system_entropy()));
    publisher =
        audit::Publisher::start(*journal, options, system_clock(), system_entropy(), log::silent(), metrics).value();
    keys.publish({{a,
                   {.bundle = {},
                    .logs = {signer(log_of_a, wire::NoteAlgorithm::ed25519, 1).vkey(),
                             signer(log_of_a, wire::NoteAlgorithm::ed25519, 7).vkey()},
                    .witness = std::nullopt}}});
    begin("state.db");
  }
  void TearDown() override {
    witness.reset();
    worker.finish();
    publisher->stop(0ms);
    publisher.reset();
    journal->close();
  }
  AuditSurroundings around() {
    return {.own_id = b,
            .journal = *journal,
            .publisher = *publisher,
            .store = *store,
            .pool = pool,
            .nodes = nodes,
            .keys = keys,
            .witness = cosigner,
            .alarms = *alarms,
            .clock = system_clock(),
            .log = log::silent(),
            .metrics = metrics};
  }
  /// With this database, as after a start.
  void begin(const std::string& database) {
    witness.reset();
    store = store::open({.url = "sqlite:" + directory.path(database)}).value();
    alarms = std::make_unique<AuditAlarms>(*store, *journal, b, system_clock(), log::silent(), metrics);
    ASSERT_TRUE(alarms->look());
    witness = std::make_unique<Witness>(around());
  }
  Result<Witness::Answer> ask(const std::string& body, const std::string& who = "a.example") {
    Result<Witness::Answer> answer;
    worker.run_and_wait([&]() -> Task<> { answer = co_await witness->add_checkpoint(node(who), body); });
    return answer;
  }
  std::uint16_t status(const std::string& body, const std::string& who = "a.example") {
    const auto answer = ask(body, who);
    return answer ? answer->status : answer.error().info().http_status;
  }
  /// In B's trail.
  std::vector<std::string> violations() {
    std::vector<std::string> found;
    for (auto& leaf : journal->read(0, 1000, 1 << 20).value_or(std::vector<std::string>()))
      if (leaf.contains("security_violation")) found.push_back(leaf);
    return found;
  }
};

TEST_F(WitnessTest, CosignsWhatContinues) {
  const auto first = ask(log.body(0, 5));
  ASSERT_TRUE(first);
  ASSERT_EQ(first->status, 200) << first->body;
  const auto note = wire::parse_note(log.at(5).note + first->body);
  ASSERT_TRUE(note);
  const auto signature = wire::signed_by(*note, cosigner.vkey());
  ASSERT_TRUE(signature);
  ASSERT_TRUE(signature->time);
  EXPECT_LT(system_clock().wall() - *signature->time, 60s);
  EXPECT_EQ(status(log.body(5, 5)), 200) << "the same again";
  EXPECT_EQ(status(log.body(5, 12)), 200);
  begin("state.db");
  const auto behind = ask(log.body(5, 20));
  EXPECT_EQ(behind->status, 409) << "over a restart";
  EXPECT_EQ(behind->content_type, "text/x.tlog.size");
  EXPECT_EQ(behind->body, "12\n");
  EXPECT_EQ(status(log.body(12, 64)), 200);
  const auto kept = store::AuditLogRecords(*store).checkpoint(log_of_a, 12).value();
  ASSERT_TRUE(kept) << "every cosigned checkpoint is kept";
  EXPECT_THAT(kept->checkpoint.note, HasSubstr("b.example/fedgate/witness"));
  EXPECT_EQ(alarms->open(), 0U);
}

TEST_F(WitnessTest, RefusesAsTheSpecificationSays) {
  EXPECT_EQ(status("rubbish"), 400);
  ASSERT_EQ(status(log.body(0, 20)), 200);
  EXPECT_EQ(status(log.body(21, 20)), 400) << "the old size is the larger";
  EXPECT_EQ(status(log.body(0, 30)), 409);
  auto bad = wire::AddCheckpoint{20, {sha256("no proof")}, log.at(30)};
  EXPECT_EQ(status(wire::add_checkpoint_body(bad)), 422);
  EXPECT_EQ(status(log.body(20, 30), "c.example"), 404) << "not its log";
  auto other = log.at(30);
  other.note.replace(other.note.find("/a/1"), 4, "/b/1");
  EXPECT_EQ(status(wire::add_checkpoint_body({20, {}, other})), 404);
  EXPECT_EQ(status(wire::add_checkpoint_body({20, {}, log.at(30, 2)})), 403) << "another key";
  EXPECT_EQ(status(wire::add_checkpoint_body({20, {}, log.at(30, 7)})), 403) << "the key before the present one";
  auto with_proof = wire::AddCheckpoint{0, {sha256("x")}, log.at(30)};
  EXPECT_EQ(status(wire::add_checkpoint_body(with_proof)), 400);
  EXPECT_EQ(store::AuditLogRecords(*store).witnessed(log_of_a).value()->checkpoint.head.size, 20U);
}

TEST_F(WitnessTest, AForkIsRefusedWithEvidenceOnce) {
  ASSERT_EQ(status(log.body(0, 20)), 200);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(status(fork.body(20, 20)), 409);
  EXPECT_EQ(status(fork.body(20, 40)), 422);
  EXPECT_EQ(status(fork.body(0, 15)), 409);
  const auto kept = alarms->list().value();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].kind, "fork");
  EXPECT_EQ(kept[0].node, "a.example");
  EXPECT_THAT(kept[0].evidence, HasSubstr(wire::checkpoint_text(log_of_a, log.at(20).head)));
  EXPECT_THAT(kept[0].evidence, HasSubstr(fork.at(20).note));
  ASSERT_EQ(violations().size(), 1U);
  EXPECT_THAT(violations()[0], HasSubstr(log_of_a));
  begin("state.db");
  EXPECT_EQ(alarms->open(), 1U) << "over a restart";
  EXPECT_EQ(status(fork.body(20, 20)), 409);
  EXPECT_EQ(violations().size(), 1U);
  EXPECT_EQ(status(log.body(20, 40)), 200) << "the log itself goes on";
  EXPECT_THAT(metrics.text(), HasSubstr("federation_audit_alarms{kind=\"fork\"} 1"));
  EXPECT_TRUE(alarms->settle({AlarmKind::fork, a, log_of_a}, "uid:0").value());
  EXPECT_EQ(alarms->open(), 0U);
}

TEST_F(WitnessTest, AHeadBesideAnEarlierOneIsAFork) {
  ASSERT_EQ(status(log.body(0, 15)), 200);
  ASSERT_EQ(status(log.body(15, 40)), 200);
  EXPECT_EQ(status(fork.body(0, 15)), 409);
  EXPECT_EQ(alarms->open(), 1U);
}

TEST_F(WitnessTest, OurOwnCosignatureAboveWhatWeRememberIsAnAlarm) {
  const auto first = ask(log.body(0, 20));
  ASSERT_EQ(first->status, 200);
  begin("restored.db");
  auto shown = log.at(20);
  shown.note += first->body;
  const auto again = ask(wire::add_checkpoint_body({0, {}, shown}));
  EXPECT_EQ(again->status, 200) << "what is lost is taken up again";
  const auto kept = alarms->list().value();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].kind, "lost_state");
  EXPECT_EQ(kept[0].node, "b.example");
  EXPECT_EQ(violations().size(), 1U);
}

TEST_F(WitnessTest, TwoAtATimeGetOneCosignature) {
  ASSERT_EQ(status(log.body(0, 5)), 200);
  Worker other(2, system_clock());
  other.start({});
  const auto beside = store::open({.url = "sqlite:" + directory.path("state.db")}).value();
  auto parts = around();
  Witness replica({.own_id = parts.own_id,
                   .journal = parts.journal,
                   .publisher = parts.publisher,
                   .store = *beside,
                   .pool = parts.pool,
                   .nodes = parts.nodes,
                   .keys = parts.keys,
                   .witness = parts.witness,
                   .alarms = parts.alarms,
                   .clock = parts.clock,
                   .log = parts.log,
                   .metrics = parts.metrics});
  for (std::uint64_t size = 5; size < 25; ++size) {
    std::atomic<int> good{0}, conflicts{0};
    const auto judge = [&](Worker& on, Witness& by, const std::string& body) {
      on.run_and_wait([&]() -> Task<> {
        const auto answer = co_await by.add_checkpoint(a, body);
        if (answer && answer->status == 200) ++good;
        if (answer && answer->status == 409) ++conflicts;
      });
    };
    std::thread thread([&] { judge(other, replica, log.body(size, size + 20)); });
    judge(worker, *witness, log.body(size, size + 1));
    thread.join();
    EXPECT_EQ(good.load(), 1);
    EXPECT_EQ(conflicts.load(), 1);
    const auto now = store::AuditLogRecords(*store).witnessed(log_of_a).value()->checkpoint.head.size;
    if (now == size + 20) break;  // its turns are over: from here on it is another case
  }
  other.finish();
  EXPECT_EQ(alarms->open(), 0U);
}

TEST_F(WitnessTest, AHostilePeerIsBounded) {
  unsigned refused = 0;
  for (unsigned i = 0; i < Witness::checkpoints_a_minute + 5; ++i)
    if (status("rubbish") == 429) ++refused;
  EXPECT_EQ(refused, 5U);
  EXPECT_EQ(status("rubbish", "c.example"), 400) << "others are served";
}

TEST_F(WitnessTest, ShowsItsOwnLogAndTheAskersAndNoOther) {
  const auto shown = [&](const std::string& who, const std::string& which) {
    Result<std::string> answer;
    worker.run_and_wait([&]() -> Task<> { answer = co_await witness->checkpoint(node(who), which); });
    return answer;
  };
  EXPECT_EQ(shown("a.example", log_of_a).error().code, Code::not_found);
  ASSERT_EQ(status(log.body(0, 20)), 200);
  EXPECT_THAT(shown("a.example", log_of_a).value(), HasSubstr("b.example/fedgate/witness"));
  EXPECT_EQ(shown("c.example", log_of_a).error().code, Code::not_found);
  EXPECT_EQ(shown("a.example", "b.example/fedgate/log/other/1").error().code, Code::not_found);

  for (int i = 0; i < 9; ++i) ASSERT_TRUE(journal->append_within({}, 5s));
  const auto newest = publisher->reach(9, 5s);
  ASSERT_TRUE(newest) << newest.error().detail;
  EXPECT_EQ(shown("a.example", "").value(), (*newest)->note);
  EXPECT_EQ(shown("a.example", log_of_b).value(), (*newest)->note);
  const auto proof = [&](const std::string& query) {
    Result<std::string> answer;
    worker.run_and_wait([&]() -> Task<> { answer = co_await witness->proof(a, query); });
    return answer;
  };
  const std::vector<std::uint64_t> indexes{2, 3, 7};
  const auto size = (*newest)->head.size;
  const auto text = proof(wire::proof_query({.log = log_of_b, .size = size, .indexes = indexes, .from = 4}));
  ASSERT_TRUE(text) << text.error().detail;
  const auto answer = wire::parse_proof_answer(*text, 3);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(audit::proves_batch(answer->batch, indexes, (*newest)->head));
  EXPECT_TRUE(audit::proves_consistency(journal->tree().head_at(4).value(), (*newest)->head, answer->consistency));
  EXPECT_EQ(proof(wire::proof_query({.log = log_of_b, .size = size + 1})).error().code, Code::bad_request);
  EXPECT_EQ(proof(wire::proof_query({.log = log_of_a, .size = 3})).error().code, Code::not_found);
  EXPECT_EQ(proof("nonsense").error().code, Code::bad_request);
}

TEST_F(WitnessTest, AReceiptIsProvenByWhatIsSigned) {
  AuditEvent event;
  event.type = EventType::capability_invocation;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(journal->append_within(event, 5s));
  Receipts receipts(around());
  const auto receipt = receipts.at(log_of_b, 3);
  ASSERT_TRUE(receipt) << receipt.error().detail;
  ASSERT_TRUE(receipt->standing) << receipt->why_not;
  EXPECT_TRUE(
      audit::proves_inclusion(receipt->leaf_hash, 3, receipt->standing->checkpoint.head, receipt->standing->path));
  const auto note = wire::parse_note(receipt->standing->checkpoint.note);
  EXPECT_TRUE(wire::signed_by(note.value(), publisher->keys().front()));
  EXPECT_FALSE(receipt->counterparty);
  EXPECT_EQ(receipts.at(log_of_b, 99).error().code, Code::not_found);
}

}  // namespace
}  // namespace fedgate::federation
