// One customer of the model test: his calls as the ingress sees them, his ledger, and the model of what Redis has. A step is three numbers,
// whose meaning depends on the state it meets, so any part of a history is a history too. Replies are checked on the Redis thread, the rest
// belongs to the test's thread. Owns the state of the customer; the clients are passed in and outlive it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libs/redis/client.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/accounts/credit_store_model.hpp"

namespace tollgate::billing {

enum class StepKind : std::uint8_t {
  kReserve,     // also again, and late
  kExtend,      // its reply may be lost, or the request delayed
  kRepeat,      // the last or the delayed request of a call again: a duplicate, overtaken, or after the end
  kAnswered,    // the record of the answer
  kReleaseRpc,  // before the record
  kRecord,      // the final record has arrived
  kCommit,      // the ledger books the stored records; its settlement may be delayed
  kPayment,
  kSettle,  // a settlement that was delayed, or once more
  kOccupy,
  kVacate,
  kRenewSlot,
  kExpireSlot,
  kExpireMark,  // of a call that ended long ago
  kExamine,
  kRead,
  kLose,    // Redis loses everything of the customer
  kReport,  // the ingress says which calls it has, and the ledger is read
  kLoad,    // with that report, which may be outdated by now
};
inline constexpr std::size_t kStepKinds = static_cast<std::size_t>(StepKind::kLoad) + 1;

struct Step {
  StepKind kind = StepKind::kReserve;
  std::uint8_t call = 0;
  std::uint32_t a = 0, b = 0;
  [[nodiscard]] std::string text() const;
};

class Player {
 public:
  struct Clients {
    redis::Client& client;
    CreditStore& store;
    const redis::Script& dump;
  };
  // The kind of customer and the size of his amounts follow from the seed.
  Player(Clients clients, base::CustomerId customer, std::uint32_t seed);

  void play(const Step& step);
  // Asks Redis for its state; verdict() compares it. Requires: a barrier between the two.
  void readState();
  // What is wrong; nullopt = nothing. An invariant that is broken in Redis itself comes before a difference to the model.
  [[nodiscard]] std::optional<std::string> verdict();

 private:
  enum class Phase : std::uint8_t { kNew, kLive, kOver };
  struct Call {
    std::string name;
    int generation = 0;
    Phase phase = Phase::kNew;
    std::int64_t promised = 0;  // what the ingress counts on
    std::int64_t confirmed = 0, charge = 0;
    std::uint32_t sequence = 0;
    bool is_known = false;      // to Redis, since its last loss
    bool is_stored = false;     // the final record is in the stream
    bool is_committed = false;  // the ledger has the charge
    bool is_settled = false;    // and Redis's balance too
    std::optional<ExtendOrder> last, delayed;
  };
  // What the replies say, written on the Redis thread.
  struct Findings {
    std::mutex mutex;
    std::string invariant, difference;
    std::optional<redis::Reply> state;
  };

  static std::size_t trunkOf(std::size_t call) { return call % 2; }
  [[nodiscard]] std::int64_t amount(std::uint32_t random) const { return static_cast<std::int64_t>(random % 101) * scale_; }
  [[nodiscard]] HoldWindow window(const Step& step) const;
  [[nodiscard]] bool isLateKnown(const Call& call) const;
  template <class Outcome, class Same>
  [[nodiscard]] Then<Outcome> expect(const char* what, Outcome expected, Same same) const;

  void reserve(const Step& step, std::size_t index);
  void extend(const Step& step, std::size_t index);
  void send(const ExtendOrder& order, std::size_t index, std::optional<std::uint32_t> heard);
  void repeat(const Step& step, std::size_t index);
  void release(const Step& step, std::size_t index, bool by_record);
  void commit(Call& call, std::size_t index, bool deliver_now);
  void push(SettleOrder order, bool deliver_now);
  void deliver(const SettleOrder& order);
  void settleAgain(const Step& step);
  void slots(const Step& step, std::size_t index);
  void expireMark(std::size_t index);
  void examine(std::size_t index);
  void read(std::size_t index);
  void lose();
  void report(const Step& step);
  void load();
  void renew(Call& call, std::size_t index);
  [[nodiscard]] bool isPending(const std::string& name) const;

  // Passed in.
  const Clients clients_;
  const base::CustomerId customer_;
  // Derived from the seed.
  std::int64_t scale_ = 1;
  std::optional<std::int64_t> floor_;
  bool prepaid_ = true;
  std::optional<std::int64_t> slot_cap_;
  // Owned.
  ModelAccount model_;
  std::array<Call, 5> calls_;
  std::int64_t balance_ = 0, version_ = 1;  // of the ledger
  std::vector<SettleOrder> pending_;
  std::optional<AccountOrder> report_;
  std::shared_ptr<Findings> findings_ = std::make_shared<Findings>();  // shared with the replies
};

// The script that writes the state of one customer as text. KEYS: account, holds, late value, what his keys begin with, the slots of both
// trunks, outgoing slots. ARGV: the calls. -> held, sum of the holds, text, then the amount of each call's hold
[[nodiscard]] std::string dumpScript();

}  // namespace tollgate::billing
