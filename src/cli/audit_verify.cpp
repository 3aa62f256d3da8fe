// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <map>

#include "base/hash.h"
#include "cli/audit_sources.h"
#include "cli/moment.h"
#include "cli/table.h"
#include "cli/verb.h"

namespace fedgate::cli {
namespace {

using verify::Evidence;
using verify::Grade;
using verify::HeadResult;
using verify::Report;

struct Options {
  std::vector<std::string> exports, witnesses, keys;
  std::string store, log;
};

constexpr std::size_t longest_shown = 600;

/// Says how far it is, every few seconds, for what takes longer.
class Progress {
 public:
  Progress(std::ostream& err, std::string what) : err_(err), what_(std::move(what)) {}
  void at(std::uint64_t count) {
    if (count % 1024 != 0) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - said_ < std::chrono::seconds(2)) return;
    said_ = now;
    err_ << what_ << ": " << count << " records" << std::endl;
  }

 private:
  std::ostream& err_;
  std::string what_;
  std::chrono::steady_clock::time_point said_ = std::chrono::steady_clock::now();
};

// ---- what there is --------------------------------------------------------------------------------------------

Result<std::vector<LogSource>> sources_of(Context& context, const Options& options) {
  std::vector<LogSource> sources;
  for (const auto& directory : options.exports) {
    auto source = open_export(directory);
    if (!source) return fail(source.error());
    if (!options.log.empty() && source->log != options.log)
      return fail(Code::usage, directory + " holds " + source->log + ", not " + options.log);
    sources.push_back(std::move(*source));
  }
  if (!sources.empty()) return sources;
  store::Options where;
  if (!options.store.empty()) {
    where.url = options.store;
  } else {
    const auto settings = load_settings(context);
    if (!settings) return fail(Code::invalid_configuration, "there is nothing to read the log from");
    where = settings->store;
  }
  where.migrate = false;
  where.any_schema = true;
  if (constexpr std::string_view sqlite = "sqlite:";
      where.url.starts_with(sqlite) && !std::filesystem::exists(where.url.substr(sqlite.size())))
    return fail(Code::usage, "there is no database " + where.url.substr(sqlite.size()));
  auto store = store::open(where);
  if (!store) return fail(store.error());
  return open_logs(std::move(*store), options.log);
}

/// What one record of `source` says of the logs that are audited. A copy of one of these speaks of each leaf.
void gather_from(verify::RecordReader& reader, const LogSource& source, bool is_copy, const verify::Entry& entry,
                 std::uint64_t position, std::map<std::string, Evidence>& audited) {
  if (entry.leaf.empty()) return;
  const auto record = reader.read(entry.leaf);
  if (!record) return;
  const auto teller = [](const Evidence& evidence) { return static_cast<std::uint32_t>(evidence.tellers.size() - 1); };
  if (const auto own = audited.find(source.log); is_copy && own != audited.end())
    own->second.views.push_back({position, verify::hash_of_leaf(entry.leaf), teller(own->second), position});
  if (!record->counterparty || record->phase == "event" || record->counterparty->log == source.log) return;
  const auto about = audited.find(record->counterparty->log);
  if (about == audited.end()) return;
  auto& evidence = about->second;
  if (const auto& leaf = record->counterparty->leaf)
    evidence.views.push_back({leaf->index, leaf->hash, teller(evidence), position});
  const auto& head = record->counterparty->head;
  if (head && (evidence.mentions.empty() || evidence.mentions.back().head != *head))
    evidence.mentions.push_back({*head, teller(evidence), position});
}

Result<void> gather(Context& context, const LogSource& source, bool is_copy, std::map<std::string, Evidence>& audited) {
  verify::RecordReader reader;
  Progress progress(context.err, "reading " + source.name);
  std::uint64_t number = 0;
  for (auto& [log, evidence] : audited) evidence.tellers.push_back(source.log + " (" + source.name + ")");
  return source.read([&](const verify::Entry& entry) {
    gather_from(reader, source, is_copy, entry, entry.key.value_or(number), audited);
    progress.at(++number);
    return Reading::go_on;
  });
}
/// How the generation before a log ended, as its first leaf says.
Result<void> gather_generation(const LogSource& source, std::map<std::string, Evidence>& audited) {
  const auto before = verify::previous_generation(source.log);
  const auto about = before ? audited.find(*before) : audited.end();
  if (about == audited.end()) return {};
  return source.read([&](const verify::Entry& entry) {
    verify::RecordReader reader;
    const auto record = reader.read(entry.leaf);
    if (record && verify::begins_generation(*record) && record->counterparty && record->counterparty->leaf) {
      auto& evidence = about->second;
      evidence.tellers.push_back(source.log);
      const auto& last = *record->counterparty->leaf;
      evidence.mentions.push_back(
          {{last.index, last.hash}, static_cast<std::uint32_t>(evidence.tellers.size() - 1), 0});
    }
    return Reading::stop;
  });
}

Result<std::map<std::string, Evidence>> evidence_for(Context& context, const Options& options,
                                                     const std::vector<LogSource>& sources) {
  std::map<std::string, Evidence> audited;
  std::vector<verify::Key> trusted;
  for (const auto& argument : options.keys) {
    auto keys = keys_from(argument);
    if (!keys) return fail(keys.error());
    trusted.insert(trusted.end(), keys->begin(), keys->end());
  }
  std::vector<verify::ShownHead> heads;
  std::vector<LogSource> others;
  for (const auto& path : options.witnesses) {
    if (std::filesystem::is_directory(path)) {
      auto source = open_export(path);
      if (!source) return fail(source.error());
      for (auto& head : source->heads) {
        head.from = verify::ShownHead::From::witness;
        heads.push_back(head);
      }
      others.push_back(std::move(*source));
      continue;
    }
    auto read = heads_from(path);
    if (!read) return fail(read.error());
    std::ranges::move(*read, std::back_inserter(heads));
  }
  for (const auto& source : sources) {
    auto& evidence = audited[source.log];
    evidence.trusted = trusted;
    std::ranges::copy(source.claimed, std::back_inserter(evidence.claimed));
    std::ranges::copy(source.heads, std::back_inserter(evidence.heads));
  }
  for (auto& [log, evidence] : audited) std::ranges::copy(heads, std::back_inserter(evidence.heads));
  for (const auto& source : sources)
    if (auto read = gather_generation(source, audited); !read) return fail(read.error());
  for (const auto& other : others)
    if (auto read = gather(context, other, true, audited); !read) return fail(read.error());
  // Logs of one node say nothing of each other.
  const auto node_of = [](const LogSource& source) { return source.log.substr(0, source.log.find('/')); };
  const bool several = std::ranges::any_of(
      sources, [&](const LogSource& source) { return node_of(source) != node_of(sources.front()); });
  if (several)
    for (const auto& source : sources)
      if (auto read = gather(context, source, false, audited); !read) return fail(read.error());
  return audited;
}

// ---- what is said ---------------------------------------------------------------------------------------------

std::string cut(std::string text) {
  if (text.size() > longest_shown) text = text.substr(0, longest_shown) + "…";
  return text;
}

nlohmann::json to_json(const Report& report) {
  auto findings = nlohmann::json::array();
  for (const auto& finding : report.findings)
    findings.push_back({{"grade", to_string(finding.grade)},
                        {"kind", to_string(finding.kind)},
                        {"first", finding.first},
                        {"last", finding.last},
                        {"text", cut(finding.text)}});
  auto heads = nlohmann::json::array();
  for (const auto& head : report.heads)
    heads.push_back({{"source", head.source},
                     {"size", head.head.size},
                     {"root", to_hex(head.head.root)},
                     {"standing", to_string(head.standing)},
                     {"fit", to_string(head.fit)},
                     {"signers", head.signers}});
  return {{"log", report.log},
          {"source", report.source},
          {"verdict", to_string(report.verdict())},
          {"leaves", report.leaves},
          {"pruned", report.pruned},
          {"root", to_hex(report.head.root)},
          {"open_intents", report.open_intents},
          {"proven", {{"by_witness", report.witnessed}, {"by_log_key", report.signed_by_log}}},
          {"keys_given", report.keys_given},
          {"heads", heads},
          {"findings", findings},
          {"more_findings", report.more_findings}};
}

std::string_view meaning(const Report& report) {
  switch (report.verdict()) {
    case Report::Verdict::verified:
      return "a key that you trust vouches for it";
    case Report::Verdict::consistent:
      return "it hangs together, but no key that you trust vouches for it: whoever made it may have made all of it";
    case Report::Verdict::unproven:
      return "it hangs together, but no head that your keys have signed could be compared with it";
    case Report::Verdict::broken:
      return "it is not the log that was signed, or cannot be a log";
    case Report::Verdict::irregular:
      return "it is what was signed, as far as that can be seen; its records contradict themselves";
  }
  return "";
}

std::string proven_text(const Report& report) {
  const auto up_to = [](std::uint64_t size) { return size == 0 ? std::string("none") : std::to_string(size); };
  auto text = "by a witness " + up_to(report.witnessed) + ", by the log's own key " + up_to(report.signed_by_log) +
              ", of " + std::to_string(report.leaves);
  if (report.keys_given && report.witnessed == 0 && report.signed_by_log > 0)
    text += "; the log's owner could have signed another one";
  return text;
}

void show(Context& context, const Report& report) {
  Details details;
  details.add(report.log, std::string(to_string(report.verdict())) + ": " + std::string(meaning(report)));
  details.add("  from", report.source);
  auto leaves = std::to_string(report.leaves);
  if (report.pruned > 0) leaves += ", " + std::to_string(report.pruned) + " of them as hashes only";
  if (report.oldest) leaves += ", " + to_rfc3339(*report.oldest) + " to " + to_rfc3339(*report.newest);
  details.add("  leaves", leaves);
  if (report.head.size > 0) details.add("  root", to_hex(report.head.root));
  details.add("  proven", proven_text(report));
  const auto fit = [&](HeadResult::Fit wanted) { return std::ranges::count(report.heads, wanted, &HeadResult::fit); };
  details.add("  heads", std::to_string(report.heads.size()) + " shown, " +
                             std::to_string(fit(HeadResult::Fit::matches)) + " match, " +
                             std::to_string(fit(HeadResult::Fit::differs) + fit(HeadResult::Fit::beyond)) + " do not");
  for (const auto& finding : report.findings)
    details.add("  " + std::string(to_string(finding.grade)),
                std::string(to_string(finding.kind)) + ": " + cut(finding.text));
  if (report.more_findings > 0) details.add("  and", std::to_string(report.more_findings) + " more");
  details.print(context.out);
}

int verify_logs(Context& context, const Options& options) {
  const auto sources = sources_of(context, options);
  if (!sources) return report(context, sources.error());
  const auto evidence = evidence_for(context, options, *sources);
  if (!evidence) return report(context, evidence.error());
  bool holds = true;
  auto reports = nlohmann::json::array();
  for (const auto& source : *sources) {
    verify::LogAudit audit(source.log, source.name, evidence->at(source.log));
    Progress progress(context.err, "checking " + source.log);
    const auto read = source.read([&](verify::Entry entry) {
      audit.add(std::move(entry));
      progress.at(audit.added());
      return Reading::go_on;
    });
    if (!read) return report(context, read.error());
    const auto result = audit.finish();
    holds = holds && (result.verdict() == Report::Verdict::verified || result.verdict() == Report::Verdict::consistent);
    if (context.json()) {
      reports.push_back(to_json(result));
    } else {
      show(context, result);
    }
  }
  if (context.json()) {
    print_json(context.out, reports);
  } else if (options.keys.empty()) {
    context.out << "\nNo --vkey was given. Keys that come with a log prove nothing against whoever made it: take the "
                   "log's key and its\nwitnesses' keys from elsewhere (`fedgate trust show NODE` on another "
                   "organisation's gateway, or their own word).\n";
  }
  return holds ? done : failed;
}

}  // namespace

