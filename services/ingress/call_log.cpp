#include "libs/telemetry/log.hpp"
#include "services/ingress/event_publisher.hpp"

namespace tollgate::ingress {

void logCall(const call::CallMachine& machine) {
  if (!telemetry::isLogged(telemetry::Level::kInfo)) {
    return;
  }
  const auto& story = machine.story();
  const auto caller = telemetry::maskNumber(story.caller_in);
  const auto called = telemetry::maskNumber(story.called_in);
  telemetry::info("call", {{"call_id", machine.id().text()},
                           {"trunk", story.trunk.value()},
                           {"customer", story.customer.value()},
                           {"carrier_trunk", story.carrier_trunk.value()},
                           {"source", story.source_address},
                           {"caller", caller},
                           {"called", called},
                           {"code", static_cast<std::int64_t>(story.final_code)},
                           {"reason", base::reasonRow(story.reason).word},
                           {"talked_ms", static_cast<std::int64_t>(story.talked.count() / 1000)},
                           {"attempts", static_cast<std::int64_t>(story.attempts.size())}});
}

}  // namespace tollgate::ingress
