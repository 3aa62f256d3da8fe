// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "config/binder.h"
#include "config/keys.h"
#include "config/loader.h"
#include "config/scalars.h"

namespace fedgate::config {
namespace {

constexpr std::string_view introduction = R"(# Configuration reference

<!-- Made by `fedgate config-reference > docs/configuration.md` from the declarations that parse the files. Do not edit. -->

`fedgate serve --config FILE` reads one YAML file, usually `/etc/fedgate/fedgate.yaml`, and then `conf.d/*.yaml` beside it in
the order of their names. `fedgate check --config FILE` says everything that is wrong at once, each finding as `file:line:column`, and
`fedgate init` writes a commented file to begin with; `config/fedgate.example.yaml` shows every part.

**Several files.** Mappings merge. The lists `nodes`, `clients`, `resources` and `policy.rules` concatenate: rules in the order of the
files. A key or an id that is given twice, in one file or in two, is an error that names both places.

**Strictness.** A key that is not listed here is an error. Numbers are decimal (`010` is refused), truth values are `true` and `false`
only, anchors, aliases, tags and merge keys (`<<`) are refused, and so are files of more than 1 MiB and more than 256 files in `conf.d`.

**Values.** Durations: `250ms`, `5s`, `5m`, `1h`, `400d`. Sizes: `512B`, `64KiB`, `1MiB`, `10GiB`. Rates: `6000/h`, `100/m`, `10/s`.
Times: `2027-01-31` (from the beginning of that day, UTC) or RFC 3339, `2027-01-31T12:00:00Z`. Addresses: `host:port`, `[v6]:port`,
`unix:PATH`; port 0 takes any free one. Paths are relative to the folder of the main file; `credential:NAME` is the
systemd credential of that name (`LoadCredential=`).

**Secrets** come from files, never inline. Such a file must be a regular file of root or of the user that runs fedgate, and nobody else
may read or write it; its group may read it (`chmod 600`, or `640`).

**Changes.** `fedgate reload` and SIGHUP read everything again. A configuration with an error is not taken: the old one
goes on running. Keys marked "restart" keep their old value until the daemon is started again, and the reload says so.
)";

struct Row {
  std::string key, type, otherwise, meaning;
  bool required = false, restart = false;
};
struct Section {
  std::string path, meaning;
  std::vector<Row> rows;
};

/// The visitor that describes.
class Describer {
 public:
  Describer(std::vector<Section>& sections, std::size_t section, std::string path)
      : sections_(sections), section_(section), path_(std::move(path)) {}

  void text(std::string_view key, const draft::Text& d, const About& about) {
    add(key, "text", quoted(d.value), about);
  }
  void prose(std::string_view key, const draft::Text& d, const About& about) {
    add(key, "text", quoted(d.value), about);
  }
  void path(std::string_view key, const draft::Text& d, const About& about) {
    add(key, "path", quoted(d.value), about);
  }
  void secret(std::string_view key, const draft::Text& d, const About& about) {
    add(key, "path of a secret", quoted(d.value), about);
  }
  void address(std::string_view key, const draft::Text& d, const About& about) {
    add(key, "address", quoted(d.value), about);
  }
  void url(std::string_view key, const draft::Text& d, const About& about) { add(key, "URL", quoted(d.value), about); }
  void number(std::string_view key, const draft::Number& d, Range range, const About& about) {
    add(key, "number, " + std::to_string(range.least) + " to " + std::to_string(range.most),
        d.value == 0 ? "" : code(std::to_string(d.value)), about);
  }
  void size(std::string_view key, const draft::Number& d, Range range, const About& about) {
    add(key, "size, " + size_text(range.least) + " to " + size_text(range.most), code(size_text(d.value)), about);
  }
  void rate(std::string_view key, const draft::Number& d, const About& about) {
    add(key, "number or rate", d.value == 0 ? "" : code(std::to_string(d.value)), about);
  }
  void flag(std::string_view key, const draft::Flag& d, const About& about) {
    add(key, "true or false", d.value ? "`true`" : "`false`", about);
  }
  void duration(std::string_view key, const draft::Duration& d, DurationRange range, const About& about) {
    add(key, "duration, " + duration_text(range.least) + " to " + duration_text(range.most),
        code(duration_text(d.value)), about);
  }
  void time(std::string_view key, const draft::Time&, const About& about) { add(key, "time", "", about); }
  void texts(std::string_view key, const draft::List<std::string>&, std::string_view type, const About& about) {
    add(key, "list of " + std::string(type), "`[]`", about);
  }
  void dictionary(std::string_view key, const draft::Dictionary&, const About& about) {
    add(key, "mapping of texts", "`{}`", about);
  }
  template <class Name>
  void name(std::string_view key, const draft::Placed<Name>&, std::string_view type, const About& about) {
    add(key, std::string(type), "", about);
  }
  template <class Name>
  void names(std::string_view key, const draft::List<Name>&, std::string_view type, const About& about) {
    add(key, "list of " + std::string(type), "`[]`", about);
  }
  template <class E, std::size_t N>
  void choice(std::string_view key, const draft::Placed<E>& d, const std::array<Choice<E>, N>& choices,
              const About& about) {
    std::string type, otherwise;
    for (const auto& [name, meaning] : choices) {
      type += (type.empty() ? "" : ", ") + code(name);
      if (meaning == d.value) otherwise = code(name);
    }
    add(key, type, otherwise, about);
  }
  template <class T>
  void group(std::string_view key, const draft::Group<T>&, const About& about) {
    describe<T>(path_ + std::string(key), about);
  }
  template <class T>
  void list(std::string_view key, const draft::Groups<T>&, std::type_identity_t<Identify<T>>, const About& about) {
    describe<T>(path_ + std::string(key) + "[]", about);
  }

 private:
  static std::string code(std::string_view text) { return "`" + std::string(text) + "`"; }
  static std::string quoted(std::string_view text) { return text.empty() ? "" : code(text); }
  void add(std::string_view key, std::string type, std::string otherwise, const About& about) {
    if (!about.otherwise.empty()) otherwise = about.otherwise;
    if (about.required) otherwise = "required";
    sections_[section_].rows.push_back({std::string(key), std::move(type), std::move(otherwise),
                                        std::string(about.meaning), about.required, about.restart});
  }
  template <class T>
  void describe(const std::string& path, const About& about) {
    sections_.push_back({path, std::string(about.meaning), {}});
    Describer inner(sections_, sections_.size() - 1, path + ".");
    T defaults;
    declare(inner, defaults);
  }
  std::vector<Section>& sections_;
  std::size_t section_;
  std::string path_;
};

}  // namespace

std::string reference() {
  std::vector<Section> sections{{"At the top", "Keys that stand in no mapping.", {}}};
  Describer describer(sections, 0, "");
  draft::Root defaults;
  declare(describer, defaults);

  std::string out(introduction);
  for (const auto& section : sections) {
    out += "\n## " + (section.path == "At the top" ? section.path : "`" + section.path + "`") + "\n\n" +
           section.meaning + "\n";
    if (section.rows.empty()) continue;
    out += "\n| key | type | default | change | meaning |\n|---|---|---|---|---|\n";
    for (const auto& row : section.rows) {
      out += "| `" + row.key + "` | " + row.type + " | " + row.otherwise + " | " +
             (row.restart ? "restart" : "reload") + " | " + row.meaning + " |\n";
    }
  }
  return out;
}

}  // namespace fedgate::config
