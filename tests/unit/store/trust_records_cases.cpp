// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <thread>

#include "store/trust_records.h"
#include "unit/store/store_cases.h"

namespace fedgate::store {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::unique_ptr<Store> opened(const std::string& url) {
  auto store = open({.url = url});
  if (!store) throw std::runtime_error(store.error().detail);
  return std::move(*store);
}

NodeId node(const std::string& text) { return NodeId::parse(text).value(); }

Sha256 hash(std::uint8_t seed) {
  Sha256 value{};
  value.fill(seed);
  return value;
}

Invite invite_for(const std::string& whom, const std::string& id) {
  Invite invite;
  invite.id = id;
  invite.node = node(whom);
  invite.public_key = hash(7);
  invite.created_at = some_time;
  invite.expires_at = some_time + hours(24);
  invite.created_by = "uid:0 '; DROP TABLE federation_invites; --";
  return invite;
}

Candidate candidate_of(const std::string& whom, std::uint8_t seed, WallTime at = some_time) {
  Candidate candidate;
  candidate.node = node(whom);
  candidate.bundle.text = R"({"node_id":")" + whom + "\"}";
  candidate.bundle.sha256 = hash(seed);
  candidate.leaf = "-----BEGIN CERTIFICATE-----\n";
  candidate.leaf_sha256 = hash(2);
  candidate.leaf_key = hash(3);
  candidate.own_bundle = hash(4);
  candidate.remote = "[2001:db8::1]:443";
  candidate.proof = hash(5);
  candidate.received_at = at;
  return candidate;
}

Candidate invited(Candidate candidate, const std::string& id) {
  candidate.how = TrustPurpose::invite;
  candidate.invite_id = id;
  return candidate;
}

}  // namespace

void transactions_are_whole(const std::string& url) {
  const auto store = opened(url);
  TrustRecords records(*store);
  const auto insert = [](Transaction& at) {
    at.run("INSERT INTO federation_bundles (node_id, seq, sha256, bundle, recorded_at) VALUES ($1, $2, $3, $4, $5)",
           std::vector<Parameter>{std::string("b.example"), std::int64_t{1}, std::string(64, 'a'), std::string("{}"),
                                  some_time});
  };
  const auto refused = store->transact("trying", [&](Transaction& at) -> Result<void> {
    insert(at);
    return fail(Code::forbidden, "thought better of it");
  });
  EXPECT_EQ(refused.error(), Error(Code::forbidden, "thought better of it"));
  const auto broken = store->transact("trying", [&](Transaction& at) -> Result<void> {
    insert(at);
    at.run("INSERT INTO no_such_table VALUES (1)", {});
    return {};
  });
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().detail, HasSubstr("trying"));
  EXPECT_FALSE(records.newest_bundle(node("b.example")).value());
  ASSERT_TRUE(ok(store->transact("trying", [&](Transaction& at) -> Result<void> {
    insert(at);
    return {};
  })));
  EXPECT_TRUE(records.newest_bundle(node("b.example")).value());
}

void invites_are_kept(const std::string& url) {
  auto first = invite_for("b.example", "first");
  first.anchor = hash(9);
  auto second = invite_for("c.example", "second");
  second.created_at += seconds(1);
  {
    const auto store = opened(url);
    TrustRecords records(*store);
    ASSERT_TRUE(ok(records.put_invite(first)));
    ASSERT_TRUE(ok(records.put_invite(second)));
  }
  const auto store = opened(url);
  TrustRecords records(*store);
  EXPECT_THAT(records.invites().value(), ElementsAre(second, first)) << "after opening it again";
  EXPECT_EQ(records.invite("first").value(), first);
  EXPECT_FALSE(records.invite("third").value());
  EXPECT_EQ(records.remove_invite("third").value(), 0U);
  EXPECT_EQ(records.remove_invites(first.node).value(), 1U);
  EXPECT_THAT(records.invites().value(), ElementsAre(second));
  auto later = invite_for("d.example", "later");
  later.created_at = second.expires_at + hours(24 * 31);
  later.expires_at = later.created_at + hours(1);
  ASSERT_TRUE(ok(records.put_invite(later)));
  EXPECT_THAT(records.invites().value(), ElementsAre(later)) << "what expired a month ago is gone";
  for (std::size_t i = 1; i < most_invites; ++i) {
    later.id = "n" + std::to_string(i);
    ASSERT_TRUE(ok(records.put_invite(later)));
  }
  later.id = "one too many";
  EXPECT_EQ(records.put_invite(later).error().code, Code::conflict);
}