void add_audit_verify(CLI::App& audit, Context& context) {
  auto* verb = audit.add_subcommand("verify", "Check logs offline, against everything that was signed of them");
  verb->footer(
      "Exit status 0: nothing contradicts the logs; 1: something does, or --vkey was given and no head of these keys "
      "fits;\n2: wrong usage. docs/audit.md says what this proves, against whom, and how to do it without fedgate.");
  auto options = std::make_shared<Options>();
  const auto many = [&](const char* name, std::vector<std::string>& into, const char* text, const char* type) {
    return verb->add_option(name, into, text)->type_name(type);
  };
  auto* exported = many("--export", options->exports, "A directory that `audit export --format tlog` wrote", "DIR");
  auto* store = verb->add_option("--store", options->store, "A database: sqlite:PATH or postgresql://…")
                    ->type_name("URL")
                    ->excludes(exported);
  verb->add_option("--config", context.where.config, "Take the database from this configuration; the default")
      ->type_name("FILE")
      ->excludes(exported)
      ->excludes(store);
  verb->add_option("--log", options->log, "Only the log of this name")->type_name("NAME");
  many("--witness", options->witnesses,
       "What others hold: a file of signed checkpoints, the other party's export, or an older copy of this one",
       "FILE|DIR");
  many("--vkey", options->keys, "Keys you trust, of logs and of witnesses: a verifier key, or a file with one a line",
       "KEY|FILE");
  add_output_option(*verb, context);
  verb->callback(
      [&context, options] { context.chosen = [&context, options] { return verify_logs(context, *options); }; });
}

}  // namespace fedgate::cli
