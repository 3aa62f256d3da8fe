// SPDX-License-Identifier: Apache-2.0
#include "net/http_parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <optional>
#include <type_traits>

namespace fedgate::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

/// Chunk extensions of one body together; nobody uses them.
constexpr std::size_t extension_limit = 1024;
/// A chunk's line, or all trailers, must lie in the buffer as a whole.
constexpr std::size_t trailer_limit = 4096;

std::string_view plain(string_view text) { return {text.data(), text.size()}; }

template <class Message>
class Beast final : public http::basic_parser<std::is_same_v<Message, Request>> {
 public:
  using Base = http::basic_parser<std::is_same_v<Message, Request>>;

  Beast(Message& message, ParserLimits limits) : message_(message), limits_(limits) {
    this->header_limit(static_cast<std::uint32_t>(limits.header));
    this->body_limit(boost::none);  // counted here, so that a HEAD's Content-Length is no error
    this->eager(false);
  }
  unsigned version_seen = 11;

 private:
  void on_request_impl(http::verb, string_view method, string_view target, int version, error_code&) override {
    if constexpr (std::is_same_v<Message, Request>) {
      message_.method = plain(method);
      message_.target = plain(target);
    }
    version_seen = static_cast<unsigned>(version);
  }
  void on_response_impl(int code, string_view, int version, error_code&) override {
    if constexpr (std::is_same_v<Message, Response>) message_.status = static_cast<std::uint16_t>(code);
    version_seen = static_cast<unsigned>(version);
  }
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    // What comes after the head are trailers: dropped, they must not change what was judged.
    if (!this->is_header_done()) message_.headers.add(plain(name), plain(value));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code& ec) override {
    if (!length) return;
    if (*length > limits_.body) {
      ec = http::error::body_limit;
    } else {
      message_.body.reserve(static_cast<std::size_t>(*length));
    }
  }
  std::size_t on_body_impl(string_view body, error_code& ec) override { return append(body, ec); }
  void on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& ec) override {
    extensions_ += extensions.size();
    if (extensions_ > extension_limit) ec = http::error::bad_chunk_extension;
    if (size > limits_.body - message_.body.size()) ec = http::error::body_limit;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) override { return append(body, ec); }
  void on_finish_impl(error_code&) override {}

  std::size_t append(string_view body, error_code& ec) {
    if (body.size() > limits_.body - message_.body.size()) {
      ec = http::error::body_limit;
      return 0;
    }
    message_.body.append(body.data(), body.size());
    return body.size();
  }

  Message& message_;
  ParserLimits limits_;
  std::size_t extensions_ = 0;
};

}  // namespace

template <class Message>
struct HttpParser<Message>::State {
  explicit State(ParserLimits l) : limits(l) {}
  ParserLimits limits;
  std::optional<Beast<Message>> beast;
  std::size_t head_bytes = 0;

  [[nodiscard]] Error explain(const error_code& ec) const {
    if (ec == http::error::header_limit) return too_large();
    if (ec == http::error::body_limit) return {Code::payload_too_large, "the body is larger than allowed"};
    return {Code::bad_request, "not HTTP/1.1: " + ec.message()};
  }
  [[nodiscard]] Error too_large() const {
    // Beast takes the request line before it looks for fields.
    if (std::is_same_v<Message, Request> && head_bytes == 0) {
      return {Code::uri_too_long, "the request line is longer than allowed"};
    }
    return {Code::headers_too_large, "the header is larger than allowed"};
  }
};

template <class Message>
HttpParser<Message>::HttpParser(ParserLimits limits) : state_(std::make_unique<State>(limits)) {}
template <class Message>
HttpParser<Message>::~HttpParser() = default;
template <class Message>
HttpParser<Message>::HttpParser(HttpParser&&) noexcept = default;
template <class Message>
HttpParser<Message>& HttpParser<Message>::operator=(HttpParser&&) noexcept = default;

template <class Message>
void HttpParser<Message>::start(Message& message) {
  message.headers.clear();
  message.body.clear();
  state_->beast.emplace(message, state_->limits);
  state_->head_bytes = 0;
}

template <class Message>
Result<std::size_t> HttpParser<Message>::feed(std::string_view bytes) {
  auto& beast = *state_->beast;
  const std::size_t offered = bytes.size();
  while (!bytes.empty() && !beast.is_done()) {
    const bool in_head = !beast.is_header_done();
    error_code ec;
    const std::size_t taken = beast.put({bytes.data(), bytes.size()}, ec);
    bytes.remove_prefix(taken);
    if (in_head) state_->head_bytes += taken;
    if (ec && ec != http::error::need_more) return fail(state_->explain(ec));
    if (in_head) {
      const std::size_t open = beast.is_header_done() ? 0 : bytes.size();
      if (state_->head_bytes + open > state_->limits.header) return fail(state_->too_large());
      if (beast.is_header_done()) break;
    }
    if (ec == http::error::need_more) {
      if (!in_head && bytes.size() > trailer_limit) {
        return fail(Code::bad_request, "not HTTP/1.1: a chunk's extensions or the trailers are too long");
      }
      break;
    }
  }
  return offered - bytes.size();
}

template <class Message>
Result<void> HttpParser<Message>::feed_end() {
  auto& beast = *state_->beast;
  if (beast.is_done()) return {};
  error_code ec = http::error::partial_message;
  if (beast.got_some()) beast.put_eof(ec);
  if (ec || !beast.is_done()) return fail(Code::bad_request, "not HTTP/1.1: the message was cut");
  return {};
}

template <class Message>
void HttpParser<Message>::expect_no_body() {
  state_->beast->skip(true);
}

template <class Message>
bool HttpParser<Message>::head_done() const {
  return state_->beast && state_->beast->is_header_done();
}
template <class Message>
bool HttpParser<Message>::done() const {
  return state_->beast && state_->beast->is_done();
}
template <class Message>
unsigned HttpParser<Message>::version() const {
  return state_->beast->version_seen;
}

template class HttpParser<Request>;
template class HttpParser<Response>;

}  // namespace fedgate::net