void invites_serve_one_key(const std::string& url) {
  const auto store = opened(url);
  TrustRecords records(*store);
  ASSERT_TRUE(ok(records.put_invite(invite_for("b.example", "it"))));
  const auto mine = invited(candidate_of("b.example", 1), "it");
  const auto refused = [&](Candidate candidate, const char* why) {
    const auto before = records.candidates(some_time).value();
    const auto admitted = records.admit(candidate);
    ASSERT_FALSE(admitted) << why;
    EXPECT_EQ(admitted.error().code, Code::forbidden) << why;
    EXPECT_EQ(records.candidates(some_time).value(), before) << why << ": nothing is stored";
  };
  refused(invited(candidate_of("c.example", 1), "it"), "another node's");
  refused(invited(candidate_of("b.example", 1, some_time + hours(24)), "it"), "expired");
  refused(invited(mine, "another"), "unknown");
  EXPECT_FALSE(records.invite("it").value()->used_at);

  std::vector<Result<void>> answers(6);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < answers.size(); ++i)
      threads.emplace_back([&, i] {
        auto theirs = mine;
        theirs.leaf_key = theirs.leaf_sha256 = hash(static_cast<std::uint8_t>(100 + i));
        const auto own_connection = opened(url);
        answers[i] = TrustRecords(*own_connection).admit(theirs);
      });
  }
  EXPECT_EQ(std::ranges::count_if(answers, [](const auto& answer) { return answer.has_value(); }), 1);
  const auto stored = records.candidates(some_time).value();
  ASSERT_EQ(stored.size(), 1U);
  const auto used = records.invite("it").value().value();
  EXPECT_EQ(used.used_by_key, stored[0].leaf_key);
  EXPECT_EQ(used.used_by_bundle, stored[0].bundle.sha256);
  EXPECT_EQ(used.used_at, some_time);

  auto again = stored[0];
  again.received_at += seconds(5);
  EXPECT_TRUE(ok(records.admit(again))) << "the same key, whose answer was lost";
  EXPECT_EQ(records.invite("it").value()->used_at, some_time);
  EXPECT_THAT(records.candidates(some_time).value(), ElementsAre(again));
  auto other_bundle = again;
  other_bundle.bundle.sha256 = hash(77);
  refused(other_bundle, "another bundle");
  ASSERT_EQ(records.remove_invite("it").value(), 1U);
  refused(again, "cancelled");
}

void candidates_are_kept(const std::string& url) {
  auto incoming = candidate_of("b.example", 1);
  auto outgoing = candidate_of("b.example", 1, some_time + seconds(1));
  outgoing.asked = Asked::outgoing;
  outgoing.proof = {};
  auto answered = outgoing;
  answered.level_there = TrustLevel::pending;
  answered.how = TrustPurpose::invite;
  answered.invite_id = "theirs, not ours";
  {
    const auto store = opened(url);
    TrustRecords records(*store);
    ASSERT_TRUE(ok(records.admit(incoming)));
    ASSERT_TRUE(ok(records.admit(outgoing)));
    EXPECT_THAT(records.candidates(some_time).value(), ElementsAre(outgoing, incoming));
    ASSERT_TRUE(ok(records.admit(answered)));
  }
  const auto store = opened(url);
  TrustRecords records(*store);
  EXPECT_THAT(records.candidates(some_time).value(), ElementsAre(answered, incoming)) << "after opening it again";
  EXPECT_THAT(store->nodes().value(), IsEmpty()) << "a candidate is no node";
  EXPECT_THAT(records.candidates(incoming.received_at + candidates_kept).value(), ElementsAre(answered, incoming));
  EXPECT_THAT(records.candidates(answered.received_at + candidates_kept).value(), ElementsAre(answered));
  const auto late = candidate_of("c.example", 1, answered.received_at + candidates_kept + seconds(1));
  ASSERT_TRUE(ok(records.admit(late)));
  EXPECT_THAT(records.candidates(some_time).value(), ElementsAre(late)) << "old ones are gone, not only hidden";
  EXPECT_EQ(records.remove_candidates(late.node).value(), 1U);
  EXPECT_EQ(records.remove_candidates(late.node).value(), 0U);
}

