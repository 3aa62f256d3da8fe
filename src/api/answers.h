// SPDX-License-Identifier: Apache-2.0
//
// How every listener answers: JSON, or RFC 9457 problem details with SARK's fields. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "fedgate/error.h"
#include "fedgate/result.h"
#include "net/http_message.h"

namespace fedgate::api {

/// Whether the reader may know an error's detail: our own people may, strangers and peers may not.
enum class Reader : std::uint8_t { own, stranger };

void answer_json(net::Response& response, std::uint16_t status, const nlohmann::json& body);
void answer_text(net::Response& response, std::uint16_t status, std::string body);
void answer_problem(net::Response& response, const Error& error, Reader reader);
/// 405 with Allow.
void answer_wrong_method(net::Response& response, std::string_view allowed);
/// Content-Type is application/json, where there is a body.
Result<void> demand_json(const net::Request& request);
/// Browsers cannot misuse a loopback listener: a request with an Origin is refused.
Result<void> refuse_browsers(const net::Request& request);

}  // namespace fedgate::api
