// The Lua scripts against an exact model (REQUIREMENTS 9.1 to 9.5): a million random steps of many customers, pipelined. Every reply is
// compared with the model's, and after every few steps of a customer his whole state, and what must hold in Redis whatever the model says.
#include <random>

#include <gtest/gtest.h>

#include "libs/testkit/servers.hpp"
#include "libs/testkit/settings.hpp"
#include "libs/testkit/wait.hpp"
#include "services/billing/accounts/credit_store_model_player.hpp"

namespace tollgate::billing {
namespace {

constexpr std::uint32_t kSeed = 20'260'731;
constexpr std::size_t kSteps = 1'000'000;
constexpr std::size_t kCustomers = 64;
constexpr std::size_t kStepsPerLife = 500;  // then the customer begins anew, so that a failure has a short history
constexpr std::size_t kStepsPerCheck = 20;
static_assert(kStepsPerLife % kStepsPerCheck == 0);

// How often each kind comes, in the order of StepKind.
constexpr std::array<double, kStepKinds> kWeights{16, 22, 6, 3, 4, 7, 7, 3, 4, 6, 2, 2, 3, 7, 0.5, 2, 0.4, 2.5, 2.5};

using History = std::vector<Step>;

class CreditModelTest : public testing::Test {
 protected:
  void SetUp() override {
    std::vector<redis::Script> all = scripts_.all();
    all.push_back(dump_);
    redis::ClientSettings settings = testkit::settingsOf(server_);
    settings.command_timeout = std::chrono::seconds(60);
    client_ = std::make_unique<redis::Client>(settings, all);
    store_ = std::make_unique<CreditStore>(*client_, scripts_, StoreTimes{kFar, kFar, kFar});
    ASSERT_TRUE(testkit::waitUntil([&] { return client_->isConnected(); }));
  }

  void barrier() { ASSERT_TRUE(client_->wait({"PING"}).has_value()); }
  void empty() { ASSERT_TRUE(client_->wait({"FLUSHALL"}).has_value()); }
  std::unique_ptr<Player> player(std::size_t customer, std::uint32_t seed) {
    return std::make_unique<Player>(Player::Clients{*client_, *store_, dump_}, base::CustomerId(static_cast<std::int64_t>(customer) + 1),
                                    seed);
  }

  // Plays a history alone, with a check after every step. Returns what fails.
  std::optional<std::string> replay(std::uint32_t seed, const History& history) {
    empty();
    const auto alone = player(0, seed);
    for (const Step& step : history) {
      alone->play(step);
      alone->readState();
      barrier();
      if (auto wrong = alone->verdict()) {
        return wrong;
      }
    }
    return std::nullopt;
  }

  // Leaves out what the failure does not need: halves, quarters, and so on down to single steps.
  std::string shrink(std::uint32_t seed, History history) {
    auto wrong = replay(seed, history);
    for (std::size_t chunk = history.size() / 2; wrong && chunk > 0; chunk /= 2) {
      for (std::size_t first = 0; first < history.size();) {
        History less = history;
        const auto begin = less.begin() + static_cast<std::ptrdiff_t>(first);
        less.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(chunk, less.size() - first)));
        if (auto still = replay(seed, less)) {
          history = std::move(less);
          wrong = std::move(still);
        } else {
          first += chunk;
        }
      }
    }
    std::string text = wrong.value_or("the history of this customer alone does not fail") + "\nsteps:";
    for (const Step& step : history) {
      text += "\n  " + step.text();
    }
    return text;
  }

  static constexpr std::chrono::minutes kFar{600};
  testkit::RedisServer server_;
  const Scripts scripts_;
  const redis::Script dump_{dumpScript()};
  std::unique_ptr<redis::Client> client_;
  std::unique_ptr<CreditStore> store_;
};

TEST_F(CreditModelTest, AMillionRandomStepsDoWhatTheModelDoes) {
  std::mt19937 random(kSeed);
  std::discrete_distribution<std::size_t> kind(kWeights.begin(), kWeights.end());
  for (std::size_t done = 0; done < kSteps;) {
    empty();
    std::vector<std::unique_ptr<Player>> players;
    std::vector<std::uint32_t> seeds;
    std::vector<History> histories(kCustomers);
    for (std::size_t i = 0; i < kCustomers; ++i) {
      seeds.push_back(static_cast<std::uint32_t>(random()));
      players.push_back(player(i, seeds.back()));
    }
    for (std::size_t step = 0; step < kStepsPerLife; step += kStepsPerCheck, done += kStepsPerCheck * kCustomers) {
      for (std::size_t i = 0; i < kStepsPerCheck * kCustomers; ++i) {
        const Step next{static_cast<StepKind>(kind(random)), static_cast<std::uint8_t>(random() % 5), static_cast<std::uint32_t>(random()),
                        static_cast<std::uint32_t>(random())};
        histories[i % kCustomers].push_back(next);
        players[i % kCustomers]->play(next);
      }
      for (const auto& one : players) {
        one->readState();
      }
      barrier();
      for (std::size_t i = 0; i < kCustomers; ++i) {
        const auto wrong = players[i]->verdict();
        ASSERT_FALSE(wrong) << "seed " << kSeed << ", after " << done << " steps, customer " << i + 1 << ": " << *wrong
                            << "\n\nshrunk: " << shrink(seeds[i], histories[i]);
      }
    }
  }
}

}  // namespace
}  // namespace tollgate::billing
