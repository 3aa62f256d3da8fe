// SPDX-License-Identifier: Apache-2.0
//
// Checkpoints of a real journal in a real directory: made, kept over restarts, refused where the journal is another.
#include "audit/publisher.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "audit/signer_state.h"
#include "audit/signing_key.h"
#include "audit_fixture.h"

namespace fedgate::audit {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

struct PublisherTest : testing::Test {
  test::TempDirectory directory;
  std::unique_ptr<Disk> disk = real_disk();
  Metrics metrics;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<Publisher> publisher;
  PublisherOptions options;
  std::string log = some_log;

  PublisherTest() {
    options.signing_key_file = directory.path("signer/audit.key");
    options.journal_directory = directory.path("journal");
    options.every = 1h;  // nothing by itself, unless a test wants it
  }

  void open_journal() {
    JournalOptions with;
    with.directory = options.journal_directory;
    with.log_name = log;
    auto opened = Journal::open(*disk, with, system_clock(), system_entropy(), log::silent(), metrics);
    ASSERT_TRUE(opened) << opened.error().detail;
    journal = std::move(*opened);
  }
  void start() {
    if (!journal) open_journal();
    ASSERT_TRUE(ensure_signing_key(options.signing_key_file, system_entropy()));
    auto started = Publisher::start(*journal, options, system_clock(), system_entropy(), log::silent(), metrics);
    ASSERT_TRUE(started) << started.error().detail;
    publisher = std::move(*started);
  }
  void end() {
    publisher.reset();
    if (journal) journal->close();
    journal.reset();
  }
  void append(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) ASSERT_TRUE(append_and_wait(*journal, event_number(number_++)));
  }
  std::shared_ptr<const Checkpoint> reach(std::uint64_t size) {
    auto made = publisher->reach(size, patience);
    EXPECT_TRUE(made) << made.error().detail;
    return made ? *made : nullptr;
  }
  std::string state_file() const { return directory.path("signer/signer.state"); }
  SignerState state_on_disk() const {
    std::ifstream in(state_file());
    const std::string text(std::istreambuf_iterator<char>(in), {});
    auto state = signer_state_from(text);
    EXPECT_TRUE(state) << state.error().detail;
    return state.value_or(SignerState{});
  }
  void copy(const std::string& from, const std::string& to) {
    fs::remove_all(directory.path(to));
    fs::copy(directory.path(from), directory.path(to), fs::copy_options::recursive);
  }
  std::size_t violations() {
    std::size_t found = 0;
    for (std::uint64_t at = 0;;) {
      const auto leaves = journal->read(at, 1000, 1 << 20);
      if (!leaves || leaves->empty()) return found;
      for (const auto& leaf : *leaves) found += leaf.contains("audit_signing_stopped") ? 1 : 0;
      at += leaves->size();
    }
  }
  std::uint64_t number_ = 1;
};

TEST_F(PublisherTest, ACheckpointBearsOurSignatureOverTheJournalsRoot) {
  start();
  EXPECT_EQ(publisher->latest(), nullptr);
  append(3);
  const auto made = reach(3);
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->origin, some_log);
  EXPECT_EQ(made->head, journal->tree().head_at(3).value());
  ASSERT_EQ(publisher->keys().size(), 1U);
  EXPECT_EQ(publisher->keys().front().name, some_log);
  EXPECT_TRUE(wire::signed_by(wire::parse_note(made->note).value(), publisher->keys().front()));
  EXPECT_EQ(wire::parse_checkpoint(made->note).value(), *made);
  EXPECT_EQ(publisher->latest(), made);
  EXPECT_TRUE(publisher->latest_at().has_value());
}

