// Asks auth, routing and billing for calls and turns the answers into events of libs/call. flush() at the end of a turn sends the requests
// of that turn together. Every request gets exactly one event: its answer, or DecisionFailed after its timeout, or DecisionFailed
// immediately when the bus is unavailable. Owns the requests under way. Loop thread only; answers are posted to the loop.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "libs/bus/rpc.hpp"
#include "libs/call/machine.hpp"
#include "services/ingress/calls/call_table.hpp"
#include "services/ingress/metrics.hpp"
#include "services/ingress/records/call_report.hpp"

namespace tollgate::ingress {

class Decisions {
 public:
  struct Timeouts {
    std::chrono::milliseconds auth{500};
    std::chrono::milliseconds routing{500};
    std::chrono::milliseconds billing{500};
  };
  // Called on the loop thread. The call may not exist any more.
  using Deliver = std::function<void(CallRef, call::Event)>;

  // `executor` posts to the loop.
  Decisions(bus::Connection& connection, bus::Executor executor, Timeouts timeouts, std::string instance, IngressMetrics& metrics,
            Deliver deliver);

  void authorize(CallRef ref, const call::CallMachine& machine);
  void route(CallRef ref, const call::CallMachine& machine);
  void reserve(CallRef ref, const call::CallMachine& machine);
  void occupy(CallRef ref, const call::CallMachine& machine, const call::AskOccupy& ask);
  void extend(CallRef ref, const call::CallMachine& machine, const call::AskExtend& ask);
  // Asks billing to free what the ended call has taken; `done` says whether it did.
  void release(const UnstoredCall& ended, std::function<void(bool)> done);
  // Sends the requests of this turn. When some were held back it returns how long; flush again after that time or earlier.
  [[nodiscard]] std::optional<std::chrono::steady_clock::duration> flush() { return client_.flush(); }

 private:
  template <bus::RpcVerb Def>
  void ask(CallRef ref, const call::CallMachine& machine, const typename Def::Request& request, call::Decision decision,
           std::chrono::milliseconds timeout);

  // Passed in.
  const Timeouts timeouts_;
  const std::string instance_;
  IngressMetrics& metrics_;
  Deliver deliver_;
  // Owned.
  bus::RpcClient client_;
};

}  // namespace tollgate::ingress
