// SPDX-License-Identifier: Apache-2.0
#include "federation/examination.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "base/time_text.h"
#include "fedgate/levels.h"
#include "net/http_writer.h"
#include "trust/certificate_facts.h"
#include "trust/expiry.h"
#include "trust/server_chain.h"

namespace fedgate::federation {

namespace {

using enum CheckState;

constexpr std::chrono::milliseconds alert_time{2000};
constexpr std::array<std::string_view, 7> endpoint_steps{"dns", "tcp", "tls", "tls_theirs", "health", "clock", "seen"};

std::string validity(WallTime ends, WallTime now) {
  const auto days = static_cast<long>(trust::days_left(ends, now));
  if (ends <= now) return "ended " + utc_text(ends);
  return "until " + utc_text(ends) + " (" + std::to_string(days) + (days == 1 ? " day" : " days") + ")";
}

std::string listed(const std::vector<std::string>& parts) {
  std::string all;
  for (const auto& part : parts) all.append(all.empty() ? "" : ", ").append(part);
  return all;
}

/// A text that a peer chose, for a sentence of ours.
std::string member(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>().substr(0, 100) : std::string();
}

std::string spoken(const trust::Refusal& refusal) {
  std::string meaning(trust::reason_info(refusal.reason).meaning);
  if (meaning.ends_with('.')) meaning.pop_back();
  return std::string(refusal.id()) + " (" + meaning + "): " + refusal.detail;
}

std::string spoken(std::chrono::microseconds difference) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", std::chrono::duration<double>(difference).count());
  return text.data();
}

/// What they should do about a certificate of theirs that we refuse.
std::string plea_about(const std::vector<trust::Refusal>& refusals, const std::string& pin) {
  using enum trust::Reason;
  const auto has = [&](trust::Reason reason) {
    return std::ranges::find(refusals, reason, &trust::Refusal::reason) != refusals.end();
  };
  if (has(expired) || has(revoked)) return "install a renewed certificate in your gateway";
  if (has(not_yet_valid)) return "see whether your certificate is in use too early, or a clock is wrong";
  if (has(issuer_unknown) || has(signature_invalid))
    return "tell us by another way (in person, by telephone) the SHA-256 of the CA certificate that speaks for you now";
  if (has(pin_mismatch))
    return "tell us by another way (in person, by telephone) whether the key with the pin " + pin + " is yours";
  return "present a certificate that passes these rules (`fedgate pki verify` judges it as we do)";
}

}  // namespace

Examination::Examination(const NodeCheck::Parts& parts, const Node& node, const OwnTrust& own, CheckReport& report)
    : parts_(parts),
      node_(node),
      own_(own),
      report_(report),
      them_(node.id.str()),
      us_(own.id.str()),
      connector_(parts.worker),
      begun_(parts.worker.wheel().now()),
      end_(begun_ + NodeCheck::whole_time) {}

void Examination::add(std::string name, CheckState state, std::string detail, std::string plea) {
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(parts_.worker.wheel().now() - begun_);
  report_.steps.push_back({std::move(name), endpoint_, state, std::move(detail), std::move(plea), took});
  ++tried_;
  begin();
}

void Examination::skip_rest(const std::string& why) {
  while (tried_ < endpoint_steps.size()) add(std::string(endpoint_steps.at(tried_)), skipped, why);
}

SteadyTime Examination::until(std::chrono::milliseconds time) const {
  return std::min(parts_.worker.wheel().now() + time, end_);
}

CheckState Examination::state_of(WallTime ends) const {
  if (ends <= now()) return failed;
  return ends - now() <= parts_.warn_before() ? warning : good;
}

Task<> Examination::run() {
  look_at_node();
  look_at_ourselves();
  for (const auto& endpoint : node_.endpoints) {
    endpoint_ = endpoint;
    tried_ = 0;
    if (!may(node_, Act::connect)) {
      skip_rest("not tried: who is disabled or not trusted is not connected to");
    } else if (!tls_) {
      skip_rest("not tried: our certificate cannot be used");
    } else if (parts_.worker.wheel().now() >= end_) {
      add("dns", failed, "not tried: the time for the whole check was over");
      skip_rest("not tried");
    } else {
      co_await try_endpoint();
    }
  }
}

