#include "services/billing/accounts/live_calls.hpp"

#include <optional>
#include <set>

#include "libs/bus/control.hpp"
#include "tollgate/control/v1/control.rpc.h"

namespace tollgate::billing {

std::map<std::string, LiveCalls> askForCalls(bus::Connection& connection, const control::v1::ReportCallsRequest& request,
                                             std::chrono::milliseconds time) {
  struct Pieces {
    std::set<std::uint32_t> seen;
    std::optional<std::uint32_t> last;
  };
  std::map<std::string, LiveCalls> answers;
  std::map<std::string, Pieces> pieces;
  for (auto& reply : bus::gather<control::v1::Ingress::ReportCalls>(connection, request, 0, time)) {
    LiveCalls& answer = answers[reply.instance()];
    answer.is_replaying = answer.is_replaying || reply.replaying();
    for (auto& call : *reply.mutable_calls()) {
      // A call that ended while its instance answered is in two pieces; the later one, "ending", is right.
      std::string id = call.call_id();
      answer.calls.insert_or_assign(std::move(id), std::move(call));
    }
    Pieces& known = pieces[reply.instance()];
    known.seen.insert(reply.piece());
    if (reply.is_last()) {
      known.last = reply.piece();
    }
  }
  for (auto& [instance, answer] : answers) {
    const Pieces& known = pieces[instance];
    answer.is_complete = known.last && known.seen.size() == *known.last + std::size_t{1};
  }
  return answers;
}

}  // namespace tollgate::billing
