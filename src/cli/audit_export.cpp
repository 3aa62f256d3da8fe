// SPDX-License-Identifier: Apache-2.0
#include "cli/audit_export.h"

#include <algorithm>
#include <array>
#include <thread>

#include "base/hash.h"
#include "base/time_text.h"
#include "cli/moment.h"
#include "cli/table.h"
#include "fedgate/version.h"

namespace fedgate::cli {
namespace {

using Json = nlohmann::json;

constexpr const char* export_path = "/api/v2/audit/export";
constexpr std::chrono::hours slice{24};
constexpr std::chrono::seconds shortest_slice{1};
constexpr std::chrono::milliseconds pause{500};
constexpr int most_pauses = 60;
constexpr std::chrono::seconds between_lines{2};

// Of ours and theirs alike; what another organisation does not tell stays empty.
constexpr std::array columns{
    "time",           "correlation_id", "attempt",     "phase",     "origin",     "target",   "principal",
    "actor",          "resource",       "capability",  "access",    "outcome",    "code",     "event",
    "action",         "decision",       "rule",        "reason",    "credential", "protocol", "request_bytes",
    "response_bytes", "duration_us",    "upstream_us", "call_hash", "log",        "index",    "leaf_hash"};

std::string csv_header() {
  std::vector<std::string> names(columns.begin(), columns.end());
  for (const char* part : {"counterparty_log", "counterparty_index", "counterparty_hash"}) names.emplace_back(part);
  return csv_line(names);
}

std::string csv_record(const Json& record) {
  std::vector<std::string> cells;
  for (const auto* column : columns) cells.push_back(text_of(record, column));
  const auto& other = part_of(record, "counterparty");
  for (const char* part : {"log", "index", "hash"}) cells.push_back(text_of(other, part));
  return csv_line(cells);
}

std::string dumped(const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace); }

}  // namespace

void Export::say(const std::string& text) {
  const auto now = std::chrono::steady_clock::now();
  if (now - said_ < between_lines) return;
  said_ = now;
  context_.err << printable(text) << '\n';
}

Result<Json> Export::page(const Json& body) {
  for (int pauses = 0;; ++pauses) {
    auto answer = daemon_.ask("POST", export_path, body.dump());
    const bool again = answer ? answer->contains("complete") && !flag_of(*answer, "complete")
                              : answer.error().code == Code::rate_limited;
    if (!again || pauses == most_pauses) return answer;
    std::this_thread::sleep_for(pause);
  }
}

/// What the whole export rests on is settled once, so that going on later gives the same.
Result<void> Export::begin() {
  if (files_.begun()) return {};
  auto status = daemon_.ask("GET", "/api/v2/status");
  if (!status) return fail(status.error());
  files_.state()["node_id"] = text_of(*status, "node_id");
  const auto now = system_clock().wall();
  for (const auto& [name, given] : {std::pair{"from", &wish_.from}, std::pair{"to", &wish_.to}}) {
    if (given->empty()) continue;
    auto moment = moment_from(*given, now);
    if (!moment) return fail(moment.error());
    files_.state()[name] = *moment;
  }
  if (wish_.to.empty()) files_.state()["to"] = precise_utc_text(now);
  return files_.save();
}

Result<void> Export::write_records(const std::string& side, const Json& answer) {
  auto& at = kept(side);
  std::string text;
  if (wish_.format == "csv" && !files_.has(file_of(side))) text = csv_header();
  const auto& records = part_of(answer, "records");
  for (const auto& record : records) {
    text += wish_.format == "csv" ? csv_record(record) : dumped(record) + "\n";
    const auto time = text_of(record, "time");
    if (!at.contains("first") || time < text_of(at, "first")) at["first"] = time;
    if (!at.contains("last") || time > text_of(at, "last")) at["last"] = time;
  }
  at["records"] = at.value("records", std::uint64_t{0}) + records.size();
  at["cursor"] = text_of(answer, "next_cursor");
  if (auto written = files_.append(file_of(side), text); !written) return written;
  say(side + ": " + text_of(at, "records") + " records");
  return {};
}

Result<void> Export::ours() {
  auto& at = kept("ours");
  while (!flag_of(at, "done")) {
    Json body{{"side", "ours"}};
    for (const char* name : {"from", "to"})
      if (files_.state().contains(name)) body[name] = files_.state()[name];
    if (!wish_.principal.empty()) body["principal"] = wish_.principal;
    if (!wish_.peer.empty()) body["peer"] = wish_.peer;
    if (const auto cursor = text_of(at, "cursor"); !cursor.empty()) body["cursor"] = cursor;
    const auto answer = page(body);
    if (!answer) return fail(answer.error());
    if (auto written = write_records("ours", *answer); !written) return written;
    at["done"] = text_of(at, "cursor").empty();
    if (auto saved = files_.save(); !saved) return saved;
  }
  return {};
}

