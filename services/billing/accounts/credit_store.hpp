// Holds, slots and leases in Redis (REQUIREMENTS 9.1 to 9.5): one member function for each script of accounts/scripts.
//
// Threads: any. Nothing blocks but wait*(). Outcomes arrive on the Redis thread. Owns nothing. Errors: the step may or may not have been
// executed. Every step is idempotent by call id, so the caller repeats it or leaves it to the lease.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/ids.hpp"
#include "libs/base/result.hpp"
#include "libs/redis/client.hpp"
#include "services/billing/accounts/scripts.hpp"

namespace tollgate::billing {

// What a step of the store calls with its outcome.
template <class T>
using Then = std::function<void(base::Result<T>)>;

struct StoreTimes {
  std::chrono::milliseconds lease;        // without a heartbeat for this long a call is closed
  std::chrono::milliseconds ended_mark;   // how long late requests of an ended call are recognised
  std::chrono::milliseconds record_wait;  // how long the charge of a released call is held for its record
};

enum class ReserveStatus { kGranted, kReplay, kEnded, kMissing, kNoSlot, kCpsLimit, kNoCredit };

// How much a hold should be (REQUIREMENTS 9.1): what is wanted, and beyond that, up to what is generous, a share of what is available. With
// each amount how long it promises talking time, which is how long the hold stays without a word from the ingress.
struct HoldWindow {
  std::int64_t wanted_micros = 0;
  std::int64_t generous_micros = 0;
  std::int64_t share_ppm = 0;
  std::chrono::milliseconds wanted_for{0};
  std::chrono::milliseconds generous_for{0};
};

struct ReserveOrder {
  std::string call;
  base::CustomerId customer;
  base::TrunkId trunk;
  std::optional<std::int64_t> incoming_max, cps_max;
  std::optional<std::int64_t> floor_micros;  // nullopt = unlimited
  std::int64_t least_micros = 0;
  bool prepaid = true;
  HoldWindow window;
  std::string instance;  // of the ingress that has the call
  std::string record;    // CallAnswered with what is known now; the CDR is made from it if the instance of the call is lost
  bool dry_run = false;  // decide the same and take nothing (REQUIREMENTS 10.6)
};

struct ReserveOutcome {
  ReserveStatus status = ReserveStatus::kMissing;
  std::int64_t granted_micros = 0;
  std::int64_t posted_micros = 0;
  std::int64_t held_before_micros = 0;
  std::int64_t slots_in_use = 0;
  std::int64_t calls_this_second = 0;
};

enum class OccupyStatus { kTaken, kReplay, kMissing, kNoSlot, kCpsLimit };

struct OccupyOutcome {
  OccupyStatus status = OccupyStatus::kMissing;
  std::int64_t slots_in_use = 0;
  std::int64_t calls_this_second = 0;
};

struct ExtendOrder {
  std::string call;
  base::CustomerId customer;
  base::TrunkId trunk;
  std::optional<std::int64_t> floor_micros;
  std::int64_t promised_micros = 0;  // what the ingress counts on: held whatever the balance is, also when Redis has lost the hold
  HoldWindow window;                 // totals, not additions
  std::int64_t confirmed_seconds = 0;
  std::uint32_t sequence = 0;  // a request that another has overtaken changes nothing
  std::string instance;
  std::string record;
};

enum class ExtendStatus { kHeld, kEnded, kMissing };

struct ExtendOutcome {
  ExtendStatus status = ExtendStatus::kMissing;
  std::int64_t held_micros = 0;
  std::int64_t due_micros = 0;  // what the hold should be: less than what is held when the call should give time back
};

// A call is over: its slots become free, and its hold shrinks to the charge.
struct ReleaseOrder {
  struct CarrierSlot {
    base::CustomerId carrier;
    base::TrunkId trunk;
  };
  std::string call;
  base::CustomerId customer;
  base::TrunkId trunk;
  std::vector<CarrierSlot> carrier_slots = {};  // that the call may use
  std::int64_t charge_micros = 0;               // stays held until the ledger has it
  // The record of the call has not arrived: only the ingress says that the call is over. Then the charge is held as a lease, and when that
  // ends the call is closed with the seconds talked.
  bool awaits_record = false;
  std::int64_t talked_seconds = 0;
};

enum class ReleaseStatus { kReleased, kMissing };

struct AccountView {
  bool found = false;
  std::int64_t posted_micros = 0;
  std::int64_t held_micros = 0;
  std::int64_t live_holds = 0;
  std::int64_t slots_in_use = 0;
  std::int64_t calls_this_second = 0;
};

// A call and the trunk of which it uses a slot.
struct CallSlot {
  std::string call;
  base::TrunkId trunk;
};

struct SettleOrder {
  base::CustomerId customer;
  std::int64_t posted_micros = 0;
  std::int64_t version = 0;
  std::vector<CallSlot> calls;
};

enum class HoldStatus { kGone, kBooked, kHeld };  // kBooked: the record of the call has arrived

// The hold of a call whose heartbeat is late.
struct HoldView {
  HoldStatus status = HoldStatus::kGone;
  std::chrono::milliseconds silent_for{0};    // since the last heartbeat
  std::chrono::milliseconds promised_for{0};  // not above 0: what was promised has ended
  std::int64_t confirmed_seconds = 0;
  std::string instance;  // of the ingress that has the call
  std::string record;    // CallAnswered with what is known
};

struct AccountOrder {
  struct Hold {
    std::string call;
    base::TrunkId trunk;
    std::int64_t amount_micros = 0;
    std::int64_t confirmed_seconds = 0;
    bool uses_slot = true;
    std::chrono::milliseconds promised_for{0};
    std::string instance;
    std::string record;
  };
  base::CustomerId customer;
  std::int64_t posted_micros = 0;
  std::int64_t version = 0;
  std::vector<Hold> holds;
  std::vector<CallSlot> outgoing;
};

class CreditStore {
 public:
  CreditStore(redis::Client& client, const Scripts& scripts, StoreTimes times);