void Examination::look_at_node() {
  CheckState state = good;
  std::vector<std::string> facts{std::string(to_string(node_.trust_level)), node_.enabled ? "enabled" : "disabled"};
  if (!node_.enabled) facts.back() += ": `fedgate nodes enable " + them_ + "` lets it in again";
  if (!may(node_, Act::connect)) state = failed;
  if (node_.trust_level != TrustLevel::trusted) facts.front() += ": see `fedgate trust show " + them_ + "`";
  facts.push_back(node_.endpoints.empty() ? "no endpoint, it only calls us" : "endpoints " + listed(node_.endpoints));
  std::size_t usable = 0;
  for (const auto& pem : node_.trust_anchors) {
    const auto anchor = trust::certificate_facts(pem);
    const auto flaws = trust::flaws_of_anchor(pem);
    if (!anchor || !flaws) {
      facts.push_back("an anchor that cannot be read");
      state = std::max(state, warning);
      continue;
    }
    std::string fact = "anchor SHA-256 " + to_hex(anchor->sha256) + " " + validity(anchor->not_after, now());
    for (const auto& flaw : *flaws) fact += ", " + spoken(flaw);
    facts.push_back(std::move(fact));
    if (!flaws->empty() || state_of(anchor->not_after) != good) state = std::max(state, warning);
    if (flaws->empty() && state_of(anchor->not_after) != failed) ++usable;
  }
  if (usable == 0) {
    facts.emplace_back("no anchor that can be used: nobody can be believed to be it");
    state = failed;
  }
  for (const auto& pin : node_.pins) facts.push_back("pin " + pin);
  add("configuration", state, them_ + ": " + listed(facts));
}

void Examination::look_at_ourselves() {
  const auto facts = trust::certificate_facts(own_.client_certificate);
  const auto flaws = trust::flaws_of_leaf(own_.client_certificate, trust::Presented::by_client);
  auto made = net::TlsContext::make(net::TlsSide::client, {.certificate_pem = own_.client_certificate,
                                                           .key_pem = own_.client_key,
                                                           .judge = {},
                                                           .server_name = {},
                                                           .session_cache = 0,
                                                           .enrolment = nullptr});
  if (!facts || !flaws || !made) {
    const Error& error = !facts ? facts.error() : !flaws ? flaws.error() : made.error();
    return add("our_certificate", failed, error.detail);
  }
  tls_ = std::move(*made);
  std::string detail =
      us_ + " calls with the certificate SHA-256 " + to_hex(facts->sha256) + ", " + validity(facts->not_after, now());
  CheckState state = state_of(facts->not_after);
  for (const auto& flaw : *flaws) {
    detail += ", " + spoken(flaw);
    state = failed;
  }
  add("our_certificate", state, std::move(detail));
}

Task<> Examination::try_endpoint() {
  begin();
  auto url = net::parse_url(endpoint_);
  if (!url || url->scheme != "https") {
    add("dns", failed, "the endpoint is not an https URL; correct it here");
    co_return skip_rest("not tried");
  }
  auto addresses = co_await look_up(*url);
  if (!addresses) co_return skip_rest("not tried");
  auto stream = co_await reach(std::move(*addresses));
  if (!stream) co_return skip_rest("not tried");
  const bool encrypted = co_await shake_hands(*stream);
  if (!encrypted) co_return skip_rest("not tried");
  auto shown = stream->presentation();
  if (!shown) {
    add("tls", failed, shown.error().detail);
    co_return skip_rest("not tried");
  }
  judge(*shown);
  if (report_.steps.back().state == failed) {
    co_await await_their_alert(*stream);
    co_return skip_rest("not asked: whoever answers there is not believed");
  }
  net::Dialogue dialogue(std::move(*stream), them_);
  const bool answered = co_await ask_health(dialogue);
  if (!answered) co_return skip_rest("not asked");
  co_await ask_what_they_see(dialogue);
  dialogue.close();
}

