// SPDX-License-Identifier: Apache-2.0
//
// Small files that must be whole or not there, whatever happens: what the signer and the generations of the log
// remember. Free functions; blocking, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fedgate/result.h"

namespace fedgate::audit {

inline constexpr std::size_t small_file_bytes = 1024 * 1024;

/// Nothing where there is no such file. Code::io_error, naming it.
Result<std::optional<std::string>> read_small_file(const std::string& path);
/// The same, of a file that nobody else may read or change: Code::io_error says how to make it so.
Result<std::optional<std::string>> read_secret_file(const std::string& path, std::size_t most = small_file_bytes);

/// On stable storage when it returns, in place of what was there: a file beside it is written and synced, renamed, and
/// the directory synced. Mode 0600. Code::io_error: what was there is there still, or the new one.
Result<void> replace_file(const std::string& path, std::string_view text);
/// The same for one that must not exist yet: Code::conflict.
Result<void> create_file(const std::string& path, std::string_view text);
Result<void> rename_file(const std::string& from, const std::string& to);

/// The directory that holds `path`; `.` where none is named.
std::string directory_of(const std::string& path);

}  // namespace fedgate::audit
