// SPDX-License-Identifier: Apache-2.0
#include "store/postgres_store.h"
#include "store/sqlite_store.h"

namespace fedgate::store {
namespace {

template <class Opened>
Result<std::unique_ptr<Store>> ready(Result<Opened> store, const Options& options) {
  if (!store) return fail(store.error());
  if (!options.any_schema)
    if (auto checked = (*store)->prepare_schema(options.migrate); !checked) return fail(checked.error());
  return std::unique_ptr<Store>(std::move(*store));
}

}  // namespace

Result<std::unique_ptr<Store>> open(const Options& options) {
  constexpr std::string_view sqlite = "sqlite:";
  const std::string_view url = options.url;
  const bool in_file = url.starts_with(sqlite);
  if (!in_file && !url.starts_with("postgresql://") && !url.starts_with("postgres://"))
    return fail(Code::invalid_configuration,
                "store.url: write sqlite:/path/to/file or postgresql://user@host:5432/database");
  auto known = load_migrations(in_file ? "sqlite" : "postgresql", options.migrations_directory);
  if (!known) return fail(known.error());
  if (!in_file) return ready(PostgresStore::open(options, std::move(*known)), options);
  const std::string file(url.substr(sqlite.size()));
  if (!file.starts_with('/') || file.ends_with('/') || file.find('\0') != std::string::npos)
    return fail(Code::invalid_configuration, "store.url: sqlite: is followed by the absolute path of a file");
  return ready(SqliteStore::open(file, std::move(*known)), options);
}

}  // namespace fedgate::store
