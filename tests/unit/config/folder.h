// SPDX-License-Identifier: Apache-2.0
//
// A folder with a configuration and real certificates, keys and tokens, gone when the test ends.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "config/loader.h"
#include "config/scalars.h"
#include "trust/client_tokens.h"
#include "trust/dev_pki.h"

namespace fedgate::config {

class FixedClock final : public Clock {
 public:
  explicit FixedClock(std::string_view time) : wall_(parse_time(time).value()) {}
  [[nodiscard]] SteadyTime steady() const override { return {}; }
  [[nodiscard]] WallTime wall() const override { return wall_; }

 private:
  WallTime wall_;
};

inline const FixedClock& today() {
  static const FixedClock clock("2026-06-15T12:00:00Z");
  return clock;
}

/// Made once: keys cost time.
struct Pki {
  trust::CertificateAndKey ca_a, ca_b, node_a, node_b;
  Pki() {
    const auto since = today().wall() - std::chrono::hours(1);
    ca_a = trust::make_dev_ca("orga.example", since).value();
    ca_b = trust::make_dev_ca("orgb.example", since).value();
    node_a = leaf(ca_a, "orga.example");
    node_b = leaf(ca_b, "orgb.example");
  }
  static trust::CertificateAndKey leaf(const trust::CertificateAndKey& ca, const std::string& name) {
    trust::LeafRequest request;
    request.dns_names = {name};
    request.not_before = today().wall() - std::chrono::hours(1);
    return trust::issue_dev_leaf(ca, request).value();
  }
};
inline const Pki& pki() {
  static const Pki made;
  return made;
}

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fedgate-config-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
    write("tls/node.crt", pki().node_a.certificate_pem);
    write("tls/node.key", pki().node_a.key_pem, 0600);
    write("anchors/orgb.crt", pki().ca_b.certificate_pem);
    write("tokens/alice", trust::token_file_text("fgt_alice"), 0600);
    write("tokens/portal", trust::token_file_text("fgt_portal"), 0600);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string at(std::string_view name) const { return path_ + "/" + std::string(name); }
  [[nodiscard]] const std::string& path() const { return path_; }
  void write(std::string_view name, std::string_view text, ::mode_t mode = 0644) const {
    const auto file = at(name);
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    {
      std::ofstream out(file, std::ios::binary | std::ios::trunc);
      out << text;
    }
    ASSERT_EQ(::chmod(file.c_str(), mode), 0);
  }

  /// Four lines that are enough, then `more`, which begins at line 5.
  [[nodiscard]] Loaded load(std::string_view more) const { return load_whole(std::string(enough) + std::string(more)); }
  [[nodiscard]] Loaded load_whole(std::string_view text) const {
    write("fedgate.yaml", text);
    return config::load(at("fedgate.yaml"), today());
  }
  /// As `check` prints them, without the folder's own path.
  [[nodiscard]] std::vector<std::string> texts(const Loaded& loaded) const {
    std::vector<std::string> out;
    for (const auto& finding : loaded.findings) out.push_back(without_path(finding.text()));
    return out;
  }
  [[nodiscard]] std::string without_path(std::string text) const {
    const auto prefix = path_ + "/";
    for (auto found = text.find(prefix); found != std::string::npos; found = text.find(prefix, found))
      text.erase(found, prefix.size());
    return text;
  }

  static constexpr std::string_view enough =
      "node: { id: orga.example }\n"
      "tls: { certificate: tls/node.crt, key: tls/node.key }\n"
      "store: { url: \"sqlite:state.db\" }\n"
      "audit: { journal: journal }\n";

 private:
  std::string path_;
};

/// YAML after Folder::enough, and exactly what must be found, in order.
struct Case {
  std::string yaml;
  std::vector<std::string> findings;
};

inline void expect_findings(const Folder& folder, const std::vector<Case>& cases) {
  for (const auto& each : cases) {
    SCOPED_TRACE(each.yaml);
    const auto loaded = folder.load(each.yaml);
    EXPECT_EQ(folder.texts(loaded), each.findings);
    const bool failed = std::ranges::any_of(loaded.findings,
                                            [](const Finding& finding) { return finding.severity == Severity::error; });
    EXPECT_EQ(loaded.settings == nullptr, failed);
  }
}

}  // namespace fedgate::config
