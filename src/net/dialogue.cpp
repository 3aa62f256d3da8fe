// SPDX-License-Identifier: Apache-2.0
#include "net/dialogue.h"

#include "net/http_gate.h"
#include "net/http_parser.h"
#include "net/http_writer.h"
#include "net/input_buffer.h"

namespace fedgate::net {
namespace {

constexpr std::size_t longest_head = 16 * 1024;
constexpr std::size_t longest_body = 64 * 1024;

}  // namespace

struct Dialogue::State {
  State(Stream s, std::string h)
      : stream(std::move(s)),
        host(std::move(h)),
        input(longest_head + 8192),
        parser({.header = longest_head, .body = longest_body}) {}

  Task<Result<void>> fill(SteadyTime deadline);
  Task<Result<Response>> receive(std::string_view method, SteadyTime deadline);

  Stream stream;
  std::string host;
  InputBuffer input;
  ResponseParser parser;
  std::string output;
  bool usable = true;
};

Dialogue::Dialogue(Stream stream, std::string host)
    : state_(std::make_unique<State>(std::move(stream), std::move(host))) {}
Dialogue::~Dialogue() = default;
Dialogue::Dialogue(Dialogue&&) noexcept = default;
Dialogue& Dialogue::operator=(Dialogue&&) noexcept = default;

void Dialogue::close() noexcept {
  state_->usable = false;
  state_->stream.close();
}

Task<Result<Response>> Dialogue::send(const Request& request, SteadyTime deadline) {
  State& state = *state_;
  if (!state.usable) co_return fail(Code::peer_unreachable, "the connection has ended");
  if (auto made = write_request(state.output, request, state.host); !made) co_return fail(std::move(made.error()));
  state.usable = false;
  auto written = co_await state.stream.write(state.output, deadline);
  if (!written && written.error().code == Code::deadline_exceeded) co_return fail(std::move(written.error()));
  // A server that refuses says why before it has taken everything.
  auto response = co_await state.receive(request.method, deadline);
  if (response) state.usable = written && !response->close;
  co_return response;
}

Task<Result<void>> Dialogue::State::fill(SteadyTime deadline) {
  auto got = co_await stream.read_some(input.room(), deadline);
  if (!got) {
    const Code code = got.error().code;
    const bool known = code == Code::deadline_exceeded || code == Code::peer_refused;
    co_return fail(known ? code : Code::peer_protocol_error, std::move(got.error().detail));
  }
  if (*got == 0) co_return fail(Code::peer_protocol_error, stream.remote() + " ended the connection before an answer");
  input.added(*got);
  co_return Result<void>{};
}

Task<Result<Response>> Dialogue::State::receive(std::string_view method, SteadyTime deadline) {
  Response response;
  parser.start(response);
  std::optional<HeadFacts> facts;
  while (!parser.done()) {
    if (!input.empty()) {
      auto taken = parser.feed(input.bytes());
      if (!taken) {
        const bool large = taken.error().code == Code::payload_too_large;
        co_return fail(large ? Code::response_too_large : Code::peer_protocol_error,
                       stream.remote() + " answered what is " + taken.error().detail);
      }
      input.consume(*taken);
    }
    if (parser.head_done() && !facts) {
      auto judged = judge_response_head(response, parser.version(), method);
      if (!judged) co_return fail(judged.error().in(stream.remote()));
      // No interim answers, and no body that only the connection's end delimits.
      if (response.status < 200 || (!judged->content_length && !judged->chunked))
        co_return fail(Code::peer_protocol_error, stream.remote() + " answers without a length");
      facts = *judged;
      continue;
    }
    if (parser.done()) break;
    auto more = co_await fill(deadline);
    if (!more) co_return fail(std::move(more.error()));
  }
  response.close = !stays_open(response.headers, facts->version);
  co_return response;
}

}  // namespace fedgate::net
