#include "services/billing/accounts/credit_store.hpp"

#include <algorithm>
#include <latch>
#include <memory>

#include "libs/base/clock.hpp"
#include "libs/base/text.hpp"
#include "services/billing/accounts/keys.hpp"

namespace tollgate::billing {

namespace {

using redis::Reply;

std::string limitText(const std::optional<std::int64_t>& limit) {
  return std::to_string(limit.value_or(-1));
}

std::string floorText(const std::optional<std::int64_t>& floor) {
  return floor ? std::to_string(*floor) : std::string();
}

std::string msText(std::chrono::milliseconds time) {
  return std::to_string(time.count());
}

std::int64_t wallMilliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

tl::unexpected<base::Error> unreadable() {
  return base::fail(base::ErrorCode::kInternal, "a Redis script returned an unreadable reply");
}

// The first element of a script's reply is a word; each script has its own words.
template <class Status>
using Words = std::initializer_list<std::pair<std::string_view, Status>>;

template <class Status>
base::Result<Status> readStatus(const Reply& reply, std::size_t size, Words<Status> words) {
  if (reply.kind != Reply::Kind::kArray || reply.elements.size() < size) {
    return unreadable();
  }
  const auto found = std::find_if(words.begin(), words.end(), [&](const auto& each) { return each.first == reply.elements[0].text; });
  if (found == words.end()) {
    return unreadable();
  }
  return found->second;
}

base::Result<ReserveOutcome> readReserve(const Reply& reply) {
  TG_TRY_ASSIGN(status, readStatus<ReserveStatus>(reply, 6,
                                                  {{"granted", ReserveStatus::kGranted},
                                                   {"replay", ReserveStatus::kReplay},
                                                   {"ended", ReserveStatus::kEnded},
                                                   {"missing", ReserveStatus::kMissing},
                                                   {"busy", ReserveStatus::kNoSlot},
                                                   {"cps", ReserveStatus::kCpsLimit},
                                                   {"credit", ReserveStatus::kNoCredit}}));
  return ReserveOutcome{status,
                        reply.elements[1].integer,
                        reply.elements[2].integer,
                        reply.elements[3].integer,
                        reply.elements[4].integer,
                        reply.elements[5].integer};
}

base::Result<OccupyOutcome> readOccupy(const Reply& reply) {
  TG_TRY_ASSIGN(status, readStatus<OccupyStatus>(reply, 3,
                                                 {{"taken", OccupyStatus::kTaken},
                                                  {"replay", OccupyStatus::kReplay},
                                                  {"missing", OccupyStatus::kMissing},
                                                  {"busy", OccupyStatus::kNoSlot},
                                                  {"cps", OccupyStatus::kCpsLimit}}));
  return OccupyOutcome{status, reply.elements[1].integer, reply.elements[2].integer};
}

base::Result<ExtendOutcome> readExtend(const Reply& reply) {
  TG_TRY_ASSIGN(status,
                readStatus<ExtendStatus>(
                    reply, 4, {{"held", ExtendStatus::kHeld}, {"ended", ExtendStatus::kEnded}, {"missing", ExtendStatus::kMissing}}));
  return ExtendOutcome{status, reply.elements[1].integer, reply.elements[3].integer};
}

base::Result<ReleaseStatus> readRelease(const Reply& reply) {
  return readStatus<ReleaseStatus>(reply, 1, {{"released", ReleaseStatus::kReleased}, {"missing", ReleaseStatus::kMissing}});
}

base::Result<AccountView> readAccountView(const Reply& reply) {
  TG_TRY_ASSIGN(found, readStatus<bool>(reply, 6, {{"found", true}, {"missing", false}}));
  return AccountView{found,
                     base::parseInteger(reply.elements[1].text).value_or(0),
                     base::parseInteger(reply.elements[2].text).value_or(0),
                     reply.elements[3].integer,
                     reply.elements[4].integer,
                     reply.elements[5].integer};
}

base::Result<HoldView> readHold(const Reply& reply) {
  TG_TRY_ASSIGN(status, readStatus<HoldStatus>(
                            reply, 6, {{"gone", HoldStatus::kGone}, {"booked", HoldStatus::kBooked}, {"held", HoldStatus::kHeld}}));
  using std::chrono::milliseconds;
  return HoldView{status,
                  milliseconds(reply.elements[1].integer),
                  milliseconds(reply.elements[2].integer),
                  reply.elements[3].integer,
                  reply.elements[4].text,
                  reply.elements[5].text};
}

// A completion that reads the reply with `read` and passes the outcome to `then`.
template <class T, class Read>
redis::Done reading(Then<T> then, Read read) {
  return [then = std::move(then), read = std::move(read)](base::Result<Reply> reply) {
    then(reply ? base::Result<T>(read(*reply)) : base::Result<T>(tl::unexpected(std::move(reply.error()))));
  };
}

redis::Done ignoring(Then<void> then) {
  return [then = std::move(then)](const base::Result<Reply>& reply) {
    if (then) {
      then(reply.map([](const Reply&) {}));
    }
  };
}

std::int64_t integerOf(const Reply& reply) {
  return reply.integer;
}

// The keys that the scripts of a call begin with.
std::vector<std::string> keysOf(const std::string& call, base::CustomerId customer, base::TrunkId trunk) {
  return {keys::account(customer), keys::holds(customer), keys::hold(customer, call), keys::ended(customer, call),
          keys::incoming(customer, trunk)};
}

struct Command {
  std::vector<std::string> keys;
  std::vector<std::string> arguments;
};

Command settleCommand(const SettleOrder& order, const StoreTimes& times) {
  Command command{{keys::account(order.customer), keys::holds(order.customer), keys::late(order.customer)},
                  {std::to_string(order.posted_micros), std::to_string(order.version), msText(times.ended_mark)}};
  for (const CallSlot& call : order.calls) {
    command.keys.push_back(keys::hold(order.customer, call.call));
    command.keys.push_back(keys::ended(order.customer, call.call));
    command.keys.push_back(keys::incoming(order.customer, call.trunk));
    command.arguments.push_back(call.call);
  }
  return command;
}

}  // namespace

CreditStore::CreditStore(redis::Client& client, const Scripts& scripts, StoreTimes times)
    : client_(client), scripts_(scripts), times_(times) {}

void CreditStore::reserve(const ReserveOrder& order, Then<ReserveOutcome> then) {
  // The lease goes first: a lease without a hold is harmless, but a hold without a lease would never end.
  if (!order.dry_run) {
    beginLease(order.call, order.customer);
  }
  auto names = keysOf(order.call, order.customer, order.trunk);
  names.push_back(keys::incomingRate(order.customer, order.trunk));
  client_.run(scripts_.reserve, std::move(names),
              {order.call, msText(times_.lease), limitText(order.incoming_max), limitText(order.cps_max), floorText(order.floor_micros),
               std::to_string(order.window.wanted_micros), std::to_string(order.least_micros), order.prepaid ? "1" : "0", order.record,
               std::to_string(order.window.generous_micros), std::to_string(order.window.share_ppm), msText(order.window.wanted_for),
               msText(order.window.generous_for), order.instance, order.dry_run ? "1" : "0"},
              reading(std::move(then), readReserve));
}

void CreditStore::occupy(const std::string& call, base::CustomerId carrier, base::TrunkId trunk, std::optional<std::int64_t> outgoing_max,
                         std::optional<std::int64_t> cps_max, bool dry_run, Then<OccupyOutcome> then) {
  client_.run(scripts_.occupy, {keys::account(carrier), keys::outgoing(carrier, trunk), keys::outgoingRate(carrier, trunk)},
              {call, msText(times_.lease), limitText(outgoing_max), limitText(cps_max), dry_run ? "1" : "0"},
              reading(std::move(then), readOccupy));
}

void CreditStore::vacate(const std::string& call, base::CustomerId carrier, base::TrunkId trunk, Then<void> then) {
  client_.command({"ZREM", keys::outgoing(carrier, trunk), call}, ignoring(std::move(then)));
}

void CreditStore::renewSlot(const std::string& call, base::CustomerId carrier, base::TrunkId trunk) {
  client_.run(scripts_.renew_slot, {keys::outgoing(carrier, trunk)}, {call, msText(times_.lease)}, ignoring({}));
}

void CreditStore::usesSlot(const std::string& call, base::CustomerId carrier, base::TrunkId trunk, Then<bool> then) {
  client_.command({"ZSCORE", keys::outgoing(carrier, trunk), call},
                  reading(std::move(then), [](const Reply& reply) { return reply.kind != Reply::Kind::kNil; }));
}

void CreditStore::isEnded(const std::string& call, base::CustomerId customer, Then<bool> then) {
  client_.command({"EXISTS", keys::ended(customer, call)}, reading(std::move(then), [](const Reply& reply) { return reply.integer != 0; }));
}

void CreditStore::extend(const ExtendOrder& order, Then<ExtendOutcome> then) {
  auto read = [this, call = order.call, customer = order.customer](const Reply& reply) {
    auto outcome = readExtend(reply);
    if (outcome && reply.elements[2].integer == 1) {  // the hold was made again: so is its lease
      beginLease(call, customer);
    }
    return outcome;
  };
  client_.run(scripts_.extend, keysOf(order.call, order.customer, order.trunk),
              {order.call, msText(times_.lease), floorText(order.floor_micros), std::to_string(order.promised_micros),
               std::to_string(order.window.wanted_micros), std::to_string(order.window.generous_micros),
               std::to_string(order.window.share_ppm), std::to_string(order.confirmed_seconds), order.record,
               std::to_string(order.sequence), msText(order.window.wanted_for), msText(order.window.generous_for), order.instance},
              reading(std::move(then), std::move(read)));
}

void CreditStore::noteAnswered(const std::string& call, base::CustomerId customer, std::string record, Then<void> then) {
  client_.run(scripts_.answered, {keys::hold(customer, call)}, {std::move(record)}, ignoring(std::move(then)));
}

void CreditStore::release(const ReleaseOrder& order, Then<ReleaseStatus> then) {
  // The carriers' slots go first: commands are executed in their order, so the outcome of the script is also theirs.
  for (const ReleaseOrder::CarrierSlot& slot : order.carrier_slots) {
    vacate(order.call, slot.carrier, slot.trunk);
  }
  client_.run(scripts_.release, keysOf(order.call, order.customer, order.trunk),
              {order.call, msText(times_.ended_mark), std::to_string(order.charge_micros),
               order.awaits_record ? msText(times_.record_wait) : std::string(), std::to_string(order.talked_seconds)},
              then ? reading(std::move(then), readRelease) : ignoring({}));
}

void CreditStore::settle(const SettleOrder& order, Then<void> then) {
  auto [names, arguments] = settleCommand(order, times_);
  client_.run(scripts_.settle, std::move(names), std::move(arguments), ignoring(std::move(then)));
}

void CreditStore::readAccount(base::CustomerId customer, base::TrunkId trunk, Then<AccountView> then) {
  client_.run(scripts_.read_account,
              {keys::account(customer), keys::holds(customer), keys::incoming(customer, trunk), keys::incomingRate(customer, trunk)}, {},
              reading(std::move(then), readAccountView));
}

void CreditStore::count(const std::string& slots_key, Then<std::int64_t> then) {
  client_.run(scripts_.count, {slots_key}, {}, reading(std::move(then), integerOf));
}

void CreditStore::audit(base::CustomerId customer, Then<std::int64_t> drift) {
  client_.run(scripts_.audit, {keys::account(customer), keys::holds(customer)},
              {keys::holdPrefix(customer), std::to_string(kAuditedAtOnce)}, reading(std::move(drift), integerOf));
}

void CreditStore::beginLease(const std::string& call, base::CustomerId customer) {
  client_.command({"ZADD", keys::kLeases, std::to_string(wallMilliseconds() + times_.lease.count()), keys::leaseMember(customer, call)},
                  ignoring({}));
}

base::Result<std::vector<base::CustomerId>> CreditStore::waitMissing(const std::vector<base::CustomerId>& customers) {
  // Filled on the Redis thread; shared with the completions.
  struct Gathered {
    explicit Gathered(std::ptrdiff_t commands) : left(commands) {}
    std::latch left;
    base::Result<void> outcome;
    std::vector<base::CustomerId> missing;
  };
  constexpr std::size_t kPerRound = 2000;
  std::vector<base::CustomerId> missing;
  for (std::size_t first = 0; first < customers.size(); first += kPerRound) {
    const std::size_t last = std::min(customers.size(), first + kPerRound);
    auto gathered = std::make_shared<Gathered>(static_cast<std::ptrdiff_t>(last - first));
    std::vector<redis::Client::Call> calls;
    for (std::size_t i = first; i < last; ++i) {
      const base::CustomerId customer = customers[i];
      calls.push_back({{"HEXISTS", keys::account(customer), "posted"}, [gathered, customer](base::Result<Reply> reply) {
                         if (!reply) {
                           gathered->outcome = tl::unexpected(reply.error());
                         } else if (reply->integer == 0) {
                           gathered->missing.push_back(customer);
                         }
                         gathered->left.count_down();
                       }});
    }
    client_.commands(std::move(calls));
    gathered->left.wait();  // every command completes by its deadline
    TG_TRY(gathered->outcome);
    missing.insert(missing.end(), gathered->missing.begin(), gathered->missing.end());
  }
  return missing;
}

base::Result<void> CreditStore::waitLoad(const AccountOrder& order) {
  std::vector<std::string> names{keys::account(order.customer), keys::holds(order.customer), keys::late(order.customer)};
  std::vector<std::string> arguments{std::to_string(order.posted_micros), std::to_string(order.version), msText(times_.lease),
                                     std::to_string(order.holds.size())};
  for (const AccountOrder::Hold& hold : order.holds) {
    // The lease goes before the hold, as in reserve().
    TG_TRY(waitSetLease(keys::leaseMember(order.customer, hold.call), wallMilliseconds() + times_.lease.count()));
    names.push_back(keys::hold(order.customer, hold.call));
    names.push_back(keys::ended(order.customer, hold.call));
    names.push_back(keys::incoming(order.customer, hold.trunk));
    arguments.push_back(hold.call);
    arguments.push_back(std::to_string(hold.amount_micros));
    arguments.push_back(std::to_string(hold.confirmed_seconds));
    arguments.push_back(hold.uses_slot ? "1" : "0");
    arguments.push_back(msText(hold.promised_for));
    arguments.push_back(hold.instance);
    arguments.push_back(hold.record);
  }
  for (const CallSlot& slot : order.outgoing) {
    names.push_back(keys::outgoing(order.customer, slot.trunk));
    arguments.push_back(slot.call);
  }
  TG_TRY(client_.waitRun(scripts_.load_account, std::move(names), std::move(arguments)));
  return {};
}

base::Result<void> CreditStore::waitSettle(const SettleOrder& order) {
  auto [names, arguments] = settleCommand(order, times_);
  TG_TRY(client_.waitRun(scripts_.settle, std::move(names), std::move(arguments)));
  return {};
}

base::Result<std::vector<std::string>> CreditStore::waitDueLeases(std::int64_t now_ms, std::size_t most) {
  TG_TRY_ASSIGN(reply, client_.wait({"ZRANGEBYSCORE", keys::kLeases, "-inf", std::to_string(now_ms), "LIMIT", "0", std::to_string(most)}));
  std::vector<std::string> members;
  for (Reply& element : reply.elements) {
    members.push_back(std::move(element.text));
  }
  return members;
}

base::Result<HoldView> CreditStore::waitExamine(const std::string& call, base::CustomerId customer) {
  TG_TRY_ASSIGN(reply, client_.waitRun(scripts_.examine, {keys::holds(customer), keys::hold(customer, call)}, {call}));
  return readHold(reply);
}

base::Result<bool> CreditStore::waitEnded(const std::string& call, base::CustomerId customer) {
  TG_TRY_ASSIGN(reply, client_.wait({"EXISTS", keys::ended(customer, call)}));
  return reply.integer != 0;
}

base::Result<void> CreditStore::waitSetLease(const std::string& member, std::optional<std::int64_t> expiry_ms) {
  if (expiry_ms) {
    TG_TRY(client_.wait({"ZADD", keys::kLeases, std::to_string(*expiry_ms), member}));
  } else {
    TG_TRY(client_.wait({"ZREM", keys::kLeases, member}));
  }
  return {};
}

void CreditStore::removeLeases(const std::vector<std::string>& members) {
  if (members.empty()) {
    return;
  }
  std::vector<std::string> words{"ZREM", keys::kLeases};
  words.insert(words.end(), members.begin(), members.end());
  client_.command(std::move(words), ignoring({}));
}

}  // namespace tollgate::billing
