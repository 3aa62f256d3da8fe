// SPDX-License-Identifier: Apache-2.0
//
// The files that people begin with: the packaged example, what `fedgate init` writes, and both after an accident.
#include <random>
#include <regex>

#include "config/starter.h"
#include "unit/config/folder.h"

namespace fedgate::config {
namespace {

std::string example(const Folder& folder) {
  std::ifstream in(std::filesystem::path(FEDGATE_REPOSITORY) / "config/fedgate.example.yaml", std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  for (auto at = text.find("/var/lib/fedgate"); at != std::string::npos; at = text.find("/var/lib/fedgate"))
    text.replace(at, 16, folder.path());
  return text;
}

TEST(Example, LoadsWhole) {
  const Folder folder;
  const auto loaded = folder.load_whole(example(folder));
  EXPECT_EQ(folder.texts(loaded), std::vector<std::string>{});
  ASSERT_NE(loaded.settings, nullptr);
  const auto& settings = *loaded.settings;
  EXPECT_EQ(settings.operators.size(), 2U);
  ASSERT_EQ(settings.nodes.size(), 1U);
  EXPECT_EQ(settings.nodes[0].alias, "orgb");
  EXPECT_EQ(settings.nodes[0].endpoints, std::vector<std::string>{"https://gate.orgb.example:8443"});
  EXPECT_EQ(settings.nodes[0].trust_anchors.size(), 1U);
  EXPECT_EQ(settings.nodes[0].resources.at(0).str(), "warehouse");
  EXPECT_EQ(settings.nodes[0].reads, std::vector<std::string>{"warehouse/stock"});
  EXPECT_EQ(settings.nodes[0].rate_limit_per_hour, 20000U);
  EXPECT_EQ(settings.nodes[0].metadata.at("contact"), "noc@orgb.example");
  ASSERT_EQ(settings.clients_list.size(), 2U);
  EXPECT_EQ(settings.clients_list[0].token_sha256,
            trust::parse_token_file(trust::token_file_text("fgt_alice")).value());
  EXPECT_EQ(settings.clients_list[0].expires, parse_time("2027-01-01").value());
  EXPECT_EQ(settings.clients_list[1].may_act_for.at(0).str(), "bob@orga.example");
  ASSERT_EQ(settings.resources.size(), 1U);
  ASSERT_EQ(settings.resources[0].capabilities.size(), 2U);
  EXPECT_EQ(settings.resources[0].headers,
            (std::vector<std::pair<std::string, std::string>>{{"X-Requested-By", "fedgate"}}));
  const auto& lookup = settings.resources[0].capabilities[0];
  EXPECT_EQ(lookup.request, "GET /items/{sku}");
  EXPECT_EQ(lookup.access, Access::read);
  EXPECT_TRUE(lookup.idempotent);
  EXPECT_EQ(lookup.timeout, std::chrono::seconds(5));
  EXPECT_EQ(settings.resources[0].capabilities[1].access, Access::write);
  EXPECT_EQ(settings.resources[0].capabilities[1].arguments, adapters::Capability::Arguments::body);
  ASSERT_EQ(settings.rules.size(), 2U);
  EXPECT_EQ(settings.rules[0].effect, Verdict::allow);
  EXPECT_EQ(settings.rules[0].access, Access::read);
  EXPECT_EQ(settings.rules[0].until, parse_time("2027-06-30").value());
  EXPECT_EQ(settings.rules[1].direction, Direction::out);
  EXPECT_FALSE(settings.rules[1].access.has_value());
  EXPECT_EQ(settings.node_limits.concurrency_per_peer, 256U);
  EXPECT_EQ(settings.audit.journal_max, 10ULL << 30);
}

TEST(Example, SurvivesTwoThousandAccidents) {
  const Folder folder;
  const auto original = example(folder);
  std::mt19937 random(20260615);  // NOLINT: the same accidents each time
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  const std::string_view nasty = "{}[],:#&*!|>'\"%@`-?\n\t \\~\xC3\xFF<0y.";
  std::size_t refused = 0;
  for (int round = 0; round < 2000; ++round) {
    auto text = original;
    for (auto changes = 1 + below(4); changes > 0 && text.size() > 1; --changes) {
      const auto at = below(text.size());
      switch (below(6)) {
        case 0:
          text[at] = nasty[below(nasty.size())];
          break;
        case 1:
          text.insert(at, 1, nasty[below(nasty.size())]);
          break;
        case 2:
          text.erase(at, 1 + below(20));
          break;
        case 3:
          text.insert(at, text.substr(below(text.size()), below(200)));
          break;
        case 4:
          text.resize(at);
          break;
        default:
          text.insert(at, std::string(1 + below(30), nasty[below(nasty.size())]));
          break;
      }
    }
    SCOPED_TRACE("round " + std::to_string(round));
    Loaded loaded;
    ASSERT_NO_THROW(loaded = folder.load_whole(text)) << text;
    if (loaded.settings == nullptr) {
      ++refused;
      ASSERT_FALSE(loaded.findings.empty()) << text;
    }
    for (const auto& finding : loaded.findings) {
      ASSERT_FALSE(finding.what.empty());
      ASSERT_EQ(first_invalid_utf8(finding.text()), finding.text().size());
    }
  }
  // Accidents in comments are harmless, most others are not.
  EXPECT_GT(refused, 1000U);
  EXPECT_LT(refused, 2000U);
}

class Starting : public ::testing::Test {
 protected:
  StarterOptions options(bool dev_pki) const {
    return {NodeId::parse("orga.example").value(), folder.at("new/orga"), dev_pki};
  }
  [[nodiscard]] ::mode_t mode(const std::string& name) const {
    struct stat facts{};
    return ::stat(folder.at("new/orga/" + name).c_str(), &facts) == 0 ? facts.st_mode & 0777 : 0;
  }
  Folder folder;
};

TEST_F(Starting, WithDevPkiLoadsRightAway) {
  const auto starter = make_starter(options(true), today());
  ASSERT_TRUE(starter) << starter.error().detail;
  const auto at = [&](const char* name) { return folder.at(std::string("new/orga/") + name); };
  EXPECT_EQ(starter->files,
            (std::vector<std::string>{at("fedgate.yaml"), at("tls/ca.crt"), at("tls/ca.key"), at("tls/node.crt"),
                                      at("tls/node.key"), at("signer/audit.key"), at("signer/witness.key")}));
  for (const auto* secret : {"tls/ca.key", "tls/node.key", "signer/audit.key", "signer/witness.key"})
    EXPECT_EQ(mode(secret), 0600U) << secret;
  for (const auto* directory : {"", "tls", "signer", "anchors", "tokens", "state"})
    EXPECT_EQ(mode(directory), 0700U) << directory;
  const auto loaded = load(at("fedgate.yaml"), today());
  EXPECT_EQ(folder.texts(loaded), std::vector<std::string>{});
  ASSERT_NE(loaded.settings, nullptr);
  EXPECT_EQ(loaded.settings->admin.address, "unix:" + at("admin.sock"));
  EXPECT_EQ(loaded.settings->audit.journal, at("state/journal"));
  EXPECT_EQ(loaded.settings->audit.signing_key_file, at("signer/audit.key"));
  EXPECT_EQ(loaded.settings->audit.witness_key_file, at("signer/witness.key"));
  std::string steps;
  for (const auto& step : starter->next_steps) steps += step + "\n";
  for (const auto& part :
       {"fedgate token issue alice@orga.example --config " + at("fedgate.yaml"),
        "fedgate check --config " + at("fedgate.yaml"), "fedgate serve --config " + at("fedgate.yaml"),
        at("tls/ca.crt"), at("anchors/orgb.example.crt")}) {
    EXPECT_NE(steps.find(part), std::string::npos) << part;
  }
}

TEST_F(Starting, ExamplesAreValidWhenUncommented) {
  ASSERT_TRUE(make_starter(options(true), today()));
  std::ifstream in(folder.at("new/orga/fedgate.yaml"));
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::string uncommented;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    uncommented += std::regex_replace(line, std::regex("^( *)#(-|  )"), "$1$2") + "\n";
  ASSERT_NE(uncommented, text);
  folder.write("new/orga/fedgate.yaml", uncommented);
  folder.write("new/orga/anchors/orgb.example.crt", pki().ca_b.certificate_pem);
  folder.write("new/orga/tokens/alice", trust::token_file_text("fgt_alice"), 0600);
  const auto loaded = load(folder.at("new/orga/fedgate.yaml"), today());
  EXPECT_EQ(folder.texts(loaded), std::vector<std::string>{});
  ASSERT_NE(loaded.settings, nullptr);
  EXPECT_EQ(loaded.settings->nodes.size(), 1U);
  EXPECT_EQ(loaded.settings->clients_list.size(), 1U);
  EXPECT_EQ(loaded.settings->resources.size(), 1U);
  EXPECT_EQ(loaded.settings->rules.size(), 2U);
}

TEST_F(Starting, WithoutPkiSaysWhatIsMissing) {
  const auto starter = make_starter(options(false), today());
  ASSERT_TRUE(starter) << starter.error().detail;
  EXPECT_EQ(starter->files.size(), 3U);  // and the keys that sign checkpoints
  const auto loaded = load(starter->files[0], today());
  EXPECT_EQ(loaded.findings.size(), 2U);
  EXPECT_NE(starter->next_steps.at(0).find("tls/node.key"), std::string::npos);
}

TEST_F(Starting, OverwritesNothing) {
  ASSERT_TRUE(make_starter(options(false), today()));
  const auto again = make_starter(options(true), today());
  ASSERT_FALSE(again);
  EXPECT_EQ(folder.without_path(again.error().detail),
            "new/orga/fedgate.yaml exists already, and init overwrites nothing; choose another directory or remove it");
  std::filesystem::remove(folder.at("new/orga/fedgate.yaml"));
  folder.write("new/orga/tls/node.key", "precious", 0600);
  const auto key = make_starter(options(true), today());
  ASSERT_FALSE(key);
  EXPECT_EQ(folder.without_path(key.error().detail),
            "new/orga/tls/node.key exists already, and init overwrites nothing; choose another directory or remove it");
  EXPECT_FALSE(std::filesystem::exists(folder.at("new/orga/fedgate.yaml")));
  std::ifstream in(folder.at("new/orga/tls/node.key"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "precious");
}

TEST_F(Starting, DirectoryThatCannotBe) {
  folder.write("new/orga", "a file");
  const auto starter = make_starter(options(true), today());
  ASSERT_FALSE(starter);
  EXPECT_NE(starter.error().detail.find(folder.at("new/orga")), std::string::npos);
}

}  // namespace
}  // namespace fedgate::config
