// Drives one call machine in tests: feeds events at times of the test's choosing and keeps all actions. Test code only, one thread.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/random.hpp"
#include "libs/call/machine.hpp"

namespace tollgate::call {

class Driver {
 public:
  explicit Driver(Policy with = {}) : policy(std::move(with)), random(7), machine(base::CallId::make(1'795'255'200'000, random), policy) {}

  Actions& feed(Event event) {
    actions.clear();
    machine.handle(std::move(event), now(), actions);
    history.insert(history.end(), actions.begin(), actions.end());
    return actions;
  }
  Actions& feedAfter(std::chrono::milliseconds time, Event event) {
    elapsed += time;
    return feed(std::move(event));
  }
  [[nodiscard]] Moment now() const {
    return {base::WallTime(std::chrono::seconds(1'795'255'200)) + elapsed, base::MonotonicTime(std::chrono::seconds(1000)) + elapsed};
  }

  template <class Wanted>
  [[nodiscard]] std::vector<Wanted> all() const {
    return pick<Wanted>(history);
  }
  template <class Wanted>
  [[nodiscard]] std::vector<Wanted> last() const {
    return pick<Wanted>(actions);
  }
  [[nodiscard]] int published(Published event) const {
    const auto events = all<Publish>();
    return static_cast<int>(std::count_if(events.begin(), events.end(), [&](const Publish& p) { return p.event == event; }));
  }
  [[nodiscard]] int finals() const { return published(Published::kEnded) + published(Published::kRejected); }

  // Steps of an ordinary call.
  static Invited invited(bool has_offer = true) {
    Invited event;
    event.sip_call_id = "a@caller";
    event.caller = "37410000001";
    event.called = "55447700900123";
    event.source_address = "192.0.2.7";
    event.source_port = 5060;
    event.has_offer = has_offer;
    return event;
  }
  static Authorized authorized() {
    Authorized event;
    event.identified = {base::CustomerId(1), base::TrunkId(10), base::SourceRowId(100),
                        "447700900123",      "37410000001",     {base::Codec::kPcmu}};
    event.trace.push_back({"auth", "source_row", "192.0.2.0/24", true});
    return event;
  }
  static Candidate candidate(std::int64_t trunk, std::size_t endpoints) {
    Candidate made;
    made.trunk = base::TrunkId(trunk);
    made.vendor = base::CustomerId(trunk + 1000);
    for (std::size_t i = 0; i < endpoints; ++i) {
      made.endpoints.push_back({base::EndpointId(trunk * 10 + static_cast<std::int64_t>(i)), "198.51.100.1",
                                static_cast<std::uint16_t>(5060 + i), base::Transport::kUdp});
    }
    return made;
  }
  static Routed routed(std::vector<Candidate> candidates) {
    Routed event;
    event.rule = base::RuleId(5);
    event.rule_code = "44";
    event.dialpeer = base::DialpeerId(6);
    event.candidates = std::move(candidates);
    return event;
  }
  static Reserved reserved(std::uint32_t paid_seconds = 60, std::size_t index = 0) {
    Reserved event;
    event.rate.plan = base::RatePlanId(3);
    event.rate.per_minute_micros = 600'000;
    event.held_micros = 600'000;
    event.paid_seconds = paid_seconds;
    event.heartbeat_seconds = 20;
    event.occupied.index = index;
    return event;
  }
  static Occupied occupied(std::size_t index) {
    Occupied event;
    event.index = index;
    return event;
  }
  static LegFailed response(LegId leg, int code) { return {leg, LegFailure::kResponse, code}; }
  static Refused refused(Decision decision, base::Reason reason) {
    Refused event;
    event.decision = decision;
    event.reason = reason;
    return event;
  }

  void toIdentifying(bool has_offer = true) { feed(invited(has_offer)); }
  void toRouting() {
    toIdentifying();
    feed(authorized());
  }
  void toReserving(std::vector<Candidate> candidates) {
    toRouting();
    feed(routed(std::move(candidates)));
  }
  void toHunting(std::vector<Candidate> candidates, std::uint32_t paid_seconds = 60) {
    toReserving(std::move(candidates));
    feed(reserved(paid_seconds));
    feed(LegStarted{1, "b@tollgate"});
  }
  void toRinging(std::vector<Candidate> candidates) {
    toHunting(std::move(candidates));
    feedAfter(std::chrono::milliseconds(200), LegProvisional{1, 180, false});
  }
  void toTalking(std::uint32_t paid_seconds = 60) {
    toHunting({candidate(20, 2)}, paid_seconds);
    feedAfter(std::chrono::milliseconds(200), LegProvisional{1, 180, false});
    feedAfter(std::chrono::milliseconds(1000), LegAnswered{1});
  }

  const Policy policy;
  base::SeededRandom random;
  CallMachine machine;
  Actions actions;  // of the last event
  Actions history;
  std::chrono::microseconds elapsed{0};

 private:
  template <class Wanted>
  static std::vector<Wanted> pick(const Actions& from) {
    std::vector<Wanted> found;
    for (const auto& action : from) {
      if (const auto* wanted = std::get_if<Wanted>(&action)) {
        found.push_back(*wanted);
      }
    }
    return found;
  }
};

}  // namespace tollgate::call
