// SPDX-License-Identifier: Apache-2.0
//
// From the draft to Settings: reads the files that it names and checks what it says against them, against itself and
// against the clock. Goes on after a problem, so that all are reported. Lives while configuration is loaded.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "config/draft.h"
#include "config/files.h"
#include "config/findings.h"
#include "config/settings.h"
#include "fedgate/clock.h"
#include "trust/dev_pki.h"

namespace fedgate::config {

/// Each certificate of a PEM text by itself.
std::vector<std::string> certificates_of(std::string_view pem);

class Resolver {
 public:
  Resolver(const draft::Root& root, Report& report, Files& files, const Clock& clock, Settings& settings)
      : root_(root), report_(report), files_(files), clock_(clock), out_(settings) {}
  void resolve();

 private:
  void own_node();
  void listeners();
  void clients_listener();
  void admin_listener();
  void tls();
  void expiry_warnings();
  void crls(const draft::List<std::string>& files, std::string_view key, const NodeId& node);
  /// What is given, where it can be one; else empty.
  std::string spiffe_id(const draft::Text& from, std::string_view key);
  /// What a peer's fedgate would refuse and no message above has said.
  void own_flaws(const trust::CertificateFacts& facts, const std::string& pem, Place place, std::string_view key);
  void trust();
  void store();
  void limits();
  void places_on_disk();
  void signing_keys();
  /// A key that signs checkpoints, where there is one already.
  void judge_signing_key(const std::string& path, Place place, std::string_view key);
  void nodes();
  Node node(const draft::Group<draft::Node>& from);
  void endpoints(const draft::Node& from, Node& into);
  void reads(const draft::Node& from, Node& into);
  void pins(const draft::Node& from, Node& into);
  void anchors(const draft::Node& from, Node& into);
  void anchor(const draft::Node& from, const draft::Text& path, const std::string& pem, Node& into);
  void intermediates(const draft::Node& from, Node& into);
  void domains(const draft::Node& from, Node& into);
  void clients();
  void resources();
  void adapter(const draft::Resource& from, adapters::Resource& into);
  void headers(const draft::Adapter& from, adapters::Resource& into);
  adapters::Capability capability(const draft::Group<draft::Capability>& from);
  void rules();
  void references(const draft::Rule& rule);

  /// The certificate and key of both; nothing where they do not belong together.
  std::optional<trust::CertificateFacts> certificate_and_key(const draft::TlsPaths& from, std::string_view prefix,
                                                             TlsFiles& into);
  enum class Usage : std::uint8_t { both, server, client };
  void own_certificate(const trust::CertificateFacts& facts, Place place, std::string_view key, Usage usage);
  /// Whether it holds a name by which peers know this gateway.
  [[nodiscard]] bool names_us(const trust::CertificateFacts& facts) const;
  void validity(const trust::CertificateFacts& facts, Place place, std::string_view key);
  [[nodiscard]] bool ours(const PrincipalId& principal) const;
  std::string address(const draft::Text& from, std::string_view key);

  struct Anchored {
    std::string node;
    Place place;
    bool pinned;
  };
  const draft::Root& root_;
  Report& report_;
  Files& files_;
  const Clock& clock_;
  Settings& out_;
  std::map<Sha256, Anchored> anchors_;          // by public key
  std::map<std::string, std::string> domains_;  // domain → who has it
  std::map<std::string, Place> aliases_;
};

}  // namespace fedgate::config
