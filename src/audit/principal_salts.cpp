// SPDX-License-Identifier: Apache-2.0
#include "audit/principal_salts.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "audit/durable_file.h"
#include "base/hash.h"

namespace fedgate::audit {
namespace {

constexpr std::string_view mark = "hmac:";
constexpr std::size_t salt_text_bytes = 44;  // base64 of 32 bytes

// A principal's name cannot begin like this: it has no colon.
bool is_pseudonym(std::string_view text) { return text.starts_with(mark); }

std::string_view view(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  if (what.empty()) return;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

std::string pseudonym_of(std::string_view salt, std::string_view principal) {
  const auto hash = hmac_sha256(salt, principal);
  const auto domain = principal.substr(std::min(principal.size(), principal.rfind('@')));
  return std::string(mark) + to_hex(std::span(hash).first(16)) + std::string(domain);
}

class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

PrincipalSalts::~PrincipalSalts() {
  for (auto& [principal, entry] : entries_) OPENSSL_cleanse(entry.salt.data(), entry.salt.size());
}

std::string PrincipalSalts::line(std::string_view principal, const Salt& salt) {
  return to_base64(view(salt)) + ' ' + std::string(principal) + '\n';
}

Result<std::unique_ptr<PrincipalSalts>> PrincipalSalts::open(std::string file, const Entropy& entropy) {
  std::unique_ptr<PrincipalSalts> salts(new PrincipalSalts(std::move(file), entropy));
  if (auto loaded = salts->load(); !loaded) return fail(loaded.error());
  return salts;
}

Result<void> PrincipalSalts::load() {
  auto text = read_secret_file(file_, most * (salt_text_bytes + 320));
  if (!text) return fail(text.error().in("principals' salts"));
  if (!*text) return create_file(file_, "");
  std::string_view rest = **text;
  std::size_t number = 0;
  while (!rest.empty()) {
    ++number;
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) break;  // torn: no leaf can have needed it
    const auto one = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    const auto salt = from_base64(one.substr(0, std::min(one.size(), salt_text_bytes)));
    if (!salt || salt->size() != std::tuple_size_v<Salt> || one.size() < salt_text_bytes + 2 ||
        one[salt_text_bytes] != ' ')
      return fail(Code::io_error, file_ + ":" + std::to_string(number) +
                                      ": not a salt and a principal; restore the file from a copy, or take the line "
                                      "out: what that principal did can then not be found by name any more");
    const std::string principal(one.substr(salt_text_bytes + 1));
    Entry entry;
    std::ranges::copy(*salt, entry.salt.begin());
    entry.pseudonym = pseudonym_of(*salt, principal);
    names_[entry.pseudonym] = principal;
    entries_[principal] = std::move(entry);
  }
  if (rest.empty()) return {};
  return replace_file(file_, std::string_view(**text).substr(0, (*text)->size() - rest.size()));
}

// With the mutex held by nobody.
PrincipalSalts::Entry PrincipalSalts::entry(std::string_view principal) {
  const std::lock_guard guard(mutex_);
  const std::string name(principal);
  if (const auto found = entries_.find(name); found != entries_.end()) return found->second;
  Entry made;
  entropy_.fill(made.salt);
  made.pseudonym = pseudonym_of(view(made.salt), principal);
  if (entries_.size() >= most || name.find('\n') != std::string::npos) return made;
  unwritten_ += line(principal, made.salt);
  names_[made.pseudonym] = name;
  return entries_.emplace(name, std::move(made)).first->second;
}

std::string PrincipalSalts::pseudonym(std::string_view principal) {
  return is_pseudonym(principal) ? std::string(principal) : entry(principal).pseudonym;
}

AuditEvent PrincipalSalts::veiled(AuditEvent event) {
  for (auto* name : {&event.principal, &event.actor}) {
    if (name->find('@') == std::string::npos) continue;
    auto hidden = pseudonym(*name);
    replace_all(event.reason, *name, hidden);
    if (event.decision) replace_all(event.decision->reason, *name, hidden);
    *name = std::move(hidden);
  }
  return event;
}

std::string PrincipalSalts::call_nonce(std::string_view principal, const CorrelationId& call, std::uint32_t attempt) {
  std::string text = "fedgate call nonce v1";
  text += '\0';
  text += call.str();
  text += ' ';
  text += std::to_string(attempt);
  const auto whole = hmac_sha256(view(entry(principal).salt), text);
  return std::string(view(whole).substr(0, 16));
}

std::optional<std::string> PrincipalSalts::known_pseudonym(std::string_view principal) const {
  const std::lock_guard guard(mutex_);
  const auto found = entries_.find(std::string(principal));
  if (found == entries_.end()) return std::nullopt;
  return found->second.pseudonym;
}

std::optional<std::string> PrincipalSalts::principal_of(std::string_view pseudonym) const {
  const std::lock_guard guard(mutex_);
  const auto found = names_.find(std::string(pseudonym));
  if (found == names_.end()) return std::nullopt;
  return found->second;
}

Result<void> PrincipalSalts::append(std::string_view lines) {
  const auto cannot = [this](std::string_view doing) {
    return fail(Code::io_error, "principals' salts: " + std::string(doing) + " " + file_ + ": " +
                                    std::system_category().message(errno));
  };
  const OpenFile file(::open(file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return cannot("cannot open");
  struct stat before{};
  if (::fstat(file.get(), &before) != 0) return cannot("cannot look at");
  while (!lines.empty()) {
    const auto written = ::write(file.get(), lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      auto failed = cannot("cannot write");
      (void)::ftruncate(file.get(), before.st_size);  // or the next line would be part of a torn one
      return failed;
    }
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fdatasync(file.get()) != 0) return cannot("cannot sync");
  return {};
}

Result<void> PrincipalSalts::flush() {
  {
    const std::lock_guard guard(mutex_);
    if (unwritten_.empty()) return {};
  }
  const std::lock_guard one_at_a_time(writing_);
  std::string lines;
  {
    const std::lock_guard guard(mutex_);
    lines = unwritten_;
  }
  if (auto written = append(lines); !written) return written;
  const std::lock_guard guard(mutex_);
  unwritten_.erase(0, lines.size());
  return {};
}

Result<bool> PrincipalSalts::erase(std::string_view principal) {
  const std::lock_guard one_at_a_time(writing_);
  std::string whole;
  std::size_t covered = 0;
  {
    const std::lock_guard guard(mutex_);
    const auto found = entries_.find(std::string(principal));
    if (found == entries_.end()) return false;
    for (const auto& [name, entry] : entries_)
      if (name != principal) whole += line(name, entry.salt);
    covered = unwritten_.size();
  }
  if (auto replaced = replace_file(file_, whole); !replaced) return fail(replaced.error().in("principals' salts"));
  const std::lock_guard guard(mutex_);
  unwritten_.erase(0, covered);
  const auto found = entries_.find(std::string(principal));
  names_.erase(found->second.pseudonym);
  OPENSSL_cleanse(found->second.salt.data(), found->second.salt.size());
  entries_.erase(found);
  return true;
}

}  // namespace fedgate::audit