Task<std::optional<std::vector<net::Connector::Endpoint>>> Examination::look_up(net::Url url) {
  const auto plea = "tell us under which name your gateway is reached, or correct what DNS says of " + url.host;
  auto addresses = co_await connector_.resolve(url.host, url.port, until());
  if (!addresses || addresses->empty()) {
    add("dns", failed, addresses ? url.host + " has no address" : addresses.error().detail, plea);
    co_return std::nullopt;
  }
  std::vector<std::string> texts;
  for (const auto& address : *addresses) texts.push_back(net::text_of(address));
  add("dns", good, url.host + " is " + listed(texts));
  co_return std::move(*addresses);
}

Task<std::optional<net::Stream>> Examination::reach(std::vector<net::Connector::Endpoint> addresses) {
  std::optional<net::Stream> first;
  std::vector<std::string> reached, missed;
  const auto last = until();
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto begun = parts_.worker.wheel().now();
    const auto share = (last - begun) / static_cast<long>(addresses.size() - i);
    auto stream = co_await connector_.connect_to(addresses[i], begun + share);
    if (!stream) {
      missed.push_back(net::text_of(addresses[i]) + ": " + stream.error().detail);
      continue;
    }
    reached.push_back(net::text_of(addresses[i]));
    if (!first) first = std::move(*stream);
  }
  const std::string plea = "see that your gateway runs, listens there, and that your firewall lets us reach it";
  if (!first) {
    add("tcp", failed, "no connection to " + listed(missed), plea);
  } else if (!missed.empty()) {
    add("tcp", warning, "connected to " + listed(reached) + ", but no connection to " + listed(missed), plea);
  } else {
    add("tcp", good, "connected to " + listed(reached));
  }
  co_return first;
}

Task<bool> Examination::shake_hands(net::Stream& stream) {
  auto done = co_await stream.connect_tls(tls_, them_, until());
  if (done) co_return true;
  const auto plea = "see that your gateway itself answers there, as " + them_ +
                    ", with nothing in front of it that ends TLS, and look into its log at that time";
  if (done.error().code == Code::peer_refused)
    add("tls", failed, "they end the handshake before any certificate is shown (" + done.error().detail + ")", plea);
  else
    add("tls", failed, done.error().detail, plea);
  co_return false;
}

void Examination::judge(const net::Presentation& shown) {
  const auto judged = trust::judge_server(*parts_.verifier.load(), shown, node_.id, now());
  std::string whose = "the certificate of " + them_;
  if (judged.leaf)
    whose += " (SHA-256 " + to_hex(judged.leaf->sha256) + ", issued by \"" + judged.leaf->issuer + "\", " +
             validity(judged.leaf->not_after, now()) + ")";
  if (judged.judgement.accepted()) {
    const auto state = judged.leaf ? state_of(judged.leaf->not_after) : good;
    return add("tls", state, us_ + " accepts " + whose,
               state == warning ? "install a renewed certificate before yours ends" : "");
  }
  std::string reasons;
  for (const auto& refusal : judged.judgement.refusals) reasons.append(reasons.empty() ? "" : "; ") += spoken(refusal);
  const auto pin = judged.leaf ? to_hex(judged.leaf->public_key) : std::string();
  add("tls", failed, us_ + " refuses " + whose + ": " + reasons, plea_about(judged.judgement.refusals, pin));
}

// A server says what it thinks of our certificate only when the handshake is over for us: by an alert, or by silence.
Task<> Examination::await_their_alert(net::Stream& stream) {
  std::array<char, 1> byte{};
  auto got = co_await stream.read_some(byte, until(alert_time));
  if (got && *got > 0)
    add("tls_theirs", good, "they did not refuse our certificate");
  else if (!got && got.error().code == Code::deadline_exceeded)
    add("tls_theirs", good, "no refusal of our certificate came within " + spoken(alert_time));
  else if (!got && got.error().code == Code::peer_refused)
    add("tls_theirs", failed, them_ + " refuses the certificate of " + us_ + " (" + got.error().detail + ")",
        "look into your gateway's log at that time for the reason");
  else
    add("tls_theirs", warning, "they ended the connection without an alert");
}

