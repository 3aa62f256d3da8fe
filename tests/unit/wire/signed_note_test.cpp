// SPDX-License-Identifier: Apache-2.0
//
// Signed notes as others make them (the vectors of Go's sumdb/note and of C2SP's texts), and as nobody should.
#include "wire/signed_note.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/hash.h"

namespace fedgate::wire {
namespace {

using ::testing::HasSubstr;

constexpr const char* peter_vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr const char* peter_seed = "YEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";  // of his "skey", after the type
const std::string peter_text =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n";
const std::string peter_line =
    "\xE2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

std::array<std::uint8_t, 32> seed_of(std::string_view base64_with_type) {
  const auto bytes = *from_base64(base64_with_type);
  std::array<std::uint8_t, 32> seed{};
  std::copy(bytes.begin() + 1, bytes.end(), seed.begin());
  return seed;
}

NoteSigner peter() { return {"PeterNeumann", NoteAlgorithm::ed25519, seed_of(std::string("A") + peter_seed)}; }

NoteSigner witness(std::uint8_t fill = 7, std::string name = "orgb.example/fedgate/witness") {
  std::array<std::uint8_t, 32> seed{};
  seed.fill(fill);
  return {std::move(name), NoteAlgorithm::cosignature_v1, seed};
}

TEST(Vkey, IsReadAndWrittenAsGoDoes) {
  const auto key = parse_vkey(peter_vkey);
  ASSERT_TRUE(key) << key.error().detail;
  EXPECT_EQ(key->name, "PeterNeumann");
  EXPECT_EQ(key->algorithm, NoteAlgorithm::ed25519);
  EXPECT_EQ(key->id(), 0xC74F20A3U);
  EXPECT_EQ(key->text(), peter_vkey);
}

TEST(Vkey, NoPartAndNoManglingOfItIsOne) {
  const std::string text = peter_vkey;
  for (std::size_t from = 0; from <= text.size(); ++from)
    for (std::size_t to = from; to <= text.size(); ++to)
      if (from != 0 || to != text.size()) EXPECT_FALSE(parse_vkey(text.substr(from, to - from))) << from << ".." << to;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto mangled = text;
    ++mangled[i];
    EXPECT_FALSE(parse_vkey(mangled)) << mangled;
  }
}

TEST(Vkey, WithAHashThatFitsIsStillRefusedForItsLengthOrAlgorithm) {
  EXPECT_THAT(parse_vkey("PeterNeumann+26162e3b+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADK").error().detail,
              HasSubstr("32 bytes"));
  EXPECT_THAT(parse_vkey("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").error().detail,
              HasSubstr("algorithm"));
}

TEST(Vkey, NamesWithSpacesOfAnyKindAreRefused) {
  for (const char* name : {"a b", "a\tb", "a\nb",
                           "a\xC2\xA0"
                           "b",
                           "a\xE2\x80\x83"
                           "b",
                           "a\xE3\x80\x80"
                           "b",
                           "a\xFF", ""}) {
    VerifierKey key = parse_vkey(peter_vkey).value();
    key.name = name;
    EXPECT_FALSE(parse_vkey(key.text())) << name;
  }
}

TEST(Note, OfGosTestsIsAccepted) {
  const auto note = parse_note(peter_text + "\n" + peter_line);
  ASSERT_TRUE(note) << note.error().detail;
  EXPECT_EQ(note->text, peter_text);
  ASSERT_EQ(note->signatures.size(), 1U);
  EXPECT_EQ(note->signatures[0].name, "PeterNeumann");
  EXPECT_TRUE(signed_by(*note, *parse_vkey(peter_vkey)).has_value());
}

TEST(Note, IsSignedAsGoSignsIt) {
  const auto signer = peter();
  EXPECT_EQ(signer.vkey().text(), peter_vkey);
  EXPECT_EQ(signer.sign(peter_text), peter_line);
}

TEST(Note, OneBitMoreOrLessIsNotSigned) {
  auto note = *parse_note(peter_text + "\n" + peter_line);
  const auto key = *parse_vkey(peter_vkey);
  for (std::size_t i = 0; i < note.text.size(); ++i) {
    auto changed = note;
    changed.text[i] = static_cast<char>(changed.text[i] ^ 1);
    EXPECT_FALSE(signed_by(changed, key)) << i;
  }
  for (std::size_t i = 0; i < note.signatures[0].bytes.size(); ++i) {
    auto changed = note;
    changed.signatures[0].bytes[i] = static_cast<char>(changed.signatures[0].bytes[i] ^ 1);
    EXPECT_FALSE(signed_by(changed, key)) << i;
  }
  auto other = key;
  other.name = "PeterNeumanns";
  EXPECT_FALSE(signed_by(note, other));
}

TEST(Note, ThatIsMalformedIsRefused) {
  const std::string dash = "\xE2\x80\x94 ";
  const std::string good = peter_text + "\n" + peter_line;
  for (const std::string& bad : {std::string(),
                                 std::string("\n"),
                                 std::string("\n\n"),
                                 peter_text,
                                 peter_text + "\n",
                                 peter_text + peter_line,
                                 good.substr(0, good.size() - 1),
                                 good + "\n",
                                 good + "x",
                                 good + "\n" + peter_text,
                                 peter_text + "\n" + peter_line.substr(3),                   // no dash
                                 peter_text + "\n" + "- " + peter_line.substr(dash.size()),  // another
                                 peter_text + "\n" + dash + "PeterNeumann\n",                // no signature
                                 peter_text + "\n" + dash + "PeterNeumann \n",
                                 peter_text + "\n" + dash + " x08go/ZJ\n",
                                 peter_text + "\n" + dash + "Peter+Neumann x08go/ZJ\n",
                                 peter_text + "\n" + dash + "PeterNeumann x08go_ZJ\n",
                                 peter_text + "\n" + dash + "PeterNeumann x08goA==\n",  // key id alone
                                 peter_text + "\n" + dash + "PeterNeumann x08go/ZJ \n",
                                 peter_text + "\n" + dash + "PeterNeumann  x08go/ZJ\n",
                                 std::string("text\r\n\n") + peter_line,
                                 std::string("te\0xt\n\n", 7) + peter_line,
                                 std::string("\xFF\n\n") + peter_line,
                                 std::string("\xED\xA0\x80\n\n") + peter_line}) {
    EXPECT_FALSE(parse_note(bad)) << testing::PrintToString(bad);
  }
  EXPECT_TRUE(parse_note(good));
}

TEST(Note, IsBounded) {
  std::string many = peter_text + "\n";
  for (std::size_t i = 0; i < note_max_signatures; ++i) many += peter_line;
  EXPECT_TRUE(parse_note(many));
  EXPECT_THAT(parse_note(many + peter_line).error().detail, HasSubstr("more than 64 signatures"));
  const std::string large = std::string(note_max_bytes, 'a') + "\n\n" + peter_line;
  EXPECT_THAT(parse_note(large).error().detail, HasSubstr("longer than"));
}

TEST(Note, UnknownSignaturesAndRepeatedOnesDoNotHinder) {
  std::array<std::uint8_t, 32> seed{};
  seed.fill(9);
  const NoteSigner enoch("EnochRoot", NoteAlgorithm::ed25519, seed);
  const auto note = parse_note(peter_text + "\n" + enoch.sign(peter_text) + peter_line + peter_line);
  ASSERT_TRUE(note) << note.error().detail;
  EXPECT_TRUE(signed_by(*note, *parse_vkey(peter_vkey)));
  EXPECT_FALSE(signed_by(*note, witness().vkey()));
}

TEST(Note, TheTextMayHoldBlankLines) {
  const auto signer = peter();
  const std::string text = "one\n\ntwo\n";
  const auto note = parse_note(text + "\n" + signer.sign(text));
  ASSERT_TRUE(note);
  EXPECT_EQ(note->text, text);
  EXPECT_TRUE(signed_by(*note, signer.vkey()));
}

TEST(Checkpoint, OfC2spsTextIsRead) {
  const auto checkpoint = parse_checkpoint(
      "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
      "\xE2\x80\x94 example.com/behind-the-sofa "
      "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n");
  ASSERT_TRUE(checkpoint) << checkpoint.error().detail;
  EXPECT_EQ(checkpoint->origin, "example.com/behind-the-sofa");
  EXPECT_EQ(checkpoint->head.size, 20852163U);
  EXPECT_EQ(to_hex(checkpoint->head.root), "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62");
  EXPECT_EQ(checkpoint_text(checkpoint->origin, checkpoint->head),
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n");
}

TEST(Checkpoint, ThatIsNotOneIsRefused) {
  const std::string root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
  const auto of = [](const std::string& text) { return parse_checkpoint(text + "\n" + peter().sign(text)); };
  EXPECT_TRUE(of("o\n1\n" + root + "\n"));
  EXPECT_TRUE(of("o\n0\n" + root + "\nextension\n"));
  for (const std::string& bad :
       {std::string("o\n1\n"), "\n1\n" + root + "\n", "o\n01\n" + root + "\n", "o\n-1\n" + root + "\n",
        "o\n+1\n" + root + "\n", "o\n1 \n" + root + "\n", "o\n\n" + root + "\n",
        "o\n18446744073709551616\n" + root + "\n", "o\n1\n" + root.substr(4) + "\n", "o\n1\nAAAA" + root + "\n",
        "o\n1\n" + root.substr(0, 42) + "J=\n", "o\n1\n" + root + "\n\nmore\n"}) {
    EXPECT_FALSE(of(bad)) << bad;
  }
}

TEST(Cosignature, StatesItsTimeAndIsOverIt) {
  const auto signer = witness();
  const std::string text = checkpoint_text("orga.example/fedgate/log/a/1", {12, sha256("x")});
  const WallTime time{std::chrono::seconds(1'900'000'000) + std::chrono::microseconds(5)};
  auto note = *parse_note(text + "\n" + signer.sign(text, time));
  const auto found = signed_by(note, signer.vkey());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->time, std::optional(WallTime(std::chrono::seconds(1'900'000'000))));
  EXPECT_EQ(note.signatures[0].bytes.size(), 72U);
  auto later = note;
  ++later.signatures[0].bytes[7];
  EXPECT_FALSE(signed_by(later, signer.vkey()));
  EXPECT_FALSE(signed_by(note, witness(8).vkey()));
  // The same key as a log's is another key.
  auto as_log = signer.vkey();
  as_log.algorithm = NoteAlgorithm::ed25519;
  EXPECT_NE(as_log.id(), signer.vkey().id());
  EXPECT_FALSE(signed_by(note, as_log));
}

TEST(Cosignature, TheMessageIsC2sps) {
  // cosignature/v1, LF, "time", the seconds, LF, the whole note text: rebuilt here with the other algorithm.
  const auto signer = witness();
  const std::string text = checkpoint_text("orga.example/fedgate/log/a/1", {12, sha256("x")});
  const WallTime time{std::chrono::seconds(1'679'315'147)};
  const auto note = *parse_note(text + "\n" + signer.sign(text, time));
  std::array<std::uint8_t, 32> seed{};
  seed.fill(7);
  const NoteSigner plain(signer.vkey().name, NoteAlgorithm::ed25519, seed);
  const std::string message = "cosignature/v1\ntime 1679315147\n" + text;
  const auto expected = *parse_note(message + "\n" + plain.sign(message));
  EXPECT_EQ(note.signatures[0].bytes.substr(8), expected.signatures[0].bytes);
  EXPECT_EQ(to_hex({reinterpret_cast<const std::uint8_t*>(note.signatures[0].bytes.data()), 8}), "00000000641850cb");
}

TEST(NoteSigner, OneThatIsMovedFromHoldsNoKey) {
  auto first = peter();
  const auto second = std::move(first);
  EXPECT_EQ(second.sign(peter_text), peter_line);
  EXPECT_NE(first.sign(peter_text), peter_line);  // NOLINT(bugprone-use-after-move): that is what is tested
}

}  // namespace
}  // namespace fedgate::wire
