// SPDX-License-Identifier: Apache-2.0
#include "net/http_message.h"

#include <algorithm>

#include "net/ascii.h"

namespace fedgate::net {

namespace {
// Of a call: one allocation each instead of one at every doubling.
constexpr std::size_t usual_fields = 12;
constexpr std::size_t usual_bytes = 480;
}  // namespace

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Place& place : places_) {
    if (place.name_size != name.size()) continue;
    if (same_text(std::string_view(bytes_).substr(place.name, place.name_size), name)) {
      return std::string_view(bytes_).substr(place.value, place.value_size);
    }
  }
  return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
  std::size_t found = 0;
  for (const Place& place : places_) {
    if (same_text(std::string_view(bytes_).substr(place.name, place.name_size), name)) ++found;
  }
  return found;
}

void Headers::add(std::string_view name, std::string_view value) {
  if (places_.capacity() == 0) {
    places_.reserve(usual_fields);
    bytes_.reserve(usual_bytes);
  }
  const auto at = static_cast<std::uint32_t>(bytes_.size());
  bytes_.append(name).append(value);
  const auto name_size = static_cast<std::uint32_t>(name.size());
  places_.push_back({at, name_size, at + name_size, static_cast<std::uint32_t>(value.size())});
}

void Headers::clear() {
  bytes_.clear();
  places_.clear();
}

Headers::View Headers::at(std::size_t i) const {
  const Place& place = places_[i];
  const std::string_view bytes(bytes_);
  return {bytes.substr(place.name, place.name_size), bytes.substr(place.value, place.value_size)};
}

std::string_view Request::path() const { return std::string_view(target).substr(0, target.find('?')); }

std::string_view Request::query() const {
  const auto mark = target.find('?');
  return mark == std::string::npos ? std::string_view{} : std::string_view(target).substr(mark + 1);
}

std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 508:
      return "Loop Detected";
    default:
      return "Status";
  }
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<unsigned char>(high * 16 + low);
      i += 2;
    }
    if (is_control(c)) return std::nullopt;
    out.push_back(static_cast<char>(c));
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(digits[byte >> 4]);
    out.push_back(digits[byte & 15]);
  }
  return out;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const auto equals = pair.find('=');
    const auto key = percent_decode(pair.substr(0, equals));
    if (!key || *key != name) continue;
    return equals == std::string_view::npos ? std::string{} : percent_decode(pair.substr(equals + 1));
  }
  return std::nullopt;
}

}  // namespace fedgate::net
