// REQUIREMENTS 9.5: who may hold calls.
#include "services/billing/accounts/presence.hpp"

#include <gtest/gtest.h>

#include "libs/testkit/fake_clock.hpp"

namespace tollgate::billing {
namespace {

using namespace std::chrono_literals;

using State = Presence::State;

class PresenceTest : public ::testing::Test {
 protected:
  static control::v1::InstanceAlive alive(const std::string& instance) {
    control::v1::InstanceAlive message;
    message.set_instance(instance);
    return message;
  }
  testkit::FakeClock clock;
  Presence presence{clock, 5min};
};

TEST_F(PresenceTest, AnInstanceIsGoneAfterALongSilenceOnly) {
  presence.heard(alive("a"));
  clock.advance(5min);
  EXPECT_EQ(presence.of("a"), State::kAlive);
  EXPECT_EQ(presence.mayHoldCalls(), std::vector<std::string>{"a"});
  clock.advance(1s);
  EXPECT_EQ(presence.of("a"), State::kSilent);
  EXPECT_TRUE(presence.mayHoldCalls().empty());
  presence.heard(alive("a"));  // frozen, not dead
  EXPECT_EQ(presence.of("a"), State::kAlive);
}

TEST_F(PresenceTest, AStepOfTheWallClockMakesNobodyGone) {
  presence.heard(alive("a"));
  clock.stepWall(24h);
  EXPECT_EQ(presence.of("a"), State::kAlive);
}

TEST_F(PresenceTest, AnInstanceThatSaidSoIsGoneUntilItStartsAgain) {
  auto last = alive("a");
  last.set_stopped(true);
  presence.heard(last);
  EXPECT_EQ(presence.of("a"), State::kStopped);
  presence.heard(alive("a"));
  EXPECT_EQ(presence.of("a"), State::kAlive);
}

TEST_F(PresenceTest, TheSuccessorOnTheSameSpoolReplacesItOnceTheOldRecordsArePublished) {
  presence.heard(alive("a"));
  auto successor = alive("b");
  successor.set_replaces("a");
  successor.set_replaying(true);
  presence.heard(successor);
  EXPECT_EQ(presence.of("a"), State::kAlive);
  successor.set_replaying(false);
  presence.heard(successor);
  EXPECT_EQ(presence.of("a"), State::kStopped);
  EXPECT_EQ(presence.of("b"), State::kAlive);
}

TEST_F(PresenceTest, TheSilenceOfAnUnknownInstanceCountsFromTheFirstQuestion) {
  EXPECT_EQ(presence.of("a"), State::kAlive);
  presence.recall("b");
  clock.advance(5min + 1s);
  EXPECT_EQ(presence.of("a"), State::kSilent);
  EXPECT_EQ(presence.of("b"), State::kSilent);
}

// A hold without the name of its instance is nobody's to ask for, and no rebuild waits for it.
TEST_F(PresenceTest, NobodyHasNoName) {
  EXPECT_EQ(presence.of(""), State::kSilent);
  EXPECT_TRUE(presence.mayHoldCalls().empty());
}

TEST_F(PresenceTest, SilenceCountsAnewAfterTheBusWasAway) {
  presence.heard(alive("a"));
  clock.advance(1h);
  presence.busIsBack();
  EXPECT_EQ(presence.of("a"), State::kAlive);
}

TEST_F(PresenceTest, TellsEachChangeOnce) {
  using Changes = std::map<std::string, bool>;
  presence.heard(alive("a"));
  presence.heard(alive("a"));
  EXPECT_EQ(presence.takeChanges(), (Changes{{"a", false}}));
  EXPECT_EQ(presence.takeChanges(), Changes());
  auto last = alive("a");
  last.set_stopped(true);
  presence.heard(last);
  EXPECT_EQ(presence.takeChanges(), (Changes{{"a", true}}));
}

}  // namespace
}  // namespace tollgate::billing
