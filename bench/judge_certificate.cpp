// SPDX-License-Identifier: Apache-2.0
//
// How long it takes to judge a peer's certificate, on one thread: from a leaf below its anchor to a chain through an
// intermediate with a revocation list of each issuer, and a refusal. Everything is parsed already, as in a handshake.
//   bench_judge_certificate [seconds=1]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "support/identities.h"
#include "trust/peer_verifier.h"

namespace {

using namespace fedgate;
using trust::Recipe;

struct Subject {
  const char* name;
  test::Identity identity;
  bool accepted = true;
};

std::vector<Subject> subjects() {
  using test::Identity;
  const auto with_key = [](auto make) { return [make](Recipe& r) { r.key = make; }; };
  const auto rsa = [] { return trust::rsa_key(2048); };
  std::vector<Subject> all;
  all.push_back({"P-256, leaf below its anchor", test::by_root(test::no_change)});
  all.push_back({"P-256, leaf, intermediate, anchor", test::through(test::no_change)});
  auto listed = test::through(test::no_change);
  listed.crls = {crl_pem(*test::authorities().root), crl_pem(*listed.chain[1])};
  all.push_back({"the same, with a revocation list of each issuer", std::move(listed)});
  auto root_recipe = Recipe::authority("RSA root");
  root_recipe.key = rsa;
  const auto root = trust::shared(issue(root_recipe));
  auto ca_recipe = Recipe::intermediate("RSA CA");
  ca_recipe.key = rsa;
  const auto ca = trust::shared(issue(ca_recipe, root.get()));
  all.push_back(
      {"RSA 2048, leaf, intermediate, anchor",
       Identity{.chain = {test::leaf_of(ca, with_key(rsa)), ca}, .anchors = {root->pem()}, .pins = {}, .crls = {}}});
  all.push_back({"refused: a common name only", test::by_root(test::named({})), false});
  all.push_back({"refused: issued by a stranger",
                 Identity{.chain = {test::leaf_of(test::authorities().stranger), test::authorities().stranger},
                          .anchors = {test::authorities().root->pem()},
                          .pins = {},
                          .crls = {}},
                 false});
  return all;
}

bool measure(const Subject& subject, std::chrono::duration<double> time) {
  const auto node = subject.identity.node();
  std::vector<trust::CrlSource> sources;
  for (const auto& text : subject.identity.crls) sources.push_back({"list", text, node.id});
  const auto verifier = trust::PeerVerifier::make({&node, 1}, nullptr, trust::RevocationLists::make(sources));
  std::vector<X509*> rest;
  for (std::size_t i = 1; i < subject.identity.chain.size(); ++i) rest.push_back(subject.identity.chain[i]->get());
  const trust::Evidence evidence{.leaf = subject.identity.chain[0]->get(),
                                 .rest = rest,
                                 .presented = trust::Presented::by_client,
                                 .expected = {},
                                 .at = trust::test_now,
                                 .staple = {}};
  std::vector<double> micros;
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    const auto begun = std::chrono::steady_clock::now();
    const auto judgement = verifier->judge(evidence);
    micros.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begun).count());
    if (judgement.accepted() != subject.accepted) {
      std::fprintf(stderr, "%s: judged wrongly\n", subject.name);
      return false;
    }
  }
  std::ranges::sort(micros);
  std::printf("| %s | %.0f | %.0f | %zu |\n", subject.name, micros[micros.size() / 2], micros[micros.size() * 99 / 100],
              micros.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1.0;
  std::printf("| chain | median us | p99 us | judged |\n|---|---|---|---|\n");
  bool right = true;
  for (const auto& subject : subjects()) right = measure(subject, std::chrono::duration<double>(seconds)) && right;
  return right ? 0 : 1;
}
