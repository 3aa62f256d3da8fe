// SPDX-License-Identifier: Apache-2.0
#include "federation/verifier.h"

#include <algorithm>

namespace fedgate::federation {

/// However it ends, by a cancellation too, those who wait hear of it.
class Verifier::Ending {
 public:
  Ending(Verifier& of, NodeId node, std::shared_ptr<Attempt> attempt)
      : of_(of), node_(std::move(node)), attempt_(std::move(attempt)) {}
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;
  ~Ending() {
    attempt_->ended = true;
    of_.attempts_.erase(node_);
    of_.ended_.ring();
  }

 private:
  Verifier& of_;
  NodeId node_;
  std::shared_ptr<Attempt> attempt_;
};

Task<Result<void>> Verifier::attempt(NodeId node, SteadyTime deadline) {
  const auto mine = std::make_shared<Attempt>(Attempt{.begun = ++count_});
  attempts_.insert_or_assign(node, mine);
  const Ending ending(*this, node, mine);
  const auto longest = wheel_.now() + Verifications::patience;
  auto seen = co_await all_.verify(peers_, node, Verifications::Connection::pooled, std::min(deadline, longest));
  if (seen && seen->good) co_return Result<void>{};
  auto why = Error(seen ? seen->code : seen.error().code,
                   node.str() + " is not verified: " + (seen ? seen->detail : seen.error().detail));
  // That this call had little time says nothing about the node.
  if (why.code != Code::deadline_exceeded || deadline >= longest) mine->failure = why;
  co_return fail(std::move(why));
}

Task<Result<void>> Verifier::settle(NodeId node, SteadyTime deadline) {
  const auto came = ++count_;
  while (!verified(node)) {
    const auto now = wheel_.now();
    if (now >= deadline) co_return fail(Code::deadline_exceeded, node.str() + " could not be verified in time");
    const auto running = attempts_.find(node);
    if (running == attempts_.end()) co_return co_await attempt(node, deadline);
    const auto shared = running->second;
    // The bell's clock is the real one.
    const auto until = std::chrono::steady_clock::now() + (deadline - now);
    const bool over = co_await ended_.wait(until, [&] { return shared->ended; });
    if (!over) co_return fail(Code::deadline_exceeded, node.str() + " could not be verified in time");
    if (shared->begun > came && shared->failure) co_return fail(*shared->failure);
  }
  co_return Result<void>{};
}

}  // namespace fedgate::federation