  void reserve(const ReserveOrder& order, Then<ReserveOutcome> then);
  // A dry run decides the same and takes nothing (REQUIREMENTS 10.6).
  void occupy(const std::string& call, base::CustomerId carrier, base::TrunkId trunk, std::optional<std::int64_t> outgoing_max,
              std::optional<std::int64_t> cps_max, bool dry_run, Then<OccupyOutcome> then);
  // Frees the slot of a carrier trunk.
  void vacate(const std::string& call, base::CustomerId carrier, base::TrunkId trunk, Then<void> then = {});
  // Renews the lease of a carrier trunk's slot, and takes the slot again if Redis has lost it.
  void renewSlot(const std::string& call, base::CustomerId carrier, base::TrunkId trunk);
  // Does the call use a slot of this carrier trunk?
  void usesSlot(const std::string& call, base::CustomerId carrier, base::TrunkId trunk, Then<bool> then);
  // Is the call marked as ended?
  void isEnded(const std::string& call, base::CustomerId customer, Then<bool> then);
  void extend(const ExtendOrder& order, Then<ExtendOutcome> then);
  // Keeps the serialized CallAnswered with the hold: the CDR is made from it if the instance of the call is lost.
  void noteAnswered(const std::string& call, base::CustomerId customer, std::string record, Then<void> then = {});
  // kMissing only when it awaits the record: the account is being rebuilt, and nothing was changed.
  void release(const ReleaseOrder& order, Then<ReleaseStatus> then = {});
  void settle(const SettleOrder& order, Then<void> then);
  void readAccount(base::CustomerId customer, base::TrunkId trunk, Then<AccountView> then);
  void count(const std::string& slots_key, Then<std::int64_t> then);
  // What the held sum has more than the holds; 0 for a customer with more than kAuditedAtOnce holds, as the script would block Redis.
  static constexpr std::int64_t kAuditedAtOnce = 500;
  void audit(base::CustomerId customer, Then<std::int64_t> drift);

  // Blocking forms, for the threads of the loader and the sweeper. Requires: not the Redis thread.
  [[nodiscard]] base::Result<std::vector<base::CustomerId>> waitMissing(const std::vector<base::CustomerId>& customers);
  [[nodiscard]] base::Result<void> waitLoad(const AccountOrder& order);
  [[nodiscard]] base::Result<void> waitSettle(const SettleOrder& order);
  [[nodiscard]] base::Result<std::vector<std::string>> waitDueLeases(std::int64_t now_ms, std::size_t most);
  [[nodiscard]] base::Result<HoldView> waitExamine(const std::string& call, base::CustomerId customer);
  [[nodiscard]] base::Result<bool> waitEnded(const std::string& call, base::CustomerId customer);
  [[nodiscard]] base::Result<void> waitSetLease(const std::string& member, std::optional<std::int64_t> expiry_ms);  // nullopt = remove
  void removeLeases(const std::vector<std::string>& members);

 private:
  void beginLease(const std::string& call, base::CustomerId customer);

  // Passed in.
  redis::Client& client_;
  const Scripts& scripts_;
  const StoreTimes times_;
};

}  // namespace tollgate::billing