/// By slices of time: a question that looks at too many of their records is ended by them.
Result<void> Export::theirs() {
  auto& at = kept("theirs");
  if (!at.contains("slice")) {
    // Calls began before their records were written, but no earlier than they may take.
    const auto first = text_of(kept("ours"), "first");
    auto from = files_.state().contains("from") ? text_of(files_.state(), "from") : first;
    if (from.empty()) from = text_of(files_.state(), "to");
    auto moment = instant_from(from);
    if (!moment) return fail(moment.error());
    at["slice"] = precise_utc_text(*moment - (from == first ? std::chrono::hours(1) : std::chrono::hours(0)));
  }
  const auto end = instant_from(text_of(files_.state(), "to"));
  if (!end) return fail(end.error());
  WallTime::duration width = slice;
  while (!flag_of(at, "done")) {
    const auto from = instant_from(text_of(at, "slice"));
    if (!from) return fail(from.error());
    if (*from >= *end) {
      at["done"] = true;
      if (!files_.has(file_of("theirs")))
        if (auto empty = write_records("theirs", Json::object()); !empty) return empty;
      return files_.save();
    }
    const auto given = text_of(at, "slice_end");
    const auto to = given.empty() ? Result<WallTime>(std::min(*end, *from + width)) : instant_from(given);
    if (!to) return fail(to.error());
    Json body{{"side", "theirs"},
              {"peer", wish_.peer},
              {"from", precise_utc_text(*from)},
              {"to", precise_utc_text(*to)},
              {"cursor", text_of(at, "cursor")}};
    if (!wish_.principal.empty()) body["principal"] = wish_.principal;
    const auto answer = page(body);
    if (!answer && answer.error().code == Code::deadline_exceeded && width > shortest_slice && given.empty()) {
      width /= 4;
      continue;
    }
    if (!answer) return fail(answer.error());
    if (auto written = write_records("theirs", *answer); !written) return written;
    const bool whole = text_of(at, "cursor").empty();
    at["slice_end"] = whole ? std::string() : precise_utc_text(*to);
    if (whole) at["slice"] = precise_utc_text(*to);
    if (auto saved = files_.save(); !saved) return saved;
  }
  return {};
}

Result<void> Export::write_log_head(const Json& head) {
  auto& at = kept("log");
  const auto& checkpoint = part_of(head, "checkpoint");
  if (!checkpoint.is_object())
    return fail(Code::not_found, "nothing of this log is signed yet: there is no checkpoint to export");
  std::string vkeys;
  for (const auto& key : part_of(head, "vkeys"))
    if (key.is_string()) vkeys += key.get<std::string>() + "\n";
  at["log"] = text_of(head, "log");
  at["size"] = checkpoint.value("size", std::uint64_t{0});
  at["next"] = std::uint64_t{0};
  at["pruned"] = std::uint64_t{0};
  at["changed"] = std::uint64_t{0};
  if (auto put = files_.put("checkpoint", text_of(checkpoint, "note")); !put) return put;
  if (auto put = files_.put("vkeys", vkeys); !put) return put;
  const auto& witnessed = part_of(head, "witnessed");
  if (witnessed.is_object() && text_of(witnessed, "note") != text_of(checkpoint, "note"))
    if (auto put = files_.put("witnessed", text_of(witnessed, "note")); !put) return put;
  if (auto made = files_.append("leaves", ""); !made) return made;
  return files_.save();
}

Result<void> Export::log() {
  auto& at = kept("log");
  if (!at.contains("size")) {
    const auto head = daemon_.ask("GET", "/api/v2/audit/log");
    if (!head) return fail(head.error());
    if (auto written = write_log_head(*head); !written) return written;
  }
  const auto size = at.value("size", std::uint64_t{0});
  while (at.value("next", size) < size) {
    const auto next = at.value("next", size);
    const auto answer = page({{"side", "log"}, {"from_index", next}, {"to_index", size}});
    if (!answer) return fail(answer.error());
    std::string text;
    const auto& leaves = part_of(*answer, "leaves");
    if (leaves.empty()) return fail(Code::not_found, "leaf " + std::to_string(next) + " is not there");
    for (const auto& leaf : leaves) {
      const auto encoded = text_of(leaf, "leaf");
      text += encoded.empty() ? "- " + text_of(leaf, "hash") + "\n" : encoded + "\n";
      if (encoded.empty()) at["pruned"] = at.value("pruned", std::uint64_t{0}) + 1;
      if (flag_of(leaf, "changed")) at["changed"] = at.value("changed", std::uint64_t{0}) + 1;
    }
    at["next"] = next + leaves.size();
    if (auto written = files_.append("leaves", text); !written) return written;
    if (auto saved = files_.save(); !saved) return saved;
    say("leaves: " + text_of(at, "next") + " of " + std::to_string(size));
  }
  at["done"] = true;
  return {};
}

