#include "libs/telemetry/log.hpp"
#include "services/ingress/records/event_publisher.hpp"

namespace tollgate::ingress {

void logCall(const call::CallMachine& machine) {
  if (!telemetry::isLogged(telemetry::Level::kInfo)) {
    return;
  }
  const auto& record = machine.record();
  const auto caller = telemetry::maskNumber(record.caller_in);
  const auto called = telemetry::maskNumber(record.called_in);
  telemetry::info("call", {{"call_id", machine.id().text()},
                           {"trunk", record.trunk.value()},
                           {"customer", record.customer.value()},
                           {"carrier_trunk", record.carrier_trunk.value()},
                           {"source", record.source_address},
                           {"caller", caller},
                           {"called", called},
                           {"code", static_cast<std::int64_t>(record.final_code)},
                           {"reason", base::reasonRow(record.reason).word},
                           {"talked_ms", static_cast<std::int64_t>(record.talked.count() / 1000)},
                           {"attempts", static_cast<std::int64_t>(record.attempts.size())}});
}

}  // namespace tollgate::ingress
