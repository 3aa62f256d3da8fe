// SPDX-License-Identifier: Apache-2.0
#include "audit/generation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "audit/durable_file.h"
#include "audit/signing_key.h"
#include "support/fake_entropy.h"
#include "support/temp_directory.h"

namespace fedgate::audit {
namespace {

using ::testing::HasSubstr;

std::string signed_checkpoint() {
  std::array<std::uint8_t, 32> seed{};
  const wire::NoteSigner signer("orga.example/fedgate/log/a/1", wire::NoteAlgorithm::ed25519, seed);
  const auto text = wire::checkpoint_text("orga.example/fedgate/log/a/1", {7, Sha256{9}});
  return text + "\n" + signer.sign(text);
}

TEST(Generation, TheFirstNeedsNoFile) {
  const test::TempDirectory directory;
  const auto read = read_generation(directory.path());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->number, 1U);
  EXPECT_FALSE(read->wanted);
  EXPECT_EQ(directory_of_generation("/journal", 1), "/journal");
  EXPECT_EQ(directory_of_generation("/journal", 3), "/journal/generation-3");
}

TEST(Generation, WhatIsWrittenIsRead) {
  const test::TempDirectory directory;
  Generation generation{3, "olga", "a \"reason\"\n", signed_checkpoint(), 12, Generation::Wanted{"otto", "again"}};
  ASSERT_TRUE(write_generation(directory.path(), generation));
  EXPECT_EQ(read_generation(directory.path()).value(), generation);
  generation.wanted.reset();
  ASSERT_TRUE(write_generation(directory.path(), generation));
  EXPECT_EQ(read_generation(directory.path()).value(), generation);
}

TEST(Generation, ADamagedFileIsNotTheFirst) {
  const test::TempDirectory directory;
  for (const char* text : {"", "{}", "[1]", R"({"v":1,"generation":0,"who":"","reason":"","last":"","unshipped":0})",
                           R"({"v":1,"generation":2,"who":"","reason":"","last":"","unshipped":0,"wanted":3})"}) {
    std::ofstream(directory.path("generation")) << text;
    const auto read = read_generation(directory.path());
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().detail, HasSubstr("generation"));
  }
}

TEST(Generation, TheFirstLeafHoldsTheLastCheckpoint) {
  const Generation generation{2, "olga", "restored", signed_checkpoint(), 0, {}};
  const auto leaf = first_leaf(generation, WallTime{});
  ASSERT_TRUE(leaf);
  EXPECT_EQ(leaf->principal, "olga");
  EXPECT_EQ(leaf->action, "audit_new_log");
  EXPECT_EQ(leaf->reason, "restored");
  ASSERT_TRUE(leaf->counterparty);
  EXPECT_EQ(leaf->counterparty->log, "orga.example/fedgate/log/a/1");
  EXPECT_EQ(leaf->counterparty->index, 7U);
  EXPECT_EQ(leaf->counterparty->hash, Sha256{9});
  EXPECT_FALSE(first_leaf({2, "olga", "restored", "not a note", 0, {}}, WallTime{}));
  EXPECT_FALSE(first_leaf({2, "olga", "restored", "", 0, {}}, WallTime{})->counterparty);
}

TEST(SigningKey, IsMadeOnceForItsOwnerAlone) {
  const test::TempDirectory directory;
  const test::FakeEntropy entropy;
  const auto path = directory.path("signer/audit.key");
  EXPECT_EQ(read_signer(path, "n", wire::NoteAlgorithm::ed25519).error().code, Code::not_found);
  EXPECT_EQ(ensure_signing_key(path, entropy).value(), KeyFound::made);
  EXPECT_EQ(ensure_signing_key(path, entropy).value(), KeyFound::there);
  struct stat facts{};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat(directory.path("signer").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700U);
  const auto one = read_signer(path, "n", wire::NoteAlgorithm::ed25519);
  const auto two = read_signer(path, "n", wire::NoteAlgorithm::ed25519);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->vkey(), two->vkey());
}

TEST(SigningKey, WhatIsNotOneIsRefused) {
  const test::TempDirectory directory;
  const auto path = directory.path("key");
  for (const char* text :
       {"", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        // An X25519 key.
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIDgaBhpuWZdHRHmmpj3DWWOmGW14FymVrzVZCV1TdmFK\n-----END "
        "PRIVATE "
        "KEY-----\n"}) {
    std::ofstream(path) << text;
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    const auto read = read_signer(path, "n", wire::NoteAlgorithm::ed25519);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Code::invalid_configuration);
    EXPECT_THAT(read.error().detail, HasSubstr("openssl genpkey"));
  }
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_TRUE(read_secret_file(path));  // a group may read, as with other keys
  ASSERT_EQ(::chmod(path.c_str(), 0604), 0);
  EXPECT_THAT(read_secret_file(path).error().detail, HasSubstr("chmod 600"));
}

TEST(DurableFile, ReplacesWholeAndMakesOnce) {
  const test::TempDirectory directory;
  const auto path = directory.path("file");
  EXPECT_EQ(read_small_file(path).value(), std::nullopt);
  ASSERT_TRUE(replace_file(path, "one"));
  ASSERT_TRUE(replace_file(path, "two"));
  EXPECT_EQ(read_small_file(path).value(), "two");
  EXPECT_EQ(create_file(path, "three").error().code, Code::conflict);
  EXPECT_EQ(read_small_file(path).value(), "two");
  EXPECT_EQ(read_small_file(path + ".new").value(), std::nullopt);
  EXPECT_FALSE(replace_file(directory.path("none/file"), "x"));
  EXPECT_FALSE(read_small_file(directory.path()));
  EXPECT_EQ(directory_of("file"), ".");
  EXPECT_EQ(directory_of("/file"), "/");
  EXPECT_EQ(directory_of("/a/file"), "/a");
}

}  // namespace
}  // namespace fedgate::audit