Result<void> Export::write_manifest() {
  auto listing = files_.listing();
  if (!listing) return fail(listing.error());
  manifest_ = {{"node_id", text_of(files_.state(), "node_id")},
               {"made_at", precise_utc_text(system_clock().wall())},
               {"made_by", "fedgate " + std::string(version())},
               {"format", wish_.format},
               {"filters",
                {{"principal", wish_.principal},
                 {"with_peer", wish_.peer},
                 {"from", text_of(files_.state(), "from")},
                 {"to", text_of(files_.state(), "to")}}},
               {"files", std::move(*listing)},
               {"sides", Json::object()},
               {"missing", Json::array()},
               {"complete", problem_.empty()}};
  for (const char* side : {"ours", "theirs", "log"}) {
    if (!files_.state().contains(side)) continue;
    Json shown = kept(side);
    for (const char* own : {"cursor", "slice", "slice_end"}) shown.erase(own);
    manifest_["sides"][side] = std::move(shown);
  }
  if (!problem_.empty()) {
    const std::string side = wish_.format == "tlog" ? "log" : flag_of(kept("ours"), "done") ? "theirs" : "ours";
    manifest_["missing"].push_back({{"side", side}, {"why", problem_}});
  }
  return files_.put(ExportFiles::manifest_name, manifest_.dump(2, ' ', true) + "\n");
}

Result<void> Export::run() {
  if (auto begun = begin(); !begun) return begun;
  Result<void> done;
  if (wish_.format == "tlog") {
    done = log();
  } else {
    done = ours();
    if (done && !wish_.peer.empty()) done = theirs();
  }
  if (!done) problem_ = done.error().detail;
  if (auto written = write_manifest(); !written) return written;
  if (!done) {
    if (auto saved = files_.save(); !saved) return saved;
    return done;
  }
  return files_.finish();
}

namespace {

int run_export(Context& context, const ExportWish& wish) {
  const bool narrowed = !wish.principal.empty() || !wish.from.empty() || !wish.to.empty() || !wish.peer.empty();
  if (wish.format == "tlog" && narrowed)
    return report(context, Error(Code::usage,
                                 "--format tlog exports the log whole: leave --principal, --from, --to "
                                 "and --with-peer out"));
  for (const auto& given : {wish.from, wish.to})
    if (auto moment = given.empty() ? Result<std::string>("") : moment_from(given, system_clock().wall()); !moment)
      return report(context, moment.error());
  const auto daemon = Connection::to_admin(context.where);
  if (!daemon) return report(context, daemon.error());
  auto files = ExportFiles::open(wish.directory, {{"format", wish.format},
                                                  {"principal", wish.principal},
                                                  {"from", wish.from},
                                                  {"to", wish.to},
                                                  {"with_peer", wish.peer}});
  if (!files) return report(context, files.error());
  if (files->begun()) context.err << "Going on with the export in " << printable(wish.directory) << ".\n";
  Export work(context, **daemon, *files, wish);
  const auto done_well = work.run();
  if (!done_well) {
    const int status = report(context, done_well.error());
    if (!work.problem().empty())
      context.err << "  The export is not whole; the same command goes on with it. What is missing stands in "
                  << printable(wish.directory) << "/" << ExportFiles::manifest_name << ".\n";
    return status;
  }
  if (context.json()) {
    print_json(context.out, work.manifest());
    return done;
  }
  Table table({"FILE", "BYTES", "SHA-256"});
  for (const auto& file : part_of(work.manifest(), "files"))
    table.add({text_of(file, "name"), text_of(file, "bytes"), text_of(file, "sha256")});
  table.print(context.out);
  return done;
}

}  // namespace

void add_audit_export(CLI::App& audit, Context& context) {
  auto* verb = audit.add_subcommand("export", "Write records to files, for somebody else");
  verb->footer(
      "jsonl, csv: ours.* and, with --with-peer, theirs.*: what that node tells of the same calls; then ours has only\n"
      "records that concern it. tlog: leaves, checkpoint and vkeys, the whole log for anyone's own tools. A manifest\n"
      "says what is there and what is missing. Broken off, or the node away: the same command goes on.\n"
      "Times: 2026-11-20, 2026-11-20T09:30:00Z, or how long ago: 15m, 2h, 7d.");
  auto wish = std::make_shared<ExportWish>();
  verb->add_option("directory", wish->directory, "A new directory")->required()->type_name("DIR");
  verb->add_option("--format", wish->format, "jsonl (default), csv or tlog")
      ->check(CLI::IsMember({"jsonl", "csv", "tlog"}))
      ->type_name("FORMAT");
  const auto option = [&](const char* name, std::string& into, const char* text, const char* type) {
    verb->add_option(name, into, text)->type_name(type);
  };
  option("--principal", wish->principal, "Who asked", "PRINCIPAL");
  option("--from", wish->from, "Not before this time", "TIME");
  option("--to", wish->to, "Before this time; default: now", "TIME");
  option("--with-peer", wish->peer, "What this node and we remember of each other's calls", "NODE");
  add_daemon_options(*verb, context);
  verb->callback([&context, wish] { context.chosen = [&context, wish] { return run_export(context, *wish); }; });
}

}  // namespace fedgate::cli
