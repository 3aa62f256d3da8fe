// SPDX-License-Identifier: Apache-2.0
#include "config/loader.h"

#include <algorithm>
#include <filesystem>

#include "config/binder.h"
#include "config/document.h"
#include "config/files.h"
#include "config/resolver.h"

namespace fedgate::config {
namespace {

constexpr std::size_t most_files = 256;

std::filesystem::path further_folder(const std::string& main_file) {
  return std::filesystem::path(main_file).parent_path() / "conf.d";
}

/// `conf.d/*.yaml` beside the main file, by name.
std::vector<std::string> further_files(const std::string& main_file, Report& report) {
  const auto directory = further_folder(main_file);
  std::error_code problem;
  if (!std::filesystem::is_directory(directory, problem)) return {};
  std::vector<std::string> found;
  std::filesystem::directory_iterator entry(directory, problem);
  for (; !problem && entry != std::filesystem::directory_iterator(); entry.increment(problem)) {
    const auto name = entry->path().filename().string();
    if (name.ends_with(".yaml") && !name.starts_with(".")) found.push_back(entry->path().string());
    if (found.size() > most_files) break;
  }
  if (problem) report.error({}, "cannot look into " + directory.string() + ": " + problem.message());
  if (found.size() > most_files) {
    report.error({},
                 directory.string() + " holds more than " + std::to_string(most_files) + " files; put them together");
    found.clear();
  }
  std::ranges::sort(found);
  return found;
}

struct Documents {
  std::vector<Value> readable;
  bool whole = true;  ///< false: a file could not be read as YAML, and what the others lack could stand there
};

Documents read_documents(const std::string& main_file, Files& files, Report& report) {
  std::vector<std::string> paths{main_file};
  report.add_file(main_file);
  for (auto& path : further_files(main_file, report)) {
    report.add_file(path);
    paths.push_back(std::move(path));
  }
  Documents documents;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto text = files.read_whole(paths[i], i);
    auto document = text ? read_document(*text, i, report) : std::nullopt;
    documents.whole = documents.whole && document.has_value();
    if (document) documents.readable.push_back(std::move(*document));
  }
  return documents;
}

draft::Root bind(const std::vector<Value>& documents, Report& report) {
  std::vector<const Value*> mappings;
  for (const auto& document : documents) mappings.push_back(&document);
  draft::Root root;
  Binder binder(report, std::move(mappings), "", {});
  declare(binder, root);
  binder.finish();
  return root;
}

std::vector<std::string> to_watch(const std::string& main_file, const Files& files) {
  auto all = files.read_so_far();
  all.push_back(files.absolute(std::filesystem::absolute(further_folder(main_file)).string()));
  return all;
}

}  // namespace

Loaded load(const std::string& file, const Clock& clock) {
  Report report;
  Files files(file, report);
  const auto documents = read_documents(file, files, report);
  const auto findings_of_reading = report.sorted();
  if (documents.readable.empty()) return {nullptr, findings_of_reading, {}, to_watch(file, files)};
  const auto root = bind(documents.readable, report);
  auto settings = std::make_shared<Settings>();
  Resolver(root, report, files, clock, *settings).resolve();
  settings->file = files.read_so_far().front();
  const bool admin_known = documents.whole || root.listen->admin->address.bound();
  auto admin_address = admin_known ? settings->admin.address : std::string();
  if (report.failed()) settings.reset();
  return {std::move(settings), documents.whole ? report.sorted() : findings_of_reading, std::move(admin_address),
          to_watch(file, files)};
}

}  // namespace fedgate::config
