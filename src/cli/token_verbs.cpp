// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/table.h"
#include "cli/verb.h"
#include "config/loader.h"
#include "trust/client_tokens.h"

namespace fedgate::cli {
namespace {

struct Issue {
  std::string principal, file, expires;
  std::vector<std::string> groups;
};

/// Run by root for a daemon that is not: what is made belongs to whom the configuration belongs to.
void give_to_owner(int descriptor, const struct stat& owner) {
  if (::geteuid() == 0 && owner.st_uid != 0 && ::fchown(descriptor, owner.st_uid, owner.st_gid) != 0) {
    // It stays root's; `fedgate check`, run as the daemon's user, will name it.
  }
}

Result<void> write_new_file(const std::string& path, std::string_view text, const struct stat& owner) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (descriptor < 0 && errno == EEXIST) {
    return fail(Code::conflict,
                path +
                    " exists already and is not overwritten: it would cut off whoever uses the old token. "
                    "Remove it first, or give another name with --file");
  }
  if (descriptor < 0) return fail(Code::io_error, "cannot make " + path + ": " + std::strerror(errno));
  const bool written =
      ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(descriptor) == 0;
  const int reason = errno;
  if (written) give_to_owner(descriptor, owner);
  ::close(descriptor);
  if (written) return {};
  ::unlink(path.c_str());
  return fail(Code::io_error, "cannot write " + path + ": " + std::strerror(reason));
}

/// The configuration may be unfinished (it may even name the file that is being made), so it need not be valid.
Result<void> check_domain(Context& context, const PrincipalId& principal) {
  const auto loaded = config::load(context.config_file(), system_clock());
  if (!loaded.settings) return {};
  std::string domains;
  for (const auto& domain : loaded.settings->node.principal_domains) {
    if (domain.view() == domain_of(principal)) return {};
    domains += (domains.empty() ? "" : ", ") + domain.str();
  }
  return fail(Code::usage, principal.str() + " is not of this organisation: node.principal_domains in " +
                               context.config_file() + " has " + domains);
}

void print_lines_to_add(Context& context, const Issue& options, const std::string& file) {
  auto& err = context.err;
  err << "\nThis is the token. It is shown once; " << printable(file) << " holds only its hash.\n"
      << "Add this to clients: in " << printable(context.config_file()) << ", then `fedgate reload`:\n\n"
      << "clients:\n  - principal: " << options.principal << "\n    token_file: " << printable(file) << '\n';
  if (!options.groups.empty()) {
    err << "    groups: [";
    for (std::size_t i = 0; i < options.groups.size(); ++i) err << (i == 0 ? "" : ", ") << options.groups[i];
    err << "]\n";
  }
  if (!options.expires.empty()) err << "    expires: " << options.expires << '\n';
}

bool plain_word(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:+-") ==
             std::string_view::npos;
}

int issue(Context& context, const Issue& options) {
  const auto principal = PrincipalId::parse(options.principal);
  if (!principal) return report(context, Error(Code::usage, principal.error().detail));
  for (const auto& text : options.groups) {
    if (!plain_word(text))
      return report(context,
                    Error(Code::usage, "--group " + text + ": a group's name is letters, digits and . _ : + -"));
  }
  if (!options.expires.empty() && !plain_word(options.expires)) {
    return report(context, Error(Code::usage, "--expires: a date such as 2027-01-01 is wanted"));
  }
  const std::filesystem::path config = std::filesystem::absolute(context.config_file());
  struct stat owner{};
  if (::stat(config.c_str(), &owner) != 0) {
    return report(context, Error(Code::invalid_configuration,
                                 "no configuration at " + config.string() + ": " + std::strerror(errno) +
                                     "; give --config F, or make one with `fedgate init`"));
  }
  if (const auto ours = check_domain(context, *principal); !ours) return report(context, ours.error());

  const std::string local = principal->str().substr(0, principal->str().find('@'));
  const std::string name = options.file.empty() ? local : options.file;
  if (name.find('/') != std::string::npos || name.starts_with('.')) {
    return report(context,
                  Error(Code::usage, "`" + name + "` cannot be a file in tokens/; give a plain name with --file"));
  }
  const std::filesystem::path directory = config.parent_path() / "tokens";
  if (::mkdir(directory.c_str(), 0700) == 0) {
    const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
      give_to_owner(descriptor, owner);
      ::close(descriptor);
    }
  } else if (errno != EEXIST) {
    return report(context, Error(Code::io_error, "cannot make " + directory.string() + ": " + std::strerror(errno)));
  }

  const std::string token = trust::make_token();
  if (const auto written = write_new_file(directory / name, trust::token_file_text(token), owner); !written) {
    return report(context, written.error());
  }
  const std::string file = "tokens/" + name;
  if (context.json()) {
    print_json(context.out, {{"token", token}, {"principal", options.principal}, {"token_file", file}});
  } else {
    context.out << token << '\n';
  }
  context.out.flush();
  if (!context.out) {
    ::unlink((directory / name).c_str());
    return report(context, Error(Code::io_error, "the token could not be printed, so its file was removed again"));
  }
  if (!context.json()) print_lines_to_add(context, options, file);
  return done;
}

}  // namespace

void add_token_verbs(CLI::App& root, Context& context) {
  auto* group = root.add_subcommand("token", "Clients' bearer tokens");
  group->require_subcommand(1);
  auto* verb = group->add_subcommand("issue", "Make a token for one of this organisation's principals");
  verb->footer(
      "Prints the token on standard output, once, and what to add to the configuration on standard error.\n"
      "Its hash goes to tokens/NAME beside the configuration. The daemon learns of it by `fedgate reload`.");
  auto options = std::make_shared<Issue>();
  verb->add_option("principal", options->principal, "Who may use it: alice@orga.example")
      ->required()
      ->type_name("PRINCIPAL");
  verb->add_option("--file", options->file, "Name of the file in tokens/; default the part before the @")
      ->type_name("NAME");
  verb->add_option("--group", options->groups, "A group of the principal, for policy; may be repeated")
      ->allow_extra_args(false)
      ->type_name("GROUP");
  verb->add_option("--expires", options->expires, "Day from which the token is refused: 2027-01-01")->type_name("DATE");
  add_config_option(*verb, context);
  add_output_option(*verb, context);
  verb->callback([&context, options] { context.chosen = [&context, options] { return issue(context, *options); }; });
}

}  // namespace fedgate::cli
