// SPDX-License-Identifier: Apache-2.0
//
// What is said on one connection: a request, and its answer.
#include "net/http_client.h"

#include "net/http_client_state.h"
#include "net/http_writer.h"

namespace fedgate::net {
namespace {

constexpr int most_interim_answers = 8;

}  // namespace

Task<Exchange> HttpClient::State::send(const Destination& destination, const Request& request, SteadyTime deadline) {
  const auto self = shared_from_this();
  Exchange result;
  Handle member;
  bool pooled = false;
  for (int attempt = 0;; ++attempt) {
    if (stopped) {
      result.response = fail(Code::draining, "this client has been stopped");
      co_return result;
    }
    auto acquired = attempt == 0 ? co_await acquire(destination, deadline) : co_await connect(destination, deadline);
    if (!acquired) {
      result.response = fail(std::move(acquired.error()));
      co_return result;
    }
    member = std::move(*acquired);
    pooled = member->used;
    member->used = true;
    if (auto made = write_request(member->output, request, destination.host_header); !made) {
      result.response = fail(std::move(made.error()));
      member->reusable = pooled;
      keep(std::move(member));
      co_return result;
    }
    member->reusable = false;
    member->answered = false;
    member->stream->forget_written();
    auto written = co_await member->stream->write(member->output, deadline);
    // A pooled connection that died while nobody looked has cost nothing: one fresh one is tried.
    if (!written && pooled && !member->stream->wrote() && written.error().code == Code::io_error && attempt == 0) {
      member.reset();
      continue;
    }
    result.sent = member->stream->wrote() ? Sent::something : Sent::nothing;
    result.peer = member->stream->peer();
    // A server may refuse a request before it has taken all of it, and its answer says why.
    if (!written && written.error().code == Code::deadline_exceeded) {
      result.response = fail(Code::deadline_exceeded, std::move(written.error().detail));
      co_return result;
    }
    result.response = co_await exchange(*member, request.method, deadline);
    if (!written) member->reusable = false;
    if (!request.keep_alive) member->reusable = false;
    keep(std::move(member));
    co_return result;
  }
}

Task<Result<void>> HttpClient::State::fill(Member& member, SteadyTime deadline) {
  auto got = co_await member.stream->read_some(member.input.room(), deadline);
  if (!got) co_return fail(std::move(got.error()));
  if (*got == 0) co_return fail(Code::io_error, "");  // an orderly end: the caller knows whether it is one
  member.answered = true;
  member.input.added(*got);
  co_return Result<void>{};
}

Task<Result<HeadFacts>> HttpClient::State::read_head(Member& member, std::string_view method, Response& response,
                                                     SteadyTime deadline) {
  const std::string& who = member.stream->remote();
  for (int interim = 0; interim <= most_interim_answers;) {
    member.parser.start(response);
    if (method == "HEAD") member.parser.expect_no_body();
    while (!member.parser.head_done()) {
      if (!member.input.empty()) {
        auto taken = member.parser.feed(member.input.bytes());
        if (!taken) co_return fail(Code::peer_protocol_error, who + " answered what is " + taken.error().detail);
        member.input.consume(*taken);
        if (member.parser.head_done()) break;
      }
      auto more = co_await fill(member, deadline);
      if (more) continue;
      if (more.error().code == Code::deadline_exceeded) co_return fail(std::move(more.error()));
      if (more.error().code == Code::peer_refused && !member.answered) co_return fail(std::move(more.error()));
      co_return fail(Code::peer_protocol_error,
                     who + " ended the connection without a whole answer " + more.error().detail);
    }
    auto facts = judge_response_head(response, member.parser.version(), method);
    if (!facts) co_return fail(facts.error().in(who));
    if (response.status >= 200) co_return facts;
    if (response.status == 101) co_return fail(Code::peer_protocol_error, who + " switched protocols unasked");
    ++interim;
  }
  co_return fail(Code::peer_protocol_error, who + " sends interim answers without end");
}

Task<Result<Response>> HttpClient::State::exchange(Member& member, std::string_view method, SteadyTime deadline) {
  Response response;
  const std::string& who = member.stream->remote();
  auto facts = co_await read_head(member, method, response, deadline);
  if (!facts) co_return fail(std::move(facts.error()));
  if (facts->content_length.value_or(0) > limits.body) {
    co_return fail(Code::response_too_large, who + " answered " + std::to_string(*facts->content_length) + " bytes");
  }
  const bool until_end = !facts->content_length && !facts->chunked;
  while (!member.parser.done()) {
    if (!member.input.empty()) {
      auto taken = member.parser.feed(member.input.bytes());
      if (!taken) {
        const bool large = taken.error().code == Code::payload_too_large;
        co_return fail(large ? Code::response_too_large : Code::peer_protocol_error, who + ": " + taken.error().detail);
      }
      member.input.consume(*taken);
      if (member.parser.done()) break;
    }
    auto more = co_await fill(member, deadline);
    if (more) continue;
    if (more.error().code == Code::deadline_exceeded) co_return fail(std::move(more.error()));
    const bool orderly = more.error().detail.empty();
    if (until_end && orderly && member.parser.feed_end()) break;
    co_return fail(Code::peer_protocol_error, who + " cut its answer short " + more.error().detail);
  }
  response.close = !stays_open(response.headers, facts->version);
  member.reusable = !until_end && !response.close;
  co_return response;
}

HttpClient::HttpClient(Worker& worker, ClientLimits limits, const log::Logger& log, Metrics& metrics)
    : state_(std::make_shared<State>(worker, limits, log, metrics)) {}
HttpClient::~HttpClient() = default;

Task<Exchange> HttpClient::send(const Destination& destination, const Request& request, SteadyTime deadline) {
  return state_->send(destination, request, deadline);
}

std::size_t HttpClient::purge(std::string_view pool_key, const Ticket& held) {
  std::size_t closed = 0;
  for (auto& [key, pool] : state_->pools) {
    if (!key.starts_with(pool_key)) continue;
    for (auto& member : pool->all) {
      if (member.stream) {
        if (!member.purged) ++closed;
        member.held = held;
        member.stream->abort();
      }
      member.purged = true;
    }
    state_->idle_count -= pool->idle.size();
    pool->idle.clear();
    ++pool->purges;
    pool->changed.cancel();
  }
  return closed;
}

void HttpClient::judge_again() {
  ++state_->judgement;
  state_->reviewing.begin();
}

Task<> HttpClient::stop() {
  state_->stopped = true;
  state_->connector.stop();
  state_->sweep.disarm();
  state_->reviewing.disarm();
  for (auto& [key, pool] : state_->pools) {
    pool->idle.clear();
    pool->changed.cancel();
  }
  state_->idle_count = 0;
  co_return;
}

std::size_t HttpClient::idle() const { return state_->idle_count; }

}  // namespace fedgate::net
