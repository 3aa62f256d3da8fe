// SPDX-License-Identifier: Apache-2.0
#include "net/enrolment_connection.h"

#include "net/connector.h"
#include "net/dialogue.h"

namespace fedgate::net {

struct EnrolmentConnection::State {
  Presentation seen;
  Dialogue dialogue;
};

EnrolmentConnection::EnrolmentConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
EnrolmentConnection::~EnrolmentConnection() = default;
EnrolmentConnection::EnrolmentConnection(EnrolmentConnection&&) noexcept = default;
EnrolmentConnection& EnrolmentConnection::operator=(EnrolmentConnection&&) noexcept = default;

Result<std::shared_ptr<TlsContext>> EnrolmentConnection::make_tls(std::string certificate_pem, std::string key_pem) {
  TlsOptions options;
  options.certificate_pem = std::move(certificate_pem);
  options.key_pem = std::move(key_pem);
  options.alpn = {std::string(enrolment_protocol)};
  options.session_cache = 0;
  return TlsContext::make(TlsSide::client, options);
}

Task<Result<EnrolmentConnection>> EnrolmentConnection::open(Worker& worker, const Destination& where,
                                                            SteadyTime deadline) {
  Connector connector(worker);
  const auto unreachable = [&](const std::string& why) {
    const Code code = worker.wheel().now() >= deadline ? Code::deadline_exceeded : Code::peer_unreachable;
    return fail(code, "enrolling with " + where.server_name + " at " + where.host_header + ": " + why);
  };
  auto stream = co_await connector.connect(where.host, where.port, deadline);
  if (!stream) co_return unreachable(stream.error().detail);
  auto done = co_await stream->connect_tls(where.tls, where.server_name, deadline);
  if (!done) co_return unreachable(done.error().detail);
  auto seen = stream->presentation();
  if (!seen) co_return fail(std::move(seen.error()));
  if (seen->protocol != enrolment_protocol)
    co_return unreachable("it does not speak " + std::string(enrolment_protocol));
  if (seen->resumed || seen->leaf.empty()) co_return unreachable("not a full handshake with a certificate");
  co_return EnrolmentConnection(
      std::make_unique<State>(std::move(*seen), Dialogue(std::move(*stream), where.host_header)));
}

const Presentation& EnrolmentConnection::server() const { return state_->seen; }
void EnrolmentConnection::close() noexcept { state_->dialogue.close(); }

Task<Result<Response>> EnrolmentConnection::send(const Request& request, SteadyTime deadline) {
  return state_->dialogue.send(request, deadline);
}

}  // namespace fedgate::net