TEST_F(PublisherTest, TheStateIsOnTheDiskBeforeAnybodySeesTheSignature) {
  start();
  SignerState seen;
  publisher->on_publish([&](const std::shared_ptr<const Checkpoint>&) { seen = state_on_disk(); });
  append(2);
  const auto made = reach(2);
  ASSERT_TRUE(seen.last.has_value());
  EXPECT_EQ(*seen.last, *made);
  struct stat facts{};
  ASSERT_EQ(::stat(state_file().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat(options.signing_key_file.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_F(PublisherTest, NoSignatureLeavesWhereTheStateCannotBeStored) {
  start();
  append(1);
  const auto first = reach(1);
  fs::create_directory(state_file() + ".new");  // the file beside it cannot be written
  append(1);
  EXPECT_FALSE(publisher->reach(2, 1s));
  EXPECT_EQ(publisher->latest(), first);
  EXPECT_THAT(publisher->problem(), HasSubstr("signer.state"));
  EXPECT_EQ(publisher->stopped(), "");
  fs::remove(state_file() + ".new");
  EXPECT_EQ(reach(2)->head.size, 2U);
  EXPECT_EQ(publisher->problem(), "");
}

TEST_F(PublisherTest, NothingIsSignedWhereNothingChanged) {
  options.every = 5ms;
  options.spacing = 5ms;
  start();
  std::atomic<int> heard = 0;
  publisher->on_publish([&](const std::shared_ptr<const Checkpoint>&) { ++heard; });
  append(1);
  ASSERT_TRUE(eventually([&] { return heard == 1; }));
  const auto first = publisher->latest();
  (void)reach(1);
  (void)reach(0);
  EXPECT_EQ(heard, 1);
  EXPECT_EQ(publisher->latest(), first);
  append(1);
  EXPECT_TRUE(eventually([&] { return heard == 2; }));
}

TEST_F(PublisherTest, ManyRecordsDoNotWaitForTheClock) {
  options.records = 5;
  options.spacing = 5ms;
  start();
  append(4);
  EXPECT_EQ(publisher->latest(), nullptr);
  append(1);
  EXPECT_TRUE(eventually([&] { return publisher->latest() != nullptr && publisher->latest()->head.size == 5; }));
}

TEST_F(PublisherTest, ARestartGoesOnWithTheLastOne) {
  start();
  append(4);
  const auto before = reach(4);
  const auto keys = publisher->keys();
  end();
  start();
  EXPECT_EQ(publisher->stopped(), "");
  EXPECT_EQ(publisher->keys(), keys);
  ASSERT_NE(publisher->latest(), nullptr);
  EXPECT_EQ(*publisher->latest(), *before);
  append(1);
  EXPECT_EQ(reach(5)->head.size, 5U);
}

TEST_F(PublisherTest, AnOlderCopyOfTheJournalIsNotSignedAndCallsGoOn) {
  start();
  append(2);
  (void)reach(2);
  end();
  copy("journal", "copy");
  start();
  append(3);
  (void)reach(5);
  end();
  copy("copy", "journal");
  start();
  EXPECT_THAT(publisher->stopped(), HasSubstr("size 5"));
  EXPECT_THAT(publisher->stopped(), HasSubstr("new-log"));
  append(10);
  EXPECT_EQ(publisher->reach(10, patience).error().code, Code::conflict);
  EXPECT_FALSE(publisher->rotate("olga", patience));
  ASSERT_NE(publisher->latest(), nullptr);
  EXPECT_EQ(publisher->latest()->head.size, 5U);  // what was said stays said
  EXPECT_EQ(metrics.audit_signing_stopped().Value(), 1);
  EXPECT_EQ(violations(), 1U);
  // Longer by now than what was signed, and another log all the same.
  end();
  start();
  EXPECT_THAT(publisher->stopped(), HasSubstr("its records are others"));
  end();
  start();
  EXPECT_NE(publisher->stopped(), "");
  EXPECT_EQ(violations(), 2U);  // one for each reason, not for each start
}

TEST_F(PublisherTest, WhatIsBroughtBackIsSignedAgain) {
  start();
  append(2);
  end();
  copy("journal", "copy");
  start();
  append(1);
  (void)reach(3);
  end();
  copy("journal", "newest");
  copy("copy", "journal");
  start();
  EXPECT_NE(publisher->stopped(), "");
  end();
  copy("newest", "journal");
  start();
  EXPECT_EQ(publisher->stopped(), "");
  append(1);
  EXPECT_EQ(reach(4)->head.size, 4U);
  EXPECT_EQ(metrics.audit_signing_stopped().Value(), 0);
}

TEST_F(PublisherTest, ALostStateIsNoticedAtEveryStart) {
  start();
  append(2);
  (void)reach(2);
  end();
  fs::remove(state_file());
  for (int attempt = 0; attempt < 2; ++attempt) {
    start();
    EXPECT_THAT(publisher->stopped(), HasSubstr("signer.state"));
    EXPECT_FALSE(fs::exists(state_file()));
    end();
  }
}

TEST_F(PublisherTest, ALogFromBeforeSigningIsSigned) {
  open_journal();
  append(5);
  start();
  EXPECT_EQ(publisher->stopped(), "");
  EXPECT_EQ(reach(5)->head.size, 5U);
}

TEST_F(PublisherTest, AnotherKeyIsNotUsed) {
  start();
  append(1);
  (void)reach(1);
  end();
  fs::remove(options.signing_key_file);
  start();
  EXPECT_THAT(publisher->stopped(), HasSubstr("is not the one that has signed"));
}

TEST_F(PublisherTest, TwoReplicasDoNotShareADirectory) {
  start();
  append(1);
  (void)reach(1);
  end();
  const auto before = state_on_disk();
  log = "orga.example/fedgate/log/b/1";
  options.journal_directory = directory.path("journal-b");
  start();
  EXPECT_THAT(publisher->stopped(), HasSubstr("a directory of its own"));
  EXPECT_EQ(state_on_disk(), before);
}

TEST_F(PublisherTest, AKeyThatOthersCanReadIsRefused) {
  start();
  end();
  ASSERT_EQ(::chmod(options.signing_key_file.c_str(), 0644), 0);
  open_journal();
  const auto started = Publisher::start(*journal, options, system_clock(), system_entropy(), log::silent(), metrics);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().detail, HasSubstr("chmod 600"));
}

TEST_F(PublisherTest, OnlyOurOwnSignatureStopsUs) {
  start();
  append(3);
  (void)reach(3);
  auto signer = read_signer(options.signing_key_file, some_log, wire::NoteAlgorithm::ed25519);
  ASSERT_TRUE(signer);
  const TreeHead false_head{2, Sha256{1, 2, 3}};
  const auto text = wire::checkpoint_text(some_log, false_head);
  const auto shown = [&](const std::string& lines) { return wire::parse_checkpoint(text + "\n" + lines).value(); };
  std::array<std::uint8_t, 32> seed{};
  const wire::NoteSigner stranger(some_log, wire::NoteAlgorithm::ed25519, seed);
  EXPECT_TRUE(publisher->confront(shown(stranger.sign(text))));
  EXPECT_EQ(publisher->stopped(), "");
  EXPECT_TRUE(publisher->confront(*publisher->latest()));
  EXPECT_EQ(publisher->stopped(), "");
  const auto confronted = publisher->confront(shown(signer->sign(text)));
  ASSERT_FALSE(confronted);
  EXPECT_EQ(confronted.error().code, Code::conflict);
  EXPECT_THAT(publisher->stopped(), HasSubstr("size 2"));
  append(1);
  EXPECT_FALSE(publisher->reach(4, patience));
  EXPECT_EQ(violations(), 1U);
  end();
  start();  // the evidence is kept
  EXPECT_THAT(publisher->stopped(), HasSubstr("size 2"));
}

TEST_F(PublisherTest, ARotationNamesTheNextKeyInTheLastLeafAndBothSign) {
  start();
  append(2);
  (void)reach(2);
  const auto old = publisher->keys().front();
  const auto next = publisher->rotate("olga", patience);
  ASSERT_TRUE(next) << next.error().detail;
  EXPECT_NE(*next, old);
  EXPECT_THAT(publisher->keys(), testing::ElementsAre(*next, old));
  const auto handover = publisher->latest();
  const auto note = wire::parse_note(handover->note).value();
  EXPECT_TRUE(wire::signed_by(note, old));
  EXPECT_TRUE(wire::signed_by(note, *next));
  const auto leaf = journal->read(handover->head.size - 1, 1, 1 << 16).value().front();
  EXPECT_THAT(leaf, HasSubstr("audit_rotate_key"));
  EXPECT_THAT(leaf, HasSubstr(next->text().substr(next->text().find('+') + 1)));
  append(1);
  const auto after = wire::parse_note(reach(handover->head.size + 1)->note).value();
  EXPECT_TRUE(wire::signed_by(after, *next));
  EXPECT_FALSE(wire::signed_by(after, old));
  end();
  start();
  EXPECT_EQ(publisher->stopped(), "");
  EXPECT_THAT(publisher->keys(), testing::ElementsAre(*next, old));
  EXPECT_EQ(publisher->past().front(), *handover);
}

TEST_F(PublisherTest, ARotationThatIsInterruptedIsFinishedAtTheNextStart) {
  start();
  append(2);
  (void)reach(2);
  const auto old = publisher->keys().front();
  end();
  // Named, but nothing more: as a crash after the first two steps leaves it.
  const auto next_file = options.signing_key_file + ".next";
  ASSERT_TRUE(ensure_signing_key(next_file, system_entropy()));
  const auto next = read_signer(next_file, some_log, wire::NoteAlgorithm::ed25519)->vkey();
  auto state = state_on_disk();
  state.next_key = next;
  std::ofstream(state_file()) << text_of(state);
  start();
  EXPECT_EQ(publisher->stopped(), "");
  EXPECT_THAT(publisher->keys(), testing::ElementsAre(next, old));
  EXPECT_FALSE(fs::exists(next_file));
  end();
  // All but the last step: the file is not in its place.
  fs::rename(options.signing_key_file, next_file);
  ASSERT_TRUE(ensure_signing_key(options.signing_key_file, system_entropy()));
  start();
  EXPECT_EQ(publisher->stopped(), "");
  EXPECT_EQ(publisher->keys().front(), next);
  EXPECT_FALSE(fs::exists(next_file));
}

TEST_F(PublisherTest, ANewGenerationBeginsAndRemembersTheLast) {
  start();
  append(3);
  const auto last = reach(3);
  const auto old = publisher->keys().front();
  end();
  copy("journal", "older");
  log = "orga.example/fedgate/log/a/2";
  options.journal_directory = directory.path("journal-2");
  start();
  EXPECT_EQ(publisher->stopped(), "");
  EXPECT_EQ(publisher->latest(), nullptr);
  append(1);
  EXPECT_EQ(reach(1)->origin, log);
  ASSERT_EQ(publisher->keys().size(), 2U);
  EXPECT_EQ(publisher->keys()[0].name, log);
  EXPECT_EQ(publisher->keys()[1], old);
  EXPECT_EQ(publisher->past().front(), *last);
  EXPECT_TRUE(publisher->confront(*last));
  end();
  // A journal from before it is an older copy.
  log = some_log;
  options.journal_directory = directory.path("older");
  start();
  EXPECT_THAT(publisher->stopped(), HasSubstr("generation 2"));
}

TEST(SignerStateText, IsReadBackAndHostileTextIsRefused) {
  EXPECT_FALSE(signer_state_from(""));
  EXPECT_FALSE(signer_state_from("[]"));
  EXPECT_FALSE(signer_state_from("{}"));
  EXPECT_FALSE(signer_state_from(R"({"v":2})"));
  std::array<std::uint8_t, 32> seed{};
  const wire::NoteSigner signer(some_log, wire::NoteAlgorithm::ed25519, seed);
  SignerState state;
  state.log = some_log;
  state.key = signer.vkey();
  const auto text = wire::checkpoint_text(some_log, {7, Sha256{9}});
  state.last = wire::parse_checkpoint(text + "\n" + signer.sign(text)).value();
  state.at = WallTime(std::chrono::microseconds(1'795'442'400'123'456));
  state.past.push_back({signer.vkey(), state.last->note});
  state.evidence = state.last->note;
  state.reported = "why";
  EXPECT_EQ(signer_state_from(text_of(state)).value(), state);
  state.log = "orga.example/fedgate/log/a/2";
  EXPECT_FALSE(signer_state_from(text_of(state)));
}

TEST(LogGeneration, IsTheLastPartOfTheName) {
  EXPECT_EQ(generation_of("orga.example/fedgate/log/a/12")->number, 12U);
  EXPECT_EQ(generation_of("orga.example/fedgate/log/a/12")->replica, "orga.example/fedgate/log/a");
  for (const char* bad : {"", "a", "a/", "a/0", "a/x", "a/1x", "a/-1"}) EXPECT_FALSE(generation_of(bad)) << bad;
}

}  // namespace
}  // namespace fedgate::audit
