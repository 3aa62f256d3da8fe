// SPDX-License-Identifier: Apache-2.0
//
// conf.d: mappings merge, lists with ids concatenate, anything twice is an error that names both places.
#include "unit/config/folder.h"

namespace fedgate::config {
namespace {

class Merge : public ::testing::Test {
 protected:
  Folder folder;
};

TEST_F(Merge, MappingsMergeAndListsConcatenateByName) {
  folder.write("conf.d/20-second.yaml",
               "limits: { header: 8KiB }\n"
               "policy: { rules: [ { id: last, direction: out, effect: deny } ] }\n"
               "clients: [ { principal: bob@orga.example, token_file: tokens/portal } ]\n");
  folder.write("conf.d/10-first.yaml",
               "nodes: [ { node_id: orgb.example, trust_anchors: [anchors/orgb.crt] } ]\n"
               "policy: { rules: [ { id: middle, direction: out, effect: deny } ] }\n");
  folder.write("conf.d/ignored.yml", "nonsense: [\n");
  folder.write("conf.d/.hidden.yaml", "nonsense: [\n");
  folder.write("conf.d/30-empty.yaml", "# nothing yet\n");
  const auto loaded = folder.load(
      "limits: { body: 2MiB }\n"
      "policy: { engine: rules, rules: [ { id: first, direction: out, effect: deny } ] }\n"
      "clients: [ { principal: alice@orga.example, token_file: tokens/alice } ]\n");
  EXPECT_EQ(folder.texts(loaded), std::vector<std::string>{});
  ASSERT_NE(loaded.settings, nullptr);
  const auto& settings = *loaded.settings;
  EXPECT_EQ(settings.server_limits.body, 2U << 20);
  EXPECT_EQ(settings.server_limits.header, 8U << 10);
  ASSERT_EQ(settings.rules.size(), 3U);
  EXPECT_EQ(settings.rules[0].id, "first");
  EXPECT_EQ(settings.rules[1].id, "middle");
  EXPECT_EQ(settings.rules[2].id, "last");
  EXPECT_EQ(settings.rules[1].defined_at, folder.at("conf.d/10-first.yaml:2"));
  ASSERT_EQ(settings.nodes.size(), 1U);
  EXPECT_EQ(settings.nodes[0].defined_at, folder.at("conf.d/10-first.yaml:1"));
  ASSERT_EQ(settings.clients_list.size(), 2U);
  // Paths stay relative to the main file's folder.
  EXPECT_EQ(std::ranges::count(loaded.files, folder.at("tokens/portal")), 1);
  EXPECT_EQ(loaded.files[1], folder.at("conf.d/10-first.yaml"));
}

TEST_F(Merge, ThingsGivenTwiceNameBothPlaces) {
  folder.write("conf.d/a.yaml",
               "threads: 2\n"
               "limits:\n"
               "  body: 2MiB\n"
               "nodes:\n"
               "  - { node_id: orgb.example, trust_anchors: [anchors/orgb.crt] }\n"
               "resources:\n"
               "  - { id: r, adapter: { type: http, url: \"http://127.0.0.1:1\" }, capabilities: [ { id: c, request: "
               "GET / } ] }\n"
               "policy: { rules: [ { id: same, direction: in, effect: deny } ] }\n"
               "listen: { admin: { operators: [ { uid: 2, role: viewer } ] } }\n"
               "clients: [ { principal: alice@orga.example, token_file: tokens/alice } ]\n");
  const auto loaded = folder.load(
      "threads: 1\n"
      "limits: { body: 1MiB }\n"
      "nodes: [ { node_id: orgb.example, trust_anchors: [anchors/orgb.crt], principal_domains: [b.example] } ]\n"
      "resources: [ { id: r, adapter: { type: http, url: \"http://127.0.0.1:1\" }, capabilities: [ { id: c, request: "
      "GET / }, { id: c, request: GET /x } ] } ]\n"
      "policy: { rules: [ { id: same, direction: in, effect: allow } ] }\n"
      "listen: { admin: { operators: [ { uid: 1, role: viewer } ] } }\n"
      "clients: [ { principal: alice@orga.example, token_file: tokens/alice } ]\n");
  EXPECT_EQ(
      folder.texts(loaded),
      (std::vector<std::string>{
          "fedgate.yaml:8:124: error: `resources[].capabilities` holds `c` twice, first at fedgate.yaml:8:97; remove "
          "or rename one",
          "conf.d/a.yaml:1:1: error: `threads` is given twice, first at fedgate.yaml:5:1; remove one",
          "conf.d/a.yaml:3:3: error: `limits.body` is given twice, first at fedgate.yaml:6:11; remove one",
          "conf.d/a.yaml:5:16: error: `nodes` holds `orgb.example` twice, first at fedgate.yaml:7:21; remove or rename "
          "one",
          "conf.d/a.yaml:7:11: error: `resources` holds `r` twice, first at fedgate.yaml:8:20; remove or rename one",
          "conf.d/a.yaml:8:26: error: `policy.rules` holds `same` twice, first at fedgate.yaml:9:26; remove or rename "
          "one",
          "conf.d/a.yaml:9:20: error: `listen.admin.operators` is given twice, first at fedgate.yaml:10:20; remove one",
          "conf.d/a.yaml:10:25: error: `clients` holds `alice@orga.example tokens/alice` twice, first at "
          "fedgate.yaml:11:25; remove or rename one",
          "conf.d/a.yaml:10:57: error: `clients[].token_file` holds the same token as that at fedgate.yaml:11:57; a "
          "token stands for one client: issue another"}));
}

TEST_F(Merge, AnUnreadableFileStopsBeforeGuessing) {
  folder.write("conf.d/a.yaml", "nodes: [\n");
  const auto loaded = folder.load("unknown: 1\n");
  EXPECT_EQ(folder.texts(loaded),
            std::vector<std::string>{"conf.d/a.yaml:2:1: error: not YAML: end of sequence flow not found"});
  EXPECT_EQ(loaded.settings, nullptr);
}

TEST_F(Merge, TheMainFileMustExist) {
  const auto loaded = load(folder.at("none.yaml"), today());
  EXPECT_EQ(folder.texts(loaded),
            std::vector<std::string>{"none.yaml: error: cannot read none.yaml: No such file or directory"});
  EXPECT_EQ(loaded.settings, nullptr);
}

}  // namespace
}  // namespace fedgate::config
