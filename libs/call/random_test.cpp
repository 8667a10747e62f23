// Random sequences of events, in which the machine's own timers and legs sometimes answer. The promises of machine.hpp must hold in each.
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "libs/call/test_driver.hpp"

namespace tollgate::call {
namespace {

using std::chrono::milliseconds;

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : random_(seed) {}

  void run() {
    driver_.feed(Driver::invited(chance(80)));
    check();
    for (int step = 0; step < 60 && !driver_.machine.isOver(); ++step) {
      driver_.elapsed += std::chrono::microseconds(random_.next() % 2'000'000);
      driver_.feed(pick());
      check();
    }
    finishUp();
  }

 private:
  bool chance(unsigned percent) { return random_.next() % 100 < percent; }
  std::uint64_t below(std::uint64_t limit) { return random_.next() % limit; }

  Event decision() {
    switch (driver_.machine.phase()) {
      case Phase::kIdentifying:
        return Driver::authorized();
      case Phase::kRouting:
        return Driver::routed({Driver::candidate(20, below(3)), Driver::candidate(21, 1 + below(2)), Driver::candidate(22, 1)});
      case Phase::kReserving:
        return Driver::reserved(static_cast<std::uint32_t>(below(30)), below(3));
      default:
        return chance(50) ? Event(Driver::occupied(below(3))) : Event(Extended{static_cast<std::uint32_t>(below(90)), 5, chance(20)});
    }
  }

  Event pick() {
    const auto leg = static_cast<LegId>(below(5));
    const auto asked = static_cast<Decision>(below(base::enumSize(kLastDecision)));
    switch (below(20)) {
      case 0:
        return Driver::refused(asked, static_cast<base::Reason>(below(50)));
      case 1:
        return DecisionFailed{asked, "no answer"};
      case 2:
        return chance(20) ? Event(CallerCancelled{}) : decision();
      case 3:
        return CallerAcked{};
      case 4:
        return chance(20) ? Event(CallerNoAck{}) : decision();
      case 5: {
        const auto side = chance(50) ? Side::kCaller : Side::kCarrier;
        if (side == Side::kCarrier) {
          gone_.insert(leg);
        }
        return PartyBye{side, leg};
      }
      case 6:
        return chance(10) ? Event(OperatorHangup{"anna"}) : decision();
      case 7:
        return chance(10) ? Event(Shutdown{}) : decision();
      case 8:
      case 9:
        return TimerFired{static_cast<TimerKind>(below(base::enumSize(kLastTimerKind)))};
      case 10:
        return LegAnswered{leg};
      case 11:
      case 12:
        gone_.insert(leg);
        return LegFailed{leg, static_cast<LegFailure>(below(3)), static_cast<int>(300 + below(400))};
      case 13:
        return LegProvisional{leg, static_cast<int>(100 + below(100)), chance(50)};
      case 14:
        return Driver::invited();
      default:
        return decision();
    }
  }

  // After the random events: pending decisions fail, the caller cancels or hangs up, and the linger timer fires. Then the call must be
  // over.
  void finishUp() {
    for (const auto decision : {Decision::kAuthorize, Decision::kRoute, Decision::kReserve, Decision::kOccupy, Decision::kExtend}) {
      driver_.feed(DecisionFailed{decision, "end"});
    }
    driver_.feed(CallerCancelled{});
    driver_.feed(PartyBye{Side::kCaller, 0});
    for (const auto decision : {Decision::kReserve, Decision::kOccupy}) {
      driver_.feed(DecisionFailed{decision, "end"});
    }
    driver_.feedAfter(milliseconds(40000), TimerFired{TimerKind::kLinger});
    check();
    EXPECT_TRUE(driver_.machine.isOver());
    EXPECT_EQ(driver_.finals(), 1);  // REQUIREMENTS 10.1
    EXPECT_EQ(answers(), 1U);
    checkLegs();
    const auto& record = driver_.machine.record();
    EXPECT_LE(record.talked, std::chrono::seconds(record.paid_seconds));  // REQUIREMENTS 9.2
  }

  void check() {
    EXPECT_LE(driver_.finals(), 1);
    EXPECT_LE(answers(), 1U);
    std::uint32_t sequence = 0;
    for (const auto& publish : driver_.all<Publish>()) {
      EXPECT_EQ(publish.sequence, ++sequence);
    }
    for (const auto& start : driver_.all<StartLeg>()) {
      ASSERT_LT(start.candidate, driver_.machine.candidates().size());
      ASSERT_LT(start.endpoint, driver_.machine.candidates()[start.candidate].endpoints.size());
    }
  }

  [[nodiscard]] std::size_t answers() const { return driver_.all<AnswerCaller>().size() + driver_.all<RejectCaller>().size(); }

  // Every leg ended exactly once: we ended it with BYE or dropped it, or the other side ended it.
  void checkLegs() const {
    std::map<LegId, int> let_go;
    for (const auto& bye : driver_.all<ByeLeg>()) {
      ++let_go[bye.leg];
    }
    for (const auto& drop : driver_.all<DropLeg>()) {
      ++let_go[drop.leg];
    }
    for (const auto& start : driver_.all<StartLeg>()) {
      EXPECT_LE(let_go[start.leg], 1) << "leg " << start.leg;
      EXPECT_TRUE(let_go[start.leg] == 1 || gone_.contains(start.leg)) << "leg " << start.leg;
    }
  }

  base::SeededRandom random_;
  Driver driver_;
  std::set<LegId> gone_;
};

TEST(CallMachineRandom, KeepsItsPromisesWhateverArrives) {
  for (std::uint64_t seed = 1; seed <= 3000 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chaos(seed).run();
  }
}

}  // namespace
}  // namespace tollgate::call
