// SPDX-License-Identifier: Apache-2.0
#include "verify/note.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "support/log_writer.h"

namespace fedgate::verify {
namespace {

// The test key of golang.org/x/mod/sumdb/note, and the example of C2SP signed-note: what their authors publish.
constexpr std::string_view go_key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr std::string_view example_key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

SignedHead unparsed(std::string text, std::string_view line) {
  // judge() needs no checkpoint: the published notes over other texts exercise it too.
  auto head = read_head("o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n" + std::string(line));
  EXPECT_TRUE(head) << (head ? "" : head.error().detail);
  head->text = std::move(text);
  return *head;
}

// A checkpoint of a log on the public internet, with its own signature and those of its witnesses.
constexpr std::string_view live_text =
    "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n";
constexpr std::string_view live_signatures =
    "\n\xE2\x80\x94 arche2025h1.staging.ct.transparency.dev "
    "zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt"
    "0=\n"
    "\xE2\x80\x94 arche2025h1.staging.ct.transparency.dev "
    "ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "\xE2\x80\x94 remora.n621.de "
    "2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n"
    "\xE2\x80\x94 witness1.smartit.nu/witness1 "
    "pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==\n";
constexpr std::string_view live_log_key =
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
constexpr std::string_view live_witness_key = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
constexpr std::string_view live_second_witness =
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO";

TEST(Key, PublishedKeysAreReadAndTheirHashesChecked) {
  for (const auto text : {go_key, example_key, live_log_key, live_witness_key, live_second_witness,
                          std::string_view("EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"),
                          std::string_view("TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6")}) {
    const auto key = read_key(text);
    ASSERT_TRUE(key) << key.error().detail;
    EXPECT_EQ(key->text, text);
  }
  EXPECT_EQ(read_key(live_log_key)->role, KeyRole::log);
  EXPECT_EQ(read_key(live_witness_key)->role, KeyRole::witness);
}

TEST(Key, WhatIsNotExactlyOneIsRefused) {
  for (const std::string_view text :
       {"bananas.sigstore.dev+12344556", "rekor.sigstore.dev+12345678+THIS_IS_NOT_BASE64!",
        "rekor.sigstore.dev+12345678+AwEB", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumanm+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "", "++",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWAA=="})
    EXPECT_FALSE(read_key(text)) << text;
}

TEST(Key, FilesHoldOneALine) {
  const auto keys = read_keys("# the log\r\n" + std::string(live_log_key) + "\r\n\n" + std::string(live_witness_key) +
                              "\n" + std::string(live_log_key) + "\n");
  ASSERT_TRUE(keys) << keys.error().detail;
  EXPECT_EQ(keys->size(), 2U);
  const auto bad = read_keys(std::string(live_log_key) + "\nnonsense\n");
  ASSERT_FALSE(bad);
  EXPECT_TRUE(bad.error().detail.contains("line 2")) << bad.error().detail;
}

TEST(Judge, PublishedNotes) {
  const auto go =
      unparsed("If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
               "\xE2\x80\x94 PeterNeumann "
               "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n");
  EXPECT_EQ(judge(go, *read_key(go_key)).state, SignatureState::valid);
  const auto example =
      unparsed("This is an example message.\n",
               "\xE2\x80\x94 example.com/foo "
               "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n");
  EXPECT_EQ(judge(example, *read_key(example_key)).state, SignatureState::valid);
  EXPECT_EQ(judge(example, *read_key(go_key)).state, SignatureState::absent);
  auto changed = example;
  changed.text = "This is an example message!\n";
  EXPECT_EQ(judge(changed, *read_key(example_key)).state, SignatureState::invalid);
}

TEST(Judge, APublicLogsCheckpointWithItsWitnesses) {
  const auto head = read_head(std::string(live_text) + std::string(live_signatures));
  ASSERT_TRUE(head) << head.error().detail;
  EXPECT_EQ(head->origin, "arche2025h1.staging.ct.transparency.dev");
  EXPECT_EQ(head->head.size, 1432088532U);
  EXPECT_EQ(head->signatures.size(), 4U) << "one of a type that is not known here";
  EXPECT_EQ(judge(*head, *read_key(live_log_key)).state, SignatureState::valid);
  for (const auto witness : {live_witness_key, live_second_witness}) {
    const auto judged = judge(*head, *read_key(witness));
    EXPECT_EQ(judged.state, SignatureState::valid);
    ASSERT_TRUE(judged.time);
    EXPECT_EQ(judged.time->time_since_epoch(), std::chrono::seconds(0x6A122120));
  }
  auto smaller = *head;
  smaller.text.replace(smaller.text.find("1432088532"), 10, "42");
  EXPECT_EQ(judge(smaller, *read_key(live_log_key)).state, SignatureState::invalid);
  EXPECT_EQ(judge(smaller, *read_key(live_witness_key)).state, SignatureState::invalid);
}

TEST(Judge, OneWrongSignatureOfAKeySpoilsTheRightOne) {
  test::LogWriter log("orga.example/fedgate/log/a/1");
  const test::NoteKey key(log.name(), test::NoteKey::Type::log, 'k');
  const auto other = test::LogWriter(log.name()).text(0);
  const auto note = log.text(0) + "\n" + key.line(log.text(0)) + key.line(other + "x");
  const auto head = read_head(note);
  ASSERT_TRUE(head) << head.error().detail;
  EXPECT_EQ(judge(*head, *read_key(key.vkey())).state, SignatureState::invalid);
}

TEST(Judge, ALogsSignatureIsNoCosignature) {
  test::LogWriter log("orga.example/fedgate/log/a/1");
  log.add_reads(3);
  // The same seed under both types: the cosignature's prefix and time keep them apart.
  const test::NoteKey as_log("w", test::NoteKey::Type::log, 'w');
  const test::NoteKey as_witness("w", test::NoteKey::Type::witness, 'w');
  const auto head = read_head(log.text(3) + "\n" + as_log.line(log.text(3)));
  ASSERT_TRUE(head);
  EXPECT_EQ(judge(*head, *read_key(as_log.vkey())).state, SignatureState::valid);
  EXPECT_EQ(judge(*head, *read_key(as_witness.vkey())).state, SignatureState::absent);
}

TEST(ReadHead, OnlyTheExactForm) {
  test::LogWriter log("orga.example/fedgate/log/a/1");
  log.add_reads(5);
  const test::NoteKey key(log.name(), test::NoteKey::Type::log, 'k');
  const auto good = log.note(5, key);
  ASSERT_TRUE(read_head(good));
  const auto with = [&](std::string_view from, std::string_view to) {
    auto text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  for (const auto& bad :
       {std::string(), std::string("\n"), with("\n5\n", "\n05\n"), with("\n5\n", "\n+5\n"), with("\n5\n", "\n\n"),
        with("\n5\n", "\n99999999999999999999999\n"), with("=\n\n", "\n\n"), with("\xE2\x80\x94", "--"),
        with("\n\n", "\n"), with("orga", "or\tga"), with("orga", "or\xFFga"), good.substr(0, good.size() - 1),
        with("\n\n", "\nextension\n\n\n"), std::string(70'000, 'x') + good})
    EXPECT_FALSE(read_head(bad)) << bad.substr(0, 200);
  EXPECT_TRUE(read_head(with("\n\n", "\nextension\n\n")));
  std::string many = log.text(5) + "\n";
  for (std::size_t i = 0; i <= signatures_at_most; ++i) many += key.line(log.text(5));
  EXPECT_FALSE(read_head(many));
}

TEST(ReadHeads, OneNoteAfterTheOther) {
  test::LogWriter log("orga.example/fedgate/log/a/1");
  log.add_reads(5);
  const test::NoteKey key(log.name(), test::NoteKey::Type::log, 'k');
  for (const std::string_view between : {"", "\n", "\n\n"}) {
    const auto heads = read_heads(log.note(2, key) + std::string(between) + log.note(5, key) + std::string(between));
    ASSERT_TRUE(heads) << heads.error().detail;
    ASSERT_EQ(heads->size(), 2U);
    EXPECT_EQ((*heads)[0].head.size, 2U);
    EXPECT_EQ((*heads)[1].head.size, 5U);
    EXPECT_EQ(judge((*heads)[1], *read_key(key.vkey())).state, SignatureState::valid);
  }
  EXPECT_FALSE(read_heads(""));
  EXPECT_FALSE(read_heads(log.note(2, key) + "rest\n"));
}

}  // namespace
}  // namespace fedgate::verify