Task<bool> Examination::ask_health(net::Dialogue& dialogue) {
  net::Request request;
  request.method = "GET";
  request.target = "/api/v2/health";
  const auto asked = now();
  auto response = co_await dialogue.send(request, until());
  const auto answered = now();
  if (!response && response.error().code == Code::peer_refused) {
    add("tls_theirs", failed, them_ + " refuses the certificate of " + us_ + " (" + response.error().detail + ")",
        "look into your gateway's log at that time for the reason, and see that " + us_ +
            " is trusted and enabled with you, with the CA, certificate and pin named here");
    co_return false;
  }
  if (!response) {
    add("tls_theirs", skipped, "it cannot be told: no answer came");
    add("health", failed, "no answer to GET /api/v2/health (" + response.error().detail + ")",
        "look into your gateway's log at that time");
    co_return false;
  }
  add("tls_theirs", good, them_ + " accepts the certificate of " + us_);
  read_health(*response);
  compare_clocks(*response, asked, answered);
  co_return true;
}

void Examination::read_health(const net::Response& response) {
  const auto body = json::parse(response.body);
  const std::string plea = "look into your gateway's log at that time";
  if (response.status != 200 || !body || !body->is_object())
    return add("health", failed, "GET /api/v2/health is answered with " + std::to_string(response.status), plea);
  const auto name = member(*body, "node_id");
  const auto status = member(*body, "status");
  if (name != them_) return add("health", failed, "whoever answers calls itself \"" + name + "\", not " + them_, plea);
  add("health", status == "healthy" ? good : warning, name + " is " + status + ", version " + member(*body, "version"));
}

void Examination::compare_clocks(const net::Response& response, WallTime asked, WallTime answered) {
  const auto text = response.headers.find("Date");
  const auto date = text ? net::parse_date(*text) : std::nullopt;
  if (!date) return add("clock", warning, "the answer has no Date to compare the clocks by");
  const auto difference = clock_difference(*date, asked, answered);
  const auto size = std::chrono::abs(difference.ahead);
  if (size <= difference.give_or_take)
    return add("clock", good, "the clocks agree, give or take " + spoken(difference.give_or_take));
  std::string detail = "the clock of " + them_ + " is " + spoken(size) +
                       (difference.ahead.count() < 0 ? " behind" : " ahead of") + " that of " + us_ +
                       ", give or take " + spoken(difference.give_or_take);
  const std::string plea = "compare your gateway's clock with a time server, as we do with ours";
  if (size > NodeCheck::clock_bound)
    return add("clock", failed, detail + "; beyond 5 minutes every call is refused", plea);
  if (size > NodeCheck::clock_warning) return add("clock", warning, detail, plea);
  add("clock", good, detail);
}

Task<> Examination::ask_what_they_see(net::Dialogue& dialogue) {
  net::Request request;
  request.method = "POST";
  request.target = "/api/v2/federation/verify";
  request.headers.add("Content-Type", "application/json");
  request.body = nlohmann::json{{"node_id", us_}}.dump();
  auto response = co_await dialogue.send(request, until());
  const std::string plea = "look into your gateway's log at that time, and see whom it knows as " + us_;
  if (!response) co_return add("seen", failed, "no answer to /verify (" + response.error().detail + ")", plea);
  const auto body = json::parse(response->body);
  if (response->status != 200 || !body || !body->is_object())
    co_return add("seen", failed, "/verify is answered with " + std::to_string(response->status), plea);
  const auto info = body->find("certificate_info");
  const auto certificate = info != body->end() && info->is_object() ? member(*info, "sha256") : std::string();
  const auto detail = them_ + " sees us as \"" + member(*body, "you") + "\", " + member(*body, "trust_level") +
                      ", with the certificate SHA-256 " + certificate;
  if (member(*body, "you") != us_) co_return add("seen", failed, detail + ", which is not " + us_, plea);
  if (certificate != report_.own.certificate)
    co_return add("seen", failed, detail + ", which is not ours: something between us ends TLS", plea);
  add("seen", good, detail);
}

}  // namespace fedgate::federation
