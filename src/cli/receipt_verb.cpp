// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>

#include "cli/table.h"
#include "cli/verb.h"
#include "net/http_message.h"

namespace fedgate::cli {
namespace {

using Json = nlohmann::json;

struct Wanted {
  std::string id;
  std::string directory;
};

void add_standing(Details& details, const Json& standing) {
  if (!standing.is_object()) return;
  details.add("checkpoint", "size " + text_of(standing, "size") + ", root " + text_of(standing, "root"));
  const auto witnesses = text_of(standing, "cosigned_by");
  details.add("cosigned by", witnesses.empty() ? "nobody yet" : witnesses);
}

void show_receipt(Context& context, const Json& one) {
  Details details;
  details.add("record", text_of(one, "log") + " " + text_of(one, "index"));
  details.add("leaf hash", text_of(one, "leaf_hash"));
  details.add("leaf", text_of(one, "leaf"));
  add_standing(details, part_of(one, "standing"));
  details.add("no proof", text_of(one, "why_not"));
  const auto& other = part_of(one, "counterparty");
  if (other.is_object()) {
    details.add("other side", text_of(other, "log") + " " + text_of(other, "index"));
    details.add("its leaf hash", text_of(other, "leaf_hash"));
    details.add("its receipt", text_of(other, "state"));
    details.add("why", text_of(other, "why"));
  }
  details.print(context.out);
  if (other.is_object() && part_of(other, "standing").is_object()) {
    Details theirs;
    add_standing(theirs, part_of(other, "standing"));
    context.out << "of the other side:\n";
    theirs.print(context.out);
  }
}

Result<void> write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (out) return {};
  return fail(Code::io_error, "cannot write " + path.string());
}

/// Names of files from what a daemon says: digits and nothing else.
std::string number_of(const Json& object) {
  const auto found = object.find("index");
  return found != object.end() && found->is_number_unsigned() ? std::to_string(found->get<std::uint64_t>()) : "record";
}

/// What anybody's own tools check: the leaf as it is hashed, C2SP tlog-proof files, verifier keys a line.
Result<void> save(const Json& answer, const std::string& directory) {
  const std::filesystem::path into(directory);
  std::error_code problem;
  std::filesystem::create_directories(into, problem);
  std::string keys;
  for (const auto& key : part_of(answer, "vkeys"))
    if (key.is_string()) keys += key.get<std::string>() + '\n';
  for (const auto& one : part_of(answer, "receipts")) {
    const auto name = number_of(one);
    if (auto done = write_file(into / (name + ".leaf"), text_of(one, "leaf")); !done) return done;
    if (const auto& standing = part_of(one, "standing"); standing.is_object())
      if (auto done = write_file(into / (name + ".tlog-proof"), text_of(standing, "proof")); !done) return done;
    const auto& other = part_of(one, "counterparty");
    if (!other.is_object()) continue;
    for (const auto& key : part_of(other, "vkeys"))
      if (key.is_string() && keys.find(key.get<std::string>()) == std::string::npos)
        keys += key.get<std::string>() + '\n';
    const auto& standing = part_of(other, "standing");
    if (!standing.is_object()) continue;
    const auto stem = name + ".counterparty-" + number_of(other);
    if (auto done = write_file(into / (stem + ".leaf-hash"), text_of(other, "leaf_hash") + "\n"); !done) return done;
    if (auto done = write_file(into / (stem + ".tlog-proof"), text_of(standing, "proof")); !done) return done;
  }
  return write_file(into / "vkeys", keys);
}

int receipt(Context& context, const Wanted& wanted) {
  const auto connection = Connection::to_admin(context.where);
  if (!connection) return report(context, connection.error());
  const auto answer = (*connection)->ask("GET", "/api/v2/audit/receipt?id=" + net::percent_encode(wanted.id));
  if (!answer) return report(context, answer.error());
  if (!wanted.directory.empty())
    if (auto saved = save(*answer, wanted.directory); !saved) return report(context, saved.error());
  if (context.json()) {
    print_json(context.out, *answer);
    return done;
  }
  bool first = true;
  for (const auto& one : part_of(*answer, "receipts")) {
    if (!first) context.out << '\n';
    first = false;
    show_receipt(context, one);
  }
  if (!wanted.directory.empty())
    context.out << "\nSaved in " << printable(wanted.directory)
                << ": N.leaf, N.tlog-proof (C2SP tlog-proof), vkeys; what the other side has proven beside them.\n";
  return done;
}

}  // namespace

void add_audit_receipt(CLI::App& group, Context& context) {
  auto wanted = std::make_shared<Wanted>();
  auto* verb = group.add_subcommand("receipt", "Proof of one call's records, for somebody who does not believe us");
  verb->footer(
      "Each record with the way to a signed checkpoint, cosigned by witnesses where they have been there, and what the "
      "other side has proven of its own record.");
  verb->add_option("id", wanted->id, "A correlation id, or LOG:INDEX")->required()->type_name("ID");
  verb->add_option("--save", wanted->directory, "Write files that an outsider can check into this directory")
      ->type_name("DIR");
  add_daemon_options(*verb, context);
  verb->callback([&context, wanted] { context.chosen = [&context, wanted] { return receipt(context, *wanted); }; });
}

}  // namespace fedgate::cli
