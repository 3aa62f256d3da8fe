// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "adapters/http_adapter.h"

namespace fedgate::adapters {
namespace {

constexpr std::size_t max_target = 8 * 1024;
constexpr std::size_t max_template = 2048;
constexpr std::size_t max_arguments = 32;
constexpr std::array<std::string_view, 6> methods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

std::unexpected<Error> bad_template(std::string_view text, std::string_view why) {
  return fail(Code::invalid_configuration, "request `" + std::string(text.substr(0, 200)) + "`: " + std::string(why) +
                                               "; a right one is `GET /items/{sku}`");
}

bool is_argument_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/// RFC 3986 section 3.3 without '%', which is looked at apart.
bool is_path_char(char c) {
  return is_argument_char(c) || std::string_view("~!$&'()*+,;=:@/").find(c) != std::string_view::npos;
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_dot_segment(std::string_view segment) {
  return segment == "." || segment == ".." || segment.starts_with("..;") || segment.starts_with(".;");
}

/// One part between separators is `.` or `..`. Backslash counts: some services take it for a slash.
bool has_dot_segment(std::string_view path) {
  while (true) {
    const auto end = path.find_first_of("/\\");
    if (is_dot_segment(path.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    path.remove_prefix(end + 1);
  }
}

std::string literal_problem(std::string_view literal) {
  for (std::size_t i = 0; i < literal.size(); ++i) {
    const char c = literal[i];
    if (c == '%') {
      if (i + 2 >= literal.size() || !is_hex(literal[i + 1]) || !is_hex(literal[i + 2])) return "has a bad %-escape";
      if (literal[i + 1] == '2' && (literal[i + 2] | 0x20) == 'e') return "has an escaped dot; write it as it is";
      i += 2;
    } else if (c == '?') {
      return "has a query; arguments that the path does not name are put there by themselves";
    } else if (c == '}') {
      return "has a } without its {";
    } else if (!is_path_char(c)) {
      return "has a character that a path cannot hold";
    }
  }
  return {};
}

/// Why `value` cannot be a path segment; empty: it can.
std::string path_value_problem(std::string_view value) {
  if (value.empty()) return "is empty";
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::ranges::any_of(value, is_control)) return "holds a control character";
  // Behind a service or proxy that decodes %2F, or decodes twice, these would climb out of the template's path.
  if (has_dot_segment(value)) return "holds a dot segment";
  if (value.find('%') != std::string_view::npos) {
    if (const auto decoded = net::percent_decode(value); decoded && has_dot_segment(*decoded)) {
      return "holds a dot segment";
    }
  }
  return {};
}

bool is_scalar(json::Kind kind) {
  return kind == json::Kind::string || kind == json::Kind::number || kind == json::Kind::boolean;
}

std::string_view scalar_text(const json::Field& field) {
  return field.kind == json::Kind::string ? field.text : field.raw;
}

/// An argument's name for a message: escaped and shortened, it came from a caller.
std::string quoted(std::string_view name) {
  std::string out;
  json::append_string(out, name.substr(0, 64));
  return out;
}

void add_problem(std::string& problems, std::string_view name, std::string_view why) {
  if (problems.size() > 1000) return;
  if (!problems.empty()) problems += ", ";
  problems += quoted(name) + " " + std::string(why);
}

}  // namespace

Result<RequestTemplate> RequestTemplate::parse(std::string_view text) {
  if (text.size() > max_template) return bad_template(text, "is longer than 2048 bytes");
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return bad_template(text, "wants a method, one space and a path");
  RequestTemplate result;
  result.method_ = text.substr(0, space);
  if (std::ranges::find(methods, result.method_) == methods.end()) {
    return bad_template(text, "the method must be GET, HEAD, POST, PUT, PATCH or DELETE");
  }
  std::string_view path = text.substr(space + 1);
  if (!path.starts_with('/')) return bad_template(text, "the path must begin with /");
  if (path.starts_with("//")) return bad_template(text, "the path must not begin with //");

  std::string sample;  // the path with a harmless value for each argument
  while (!path.empty()) {
    const auto open = path.find('{');
    Piece piece{.literal = std::string(path.substr(0, open)), .argument = {}};
    if (const auto problem = literal_problem(piece.literal); !problem.empty())
      return bad_template(text, "the path " + problem);
    sample += piece.literal;
    path.remove_prefix(piece.literal.size());
    if (open != std::string_view::npos) {
      const auto close = path.find('}');
      if (close == std::string_view::npos) return bad_template(text, "has a { without its }");
      piece.argument = path.substr(1, close - 1);
      if (piece.argument.empty() || piece.argument.size() > 64 ||
          !std::ranges::all_of(piece.argument, is_argument_char)) {
        return bad_template(text, "an argument's name is 1 to 64 of letters, digits, `_`, `-` and `.`");
      }
      if (result.in_path(piece.argument))
        return bad_template(text, "names the argument {" + piece.argument + "} twice");
      sample += 'x';
      path.remove_prefix(close + 1);
    }
    result.pieces_.push_back(std::move(piece));
  }
  if (result.arguments().size() > max_arguments) return bad_template(text, "names more than 32 arguments");
  const auto decoded = net::percent_decode(sample);
  if (!decoded) return bad_template(text, "the path has a bad %-escape or an escaped control character");
  if (has_dot_segment(*decoded)) return bad_template(text, "the path has a dot segment");
  return result;
}

bool RequestTemplate::in_path(std::string_view argument) const {
  return std::ranges::any_of(pieces_,
                             [&](const Piece& piece) { return !piece.argument.empty() && piece.argument == argument; });
}

std::vector<std::string> RequestTemplate::arguments() const {
  std::vector<std::string> names;
  for (const auto& piece : pieces_) {
    if (!piece.argument.empty()) names.push_back(piece.argument);
  }
  return names;
}

Result<net::Request> RequestTemplate::fill(std::string_view base_path, std::string_view arguments_json,
                                           Capability::Arguments mode, json::Parser& parser) const {
  const auto members = parser.object(arguments_json);
  if (!members) return fail(Code::invalid_arguments, "arguments: " + members.error().detail);
  if (mode == Capability::Arguments::automatic) {
    const bool query = method_ == "GET" || method_ == "HEAD" || method_ == "DELETE";
    mode = query ? Capability::Arguments::query : Capability::Arguments::body;
  }

  net::Request request;
  request.method = method_;
  request.target = base_path;
  std::string problems;
  std::string segments;  // of the template's own path, before encoding
  for (const auto& piece : pieces_) {
    request.target += piece.literal;
    segments += piece.literal;
    if (piece.argument.empty()) continue;
    const auto field = std::ranges::find(*members, piece.argument, &json::Field::key);
    if (field == members->end()) {
      add_problem(problems, piece.argument, "is missing");
    } else if (!is_scalar(field->kind)) {
      add_problem(problems, piece.argument, "must be a string, a number or a boolean");
    } else if (const auto problem = path_value_problem(scalar_text(*field)); !problem.empty()) {
      add_problem(problems, piece.argument, problem);
    } else {
      request.target += net::percent_encode(scalar_text(*field));
      segments += scalar_text(*field);
    }
  }
  // `.{a}` or `{a}{b}` can make a dot segment of values that are none.
  if (problems.empty() && has_dot_segment(segments)) problems = "the arguments make a dot segment of the path";

  bool first = true;
  if (mode == Capability::Arguments::body) request.body = "{";
  for (const auto& field : *members) {
    if (in_path(field.key)) continue;
    if (mode == Capability::Arguments::body) {
      if (!first) request.body += ',';
      json::append_string(request.body, field.key);
      request.body += ':';
      request.body += field.raw;
    } else if (!is_scalar(field.kind)) {
      add_problem(problems, field.key, "must be a string, a number or a boolean to travel in the query");
    } else {
      request.target += first ? '?' : '&';
      request.target += net::percent_encode(field.key);
      request.target += '=';
      request.target += net::percent_encode(scalar_text(field));
    }
    first = false;
  }
  if (!problems.empty()) return fail(Code::invalid_arguments, "arguments: " + problems);
  if (request.target.size() > max_target) {
    return fail(Code::invalid_arguments, "arguments: they make a request target of " +
                                             std::to_string(request.target.size()) +
                                             " bytes, more than 8192; send less, or let the capability use a body");
  }
  if (mode == Capability::Arguments::body) {
    request.body += '}';
    request.headers.add("Content-Type", "application/json");
  }
  return request;
}

}  // namespace fedgate::adapters
