// SPDX-License-Identifier: Apache-2.0
#include "federation/enrolment_responder.h"

#include <algorithm>

#include "trust/responder.h"
#include "wire/call.h"
#include "wire/trust_dialogue.h"

namespace fedgate::federation {

namespace {
constexpr std::string_view challenge_path = "/api/v2/federation/trust/challenge";
constexpr std::string_view trust_path = "/api/v2/federation/trust";
}  // namespace

/// One connection's. What the responder refers to lies before it.
struct EnrolmentResponder::Dialogue {
  std::weak_ptr<const net::Presentation> connection;
  trust::OwnParty own;
  trust::EnrolmentLink link;
  std::shared_ptr<const nodes::NodeTable> nodes;
  std::string invite_id;
  std::string node;  ///< as claimed
  std::optional<trust::Responder> responder;
};

EnrolmentResponder::EnrolmentResponder(TrustDesk& desk) : desk_(desk), records_(desk.parts().store) {}
EnrolmentResponder::~EnrolmentResponder() = default;

Task<> EnrolmentResponder::handle(const net::Connection& connection, net::Request& request, net::Response& response) {
  // Whatever is stored and recorded is so even if the stranger hangs up.
  co_await shielded();
  const bool asks = request.path() == challenge_path;
  Result<std::string> body = fail(Code::not_found, "a stranger asks for " + std::string(request.path().substr(0, 100)));
  if (!connection.stranger) {
    body = fail(Code::internal, "an enrolment without a stranger");
  } else if (request.method == "POST" && asks) {
    body = co_await challenge(connection, request);
  } else if (request.method == "POST" && request.path() == trust_path) {
    body = co_await trust(connection, request);
  }
  response.close = !body || !asks;
  if (body) {
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(*body);
  } else {
    const auto known = connection.stranger ? dialogue(connection) : nullptr;
    co_await desk_.record_refusal(known ? known->node : "", connection.remote, body.error());
    wire::Problem problem;
    // One answer for every reason: a stranger must not find out which invites or nodes there are.
    problem.code = Code::forbidden;
    response.status = code_info(problem.code).http_status;
    response.headers.add("Content-Type", "application/problem+json");
    response.body = wire::problem_body(problem);
  }
  if (response.close)
    std::erase_if(dialogues_, [&](const auto& one) { return one->connection.lock() == connection.stranger; });
}

std::shared_ptr<EnrolmentResponder::Dialogue> EnrolmentResponder::dialogue(const net::Connection& connection) {
  std::erase_if(dialogues_, [](const auto& one) { return one->connection.expired(); });
  const auto found =
      std::ranges::find_if(dialogues_, [&](const auto& one) { return one->connection.lock() == connection.stranger; });
  return found == dialogues_.end() ? nullptr : *found;
}

Task<Result<std::optional<Invite>>> EnrolmentResponder::invite(std::string id) {
  if (id.empty()) co_return std::optional<Invite>();
  co_return co_await desk_.parts().pool.run([this, id = std::move(id)] { return records_.invite(id); });
}

Task<Result<std::string>> EnrolmentResponder::challenge(const net::Connection& connection,
                                                        const net::Request& request) {
  const auto& parts = desk_.parts();
  auto asked = wire::parse_challenge_request(parser_, request.body);
  if (!asked) co_return fail(asked.error());
  auto mine = dialogue(connection);
  if (!mine) {
    mine = std::make_shared<Dialogue>();
    mine->connection = connection.stranger;
    mine->node = asked->node.str();
    mine->invite_id = asked->invite_id;
    mine->nodes = parts.registry.table().load();
    dialogues_.push_back(mine);
    auto link = trust::enrolment_link(*connection.stranger, connection.remote);
    if (!link) co_return fail(link.error());
    mine->link = std::move(*link);
    const auto own = parts.own.load();
    auto bundle =
        co_await parts.pool.run([this, own] { return own_bundle(records_, *own, desk_.parts().clock.wall()); });
    if (!bundle) co_return fail(bundle.error());
    mine->own = as_server(*own, std::move(*bundle));
    mine->responder.emplace(mine->own, mine->link, mine->nodes->all(), parts.clock, parts.entropy);
  }
  if (!mine->responder) co_return fail(Code::forbidden, "another request while the first was not answered");
  auto invited = co_await invite(asked->invite_id);
  if (!invited) co_return fail(invited.error());
  auto answer = mine->responder->challenge(*asked, parts.own.load()->enrolment, *invited);
  if (!answer) co_return fail(answer.error());
  co_return wire::challenge_answer_body(*answer);
}

Task<Result<std::string>> EnrolmentResponder::trust(const net::Connection& connection, const net::Request& request) {
  const auto mine = dialogue(connection);
  if (!mine || !mine->responder)
    co_return fail(Code::identity_mismatch, "no challenge was asked for on this connection");
  auto asked = wire::parse_trust_request(parser_, request.body);
  if (!asked) co_return fail(asked.error());
  auto invited = co_await invite(mine->invite_id);
  if (!invited) co_return fail(invited.error());
  auto admission = mine->responder->trust(*asked, *invited);
  if (!admission) co_return fail(admission.error());
  auto level = co_await desk_.admit(admission->candidate, admission->decided, admission->known);
  if (!level) co_return fail(level.error());
  auto answer = mine->responder->answer(
      *admission, *level,
      *level == TrustLevel::trusted
          ? "nobody: we trust you now"
          : "operators of both: compare the fingerprint, whole, by another way; then `fedgate trust approve`");
  if (!answer) co_return fail(answer.error());
  co_return wire::trust_answer_body(*answer);
}

}  // namespace fedgate::federation
