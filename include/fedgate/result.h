// SPDX-License-Identifier: Apache-2.0
//
// Result<T>: a value or the Error that says why there is none. Exceptions are for bugs, start-up failure
// and cancellation only.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "fedgate/error.h"

namespace fedgate {

template <class T>
using Result = std::expected<T, Error>;

/// `return fail(Code::not_found, "...");`
[[nodiscard]] inline std::unexpected<Error> fail(Code code, std::string detail) {
  return std::unexpected<Error>(std::in_place, code, std::move(detail));
}
[[nodiscard]] inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace fedgate