void candidates_are_bounded(const std::string& url) {
  const auto store = opened(url);
  TrustRecords records(*store);
  const auto at = [](std::size_t i) { return some_time + seconds(i); };
  for (std::size_t i = 0; i < most_candidates_a_node; ++i)
    ASSERT_TRUE(ok(records.admit(candidate_of("b.example", static_cast<std::uint8_t>(i), at(i)))));
  EXPECT_EQ(records.admit(candidate_of("b.example", 99)).error().code, Code::overloaded);
  EXPECT_TRUE(ok(records.admit(candidate_of("b.example", 0, at(50))))) << "the same again takes no place";
  for (std::size_t i = most_candidates_a_node; i < most_candidates; ++i)
    ASSERT_TRUE(ok(records.admit(candidate_of("n" + std::to_string(i) + ".example", 1, at(i)))));
  const auto stranger = records.admit(candidate_of("late.example", 1, at(60)));
  ASSERT_FALSE(stranger);
  EXPECT_THAT(stranger.error().detail, HasSubstr("trust list"));

  auto ours = candidate_of("late.example", 1, at(60));
  ours.asked = Asked::outgoing;
  EXPECT_TRUE(ok(records.admit(ours))) << "strangers do not stand in our own way";
  ASSERT_TRUE(ok(records.put_invite(invite_for("b.example", "one"))));
  const auto guest = invited(candidate_of("b.example", 200, at(61)), "one");
  ASSERT_TRUE(ok(records.admit(guest))) << "nor in the way of somebody we invited";
  const auto now = records.candidates(some_time).value();
  EXPECT_EQ(now.size(), most_candidates + 1);
  EXPECT_THAT(now, testing::Contains(guest));
  EXPECT_THAT(now, testing::Not(testing::Contains(candidate_of("b.example", 1, at(1))))) << "the oldest gave way";
  ASSERT_TRUE(ok(records.put_invite(invite_for("fresh.example", "two"))));
  ASSERT_TRUE(ok(records.admit(invited(candidate_of("fresh.example", 1, at(62)), "two"))));
  EXPECT_EQ(records.candidates(some_time).value().size(), most_candidates + 1);
}

void bundles_follow_each_other(const std::string& url) {
  const auto store = opened(url);
  TrustRecords records(*store);
  const auto whose = node("b.example");
  const auto record = [&](std::uint64_t seq, std::uint8_t seed) {
    return BundleRecord{whose, seq, hash(seed), R"({"seq":)" + std::to_string(seq) + "}", some_time};
  };
  EXPECT_FALSE(records.newest_bundle(whose).value());
  ASSERT_TRUE(ok(records.put_bundle(record(1, 1), History::continues)));
  ASSERT_TRUE(ok(records.put_bundle(record(2, 2), History::continues)));
  EXPECT_TRUE(ok(records.put_bundle(record(2, 2), History::continues))) << "once more";
  for (const auto& wrong : {record(2, 3), record(1, 1), record(4, 4)})
    EXPECT_EQ(records.put_bundle(wrong, History::continues).error().code, Code::conflict) << wrong.seq;
  EXPECT_EQ(records.newest_bundle(whose).value(), record(2, 2));
  ASSERT_TRUE(ok(records.put_bundle(record(1, 9), History::begins)));
  EXPECT_EQ(records.newest_bundle(whose).value(), record(1, 9));
  EXPECT_FALSE(records.newest_bundle(node("c.example")).value());
}

void seen_leaves_are_kept(const std::string& url) {
  const auto store = opened(url);
  for (const auto* name : {"b.example", "c.example"}) {
    Node row;
    row.id = node(name);
    row.created_at = row.updated_at = some_time;
    ASSERT_TRUE(store->put_node(row));
  }
  TrustRecords records(*store);
  EXPECT_THAT(records.seen_leaves().value(), IsEmpty());
  const SeenLeaf client{node("b.example"), ShownBy::client, "\"CN=b.example\"", some_time};
  SeenLeaf server{node("b.example"), ShownBy::server, "without a subject", some_time + hours(1)};
  ASSERT_TRUE(records.put_seen_leaves({client, server, {node("gone.example"), ShownBy::server, "", some_time}}));
  EXPECT_THAT(records.seen_leaves().value(), testing::UnorderedElementsAre(client, server));
  server.ends += hours(24);
  ASSERT_TRUE(records.put_seen_leaves({server}));
  ASSERT_TRUE(records.put_seen_leaves({}));
  EXPECT_THAT(TrustRecords(*opened(url)).seen_leaves().value(), testing::UnorderedElementsAre(client, server));
  ASSERT_TRUE(store->remove_node(node("b.example")));
  EXPECT_THAT(records.seen_leaves().value(), IsEmpty());
}

}  // namespace fedgate::store
