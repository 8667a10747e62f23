#include "services/billing/accounts/credit_store_model_player.hpp"

#include <algorithm>

#include "services/billing/accounts/keys.hpp"

namespace tollgate::billing {

namespace {

constexpr std::chrono::minutes kFar{600};  // longer than any run: what ends, ends by a step

constexpr std::array<const char*, kStepKinds> kNames{"reserve", "extend", "repeat", "answered", "release rpc", "record",      "commit",
                                                     "payment", "settle", "occupy", "vacate",   "renew slot",  "expire slot", "expire mark",
                                                     "examine", "read",   "lose",   "report",   "load"};

base::TrunkId idOf(std::size_t trunk) {
  return base::TrunkId(static_cast<std::int64_t>(trunk) + 1);
}

constexpr base::TrunkId kOut{9};

}  // namespace

std::string dumpScript() {
  return R"(
local acct, holds, late, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local account = redis.call('HMGET', acct, 'posted', 'version', 'held')
local text = account[1] and 'account ' .. account[1] .. ' ' .. account[2] .. ' ' .. account[3] or 'missing'
local noted = redis.call('HMGET', late, 'posted', 'version')
if noted[2] then text = text .. ' late ' .. noted[1] .. ' ' .. noted[2] end
local reply = {account[1] and account[3] or '', '0', ''}
local sum, members = 0, 0
for i, call in ipairs(ARGV) do
  local state = redis.call('HMGET', prefix .. 'hold:' .. call, 'amount', 'over', 'confirmed', 'sequence', 'record')
  local ends = redis.call('ZSCORE', holds, call)
  reply[i + 3] = state[1] or ''
  if state[1] or ends then
    sum = sum + tonumber(state[1] or '0')
    members = members + (ends and 1 or 0)
    text = text .. '\nhold ' .. call .. ' ' .. (state[1] or 'none') .. (state[2] and ' over' or '') ..
           (not ends and ' unlisted ' or ends == 'inf' and ' stays ' or ' ends ') .. (state[3] or 'none') .. ' ' .. (state[4] or '0') ..
           ' ' .. (state[5] or 'none')
  end
end
if members ~= redis.call('ZCARD', holds) then text = text .. '\nunknown holds' end
for _, call in ipairs(ARGV) do
  local charge = redis.call('GET', prefix .. 'ended:' .. call)
  if charge then text = text .. '\nended ' .. call .. ' ' .. charge end
end
for i, name in ipairs({'in1', 'in2', 'out'}) do
  local found = 0
  for _, call in ipairs(ARGV) do
    local ends = redis.call('ZSCORE', KEYS[4 + i], call)
    if ends then
      found = found + 1
      text = text .. '\n' .. name .. ' ' .. call .. (tonumber(ends) == 1 and ' expired' or '')
    end
  end
  if found ~= redis.call('ZCARD', KEYS[4 + i]) then text = text .. '\nunknown slots' end
end
reply[2], reply[3] = string.format('%.0f', sum), text
return reply)";
}

std::string Step::text() const {
  return std::string(kNames[static_cast<std::size_t>(kind)]) + " call " + std::to_string(call) + " (" + std::to_string(a) + ", " +
         std::to_string(b) + ")";
}

Player::Player(Clients clients, base::CustomerId customer, std::uint32_t seed) : clients_(clients), customer_(customer) {
  constexpr std::array<std::int64_t, 4> kScales{1, 1'000, 1'000'000, 1'000'000'000'000};
  scale_ = kScales[seed % kScales.size()];
  prepaid_ = (seed / 4) % 2 == 0;
  floor_ = prepaid_ ? 0 : -200 * scale_;
  if ((seed / 8) % 8 == 0) {
    floor_.reset();
  }
  if ((seed / 64) % 2 == 0) {
    slot_cap_ = 2;
  }
  balance_ = static_cast<std::int64_t>(seed / 128 % 1000) * scale_;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    renew(calls_[i], i);
  }
  report(Step{});
  load();
}

void Player::renew(Call& call, std::size_t index) {
  const int next = call.generation + 1;
  call = Call();
  call.generation = next;
  call.name = "k" + std::to_string(index) + "." + std::to_string(next);
}

void Player::play(const Step& step) {
  const std::size_t index = step.call % calls_.size();
  switch (step.kind) {
    case StepKind::kReserve:
      return reserve(step, index);
    case StepKind::kExtend:
      return extend(step, index);
    case StepKind::kRepeat:
      return repeat(step, index);
    case StepKind::kReleaseRpc:
      return release(step, index, false);
    case StepKind::kRecord:
      return release(step, index, true);
    case StepKind::kCommit:
      return commit(calls_[index], index, step.b % 4 != 0);
    case StepKind::kPayment:
      balance_ += amount(step.a) - amount(step.b) / 2;
      return push({customer_, balance_, ++version_, {}}, step.b % 4 != 0);
    case StepKind::kSettle:
      return settleAgain(step);
    case StepKind::kAnswered:
      if (const auto hold = model_.holds.find(calls_[index].name); hold != model_.holds.end()) {
        hold->second.record = "answered";
      }
      return clients_.store.noteAnswered(calls_[index].name, customer_, "answered");
    case StepKind::kOccupy:
    case StepKind::kVacate:
    case StepKind::kRenewSlot:
    case StepKind::kExpireSlot:
      return slots(step, index);
    case StepKind::kExpireMark:
      return expireMark(index);
    case StepKind::kExamine:
      return examine(index);
    case StepKind::kRead:
      return read(index);
    case StepKind::kLose:
      return lose();
    case StepKind::kReport:
      return report(step);
    case StepKind::kLoad:
      return load();
  }
}

HoldWindow Player::window(const Step& step) const {
  constexpr std::array<std::int64_t, 3> kShares{10'000, 50'000, 1'000'000};
  const std::int64_t wanted = amount(step.a);
  return {wanted, wanted + 10 * amount(step.b), kShares[step.b % kShares.size()], kFar, kFar};
}

// Requests do not live as long as the mark of an ended call: after it there are none.
bool Player::isLateKnown(const Call& call) const {
  const auto hold = model_.holds.find(call.name);
  return model_.ended.contains(call.name) || (hold != model_.holds.end() && hold->second.over);
}

template <class Outcome, class Same>
Then<Outcome> Player::expect(const char* what, Outcome expected, Same same) const {
  return [findings = findings_, what, expected, same](base::Result<Outcome> outcome) {
    const std::lock_guard lock(findings->mutex);
    if (findings->difference.empty() && (!outcome || !same(*outcome, expected))) {
      findings->difference = std::string("the reply of ") + what + " is not the model's" + (outcome ? "" : ": " + outcome.error().message);
    }
  };
}

void Player::reserve(const Step& step, std::size_t index) {
  Call& call = calls_[index];
  const bool may_ask = call.phase == Phase::kNew || (call.phase == Phase::kLive ? call.is_known : isLateKnown(call));
  if (!may_ask) {
    return;
  }
  ReserveOrder order{call.name,          customer_, idOf(trunkOf(index)), slot_cap_, std::nullopt, floor_,
                     amount(step.a) / 4, prepaid_,  window(step),         "i",       "reserved"};
  const ReserveOutcome expected = model_.reserve(order, trunkOf(index));
  auto check = expect("reserve", expected, [](const ReserveOutcome& is, const ReserveOutcome& should) {
    return is.status == should.status && is.granted_micros == should.granted_micros && is.posted_micros == should.posted_micros &&
           is.held_before_micros == should.held_before_micros && is.slots_in_use == should.slots_in_use;
  });
  clients_.store.reserve(order, [check, findings = findings_, floor = floor_](base::Result<ReserveOutcome> is) {
    if (is && is->status == ReserveStatus::kGranted && floor && is->granted_micros > is->posted_micros - is->held_before_micros - *floor) {
      const std::lock_guard lock(findings->mutex);
      findings->invariant = "the spend stays within the allowance (reserve)";
    }
    check(std::move(is));
  });
  if (call.phase == Phase::kNew && expected.status == ReserveStatus::kGranted) {
    call.phase = Phase::kLive;
    call.is_known = true;
    call.promised = step.b % 8 == 0 ? 0 : expected.granted_micros;  // 0: the reply is lost
  }
}

void Player::extend(const Step& step, std::size_t index) {
  Call& call = calls_[index];
  if (call.phase != Phase::kLive) {
    return;
  }
  call.confirmed += step.a % 20;
  call.last = ExtendOrder{call.name,    customer_,      idOf(trunkOf(index)), floor_, call.promised,
                          window(step), call.confirmed, ++call.sequence,      "i",    "again"};
  if (step.b % 16 == 0) {
    call.delayed = call.last;
    return;
  }
  send(*call.last, index, step.b % 8 == 1 ? std::nullopt : std::optional(step.b));
}

// `heard`: the reply reaches the ingress, which may give back a part of its window.
void Player::send(const ExtendOrder& order, std::size_t index, std::optional<std::uint32_t> heard) {
  Call& call = calls_[index];
  const auto hold = model_.holds.find(call.name);
  const ModelHold before = hold == model_.holds.end() ? ModelHold() : hold->second;
  const std::int64_t spendable = model_.posted - (model_.held - before.amount);
  const ExtendOutcome expected = model_.extend(order, trunkOf(index));
  auto check = expect("extend", expected, [](const ExtendOutcome& is, const ExtendOutcome& should) {
    return is.status == should.status && is.held_micros == should.held_micros && is.due_micros == should.due_micros;
  });
  // What is held already may be more than the balance allows now; nothing may be added to it.
  const std::int64_t allowed = floor_ ? std::max({order.promised_micros, before.amount, spendable - *floor_}) : INT64_MAX;
  clients_.store.extend(order, [check, findings = findings_, allowed](base::Result<ExtendOutcome> is) {
    if (is && is->status == ExtendStatus::kHeld && is->held_micros > allowed) {
      const std::lock_guard lock(findings->mutex);
      findings->invariant = "the spend stays within the allowance (extend)";
    }
    check(std::move(is));
  });
  if (expected.status != ExtendStatus::kHeld || call.phase != Phase::kLive) {
    return;
  }
  call.is_known = true;
  if (heard) {
    call.promised =
        expected.due_micros >= call.promised ? expected.due_micros : std::max(expected.due_micros, std::min(call.promised, amount(*heard)));
  }
}

void Player::repeat(const Step& step, std::size_t index) {
  Call& call = calls_[index];
  const auto& again = step.b % 2 == 0 && call.delayed ? call.delayed : call.last;
  if (again && (call.phase == Phase::kLive || isLateKnown(call))) {
    send(*again, index, std::nullopt);
  }
}

void Player::release(const Step& step, std::size_t index, bool by_record) {
  Call& call = calls_[index];
  if (call.phase == Phase::kNew || (call.is_settled && !isLateKnown(call))) {
    return;
  }
  if (call.phase == Phase::kLive) {
    call.phase = Phase::kOver;
    call.charge = step.a % 4 == 0 ? 0 : amount(step.a);
  }
  ReleaseOrder order{call.name, customer_, idOf(trunkOf(index)), {{customer_, kOut}}, call.charge, !by_record, call.confirmed};
  const ReleaseStatus expected = model_.release(order, trunkOf(index));
  clients_.store.release(order, expect("release", expected, std::equal_to<>()));
  call.is_stored = call.is_stored || by_record;
}

void Player::commit(Call& call, std::size_t index, bool deliver_now) {
  if (!call.is_stored || call.is_committed) {
    return;
  }
  balance_ -= call.charge;
  call.is_committed = true;
  push({customer_, balance_, ++version_, {{call.name, idOf(trunkOf(index))}}}, deliver_now);
}

void Player::push(SettleOrder order, bool deliver_now) {
  constexpr std::size_t kPendingMax = 6;
  if (deliver_now) {
    deliver(order);
  }
  pending_.push_back(std::move(order));
  if (pending_.size() > kPendingMax) {
    deliver(pending_.front());
    pending_.erase(pending_.begin());
  }
}

void Player::deliver(const SettleOrder& order) {
  model_.settle(order);
  clients_.store.settle(order, {});
  for (Call& call : calls_) {
    call.is_settled = call.is_settled || std::any_of(order.calls.begin(), order.calls.end(),
                                                     [&](const CallSlot& settled) { return settled.call == call.name; });
  }
}

void Player::settleAgain(const Step& step) {
  if (pending_.empty()) {
    return;
  }
  const auto chosen = pending_.begin() + static_cast<std::ptrdiff_t>(step.a % pending_.size());
  deliver(*chosen);
  if (step.b % 2 == 0) {
    pending_.erase(chosen);
  }
}

void Player::slots(const Step& step, std::size_t index) {
  const Call& call = calls_[index];
  if (step.kind == StepKind::kExpireSlot) {
    const bool out = step.a % 2 == 0;
    auto& slots = out ? model_.outgoing : model_.incoming[trunkOf(index)];
    if (const auto slot = slots.find(call.name); slot != slots.end()) {
      slot->second = false;
    }
    const std::string key = out ? keys::outgoing(customer_, kOut) : keys::incoming(customer_, idOf(trunkOf(index)));
    clients_.client.command({"ZADD", key, "XX", "1", call.name}, [](const auto&) {});
  } else if (step.kind == StepKind::kVacate) {
    model_.outgoing.erase(call.name);
    clients_.store.vacate(call.name, customer_, kOut);
  } else if (call.phase == Phase::kLive && step.kind == StepKind::kRenewSlot) {
    model_.outgoing[call.name] = true;
    clients_.store.renewSlot(call.name, customer_, kOut);
  } else if (call.phase == Phase::kLive) {
    const OccupyOutcome expected = model_.occupy(call.name, slot_cap_);
    clients_.store.occupy(call.name, customer_, kOut, slot_cap_, std::nullopt, false,
                          expect("occupy", expected, [](const OccupyOutcome& is, const OccupyOutcome& should) {
                            return is.status == should.status && is.slots_in_use == should.slots_in_use;
                          }));
  }
}

bool Player::isPending(const std::string& name) const {
  return std::any_of(pending_.begin(), pending_.end(), [&](const SettleOrder& order) {
    return std::any_of(order.calls.begin(), order.calls.end(), [&](const CallSlot& slot) { return slot.call == name; });
  });
}

// A report is used long before a mark of its time ends.
void Player::expireMark(std::size_t index) {
  Call& call = calls_[index];
  if (call.phase != Phase::kOver || report_ || !model_.exists) {
    return;
  }
  model_.ended.erase(call.name);
  clients_.client.command({"DEL", keys::ended(customer_, call.name)}, [](const auto&) {});
  if (call.is_settled && !isPending(call.name)) {
    model_.outgoing.erase(call.name);  // its slot ends with its lease
    clients_.store.vacate(call.name, customer_, kOut);
    renew(call, index);
  }
}

void Player::examine(std::size_t index) {
  const auto is = clients_.store.waitExamine(calls_[index].name, customer_);
  const auto hold = model_.holds.find(calls_[index].name);
  HoldView should;
  if (hold != model_.holds.end() && hold->second.over && !hold->second.has_end) {
    should.status = HoldStatus::kBooked;
  } else if (hold != model_.holds.end()) {
    should = {HoldStatus::kHeld, {}, {}, hold->second.confirmed, "i", hold->second.record};
  }
  expect("examine", should, [](const HoldView& a, const HoldView& b) {
    return a.status == b.status && a.confirmed_seconds == b.confirmed_seconds && a.instance == b.instance && a.record == b.record;
  })(is);
}

void Player::read(std::size_t index) {
  const auto& slots = model_.incoming[trunkOf(index)];
  const auto live = std::count_if(slots.begin(), slots.end(), [](const auto& slot) { return slot.second; });
  const auto holds = static_cast<std::int64_t>(model_.holds.size());
  const AccountView should = model_.exists ? AccountView{true, model_.posted, model_.held, holds, live} : AccountView();
  clients_.store.readAccount(customer_, idOf(trunkOf(index)),
                             expect("read_account", should, [](const AccountView& a, const AccountView& b) {
                               return a.found == b.found && a.posted_micros == b.posted_micros && a.held_micros == b.held_micros &&
                                      a.live_holds == b.live_holds && a.slots_in_use == b.slots_in_use;
                             }));
}

void Player::lose() {
  std::vector<std::string> words{"DEL",
                                 keys::account(customer_),
                                 keys::holds(customer_),
                                 keys::late(customer_),
                                 keys::incoming(customer_, idOf(0)),
                                 keys::incoming(customer_, idOf(1)),
                                 keys::outgoing(customer_, kOut)};
  for (Call& call : calls_) {
    words.push_back(keys::hold(customer_, call.name));
    words.push_back(keys::ended(customer_, call.name));
    call.is_known = false;
    call.last.reset();  // requests on their way are too late by the time the account is back
    call.delayed.reset();
  }
  clients_.client.command(std::move(words), [](const auto&) {});
  model_ = ModelAccount();
  report_.reset();
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    if (calls_[i].is_settled && !isPending(calls_[i].name)) {
      renew(calls_[i], i);
    }
  }
}

// As the loader: all instances report, then the records of the stream are booked, then the ledger is read.
void Player::report(const Step& step) {
  if (model_.exists || report_) {
    return;
  }
  AccountOrder order;
  order.customer = customer_;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    Call& call = calls_[i];
    const bool is_listed = call.phase == Phase::kLive || (call.phase == Phase::kOver && !call.is_stored);
    const bool is_forgotten = (step.a >> i) % 8 == 0;  // its instance was taken as gone, and comes back
    if (is_listed && !is_forgotten) {
      const bool is_live = call.phase == Phase::kLive;
      order.holds.push_back({call.name, idOf(trunkOf(i)), call.promised, call.confirmed, is_live, kFar, "i", "reported"});
      if (is_live && (step.b >> i) % 2 == 0) {
        order.outgoing.push_back({call.name, kOut});
      }
    }
    commit(call, i, step.b % 2 == 0);
    call.is_settled = call.is_settled || call.is_committed;
  }
  order.posted_micros = balance_;
  order.version = version_;
  report_ = std::move(order);
}

void Player::load() {
  AccountOrder order = report_.value_or(AccountOrder{customer_, 1, version_ + 1, {}, {}});  // one without a report finds the account
  if (!report_ && !model_.exists) {
    return;
  }
  if (const auto loaded = clients_.store.waitLoad(order); !loaded) {
    const std::lock_guard lock(findings_->mutex);
    findings_->difference = "load_account failed: " + loaded.error().message;
  }
  if (!model_.exists) {
    for (Call& call : calls_) {
      call.is_known =
          call.is_known || std::any_of(order.holds.begin(), order.holds.end(), [&](const auto& hold) { return hold.call == call.name; });
    }
  }
  model_.load(order);
  report_.reset();
}

void Player::readState() {
  std::vector<std::string> names{keys::account(customer_),
                                 keys::holds(customer_),
                                 keys::late(customer_),
                                 keys::slot(customer_),
                                 keys::incoming(customer_, idOf(0)),
                                 keys::incoming(customer_, idOf(1)),
                                 keys::outgoing(customer_, kOut)};
  std::vector<std::string> calls;
  for (const Call& call : calls_) {
    calls.push_back(call.name);
  }
  clients_.client.run(clients_.dump, std::move(names), std::move(calls), [findings = findings_](base::Result<redis::Reply> reply) {
    const std::lock_guard lock(findings->mutex);
    findings->state.reset();
    if (reply) {
      findings->state = std::move(*reply);
    } else {
      findings->difference = "the state cannot be read: " + reply.error().message;
    }
  });
}

std::optional<std::string> Player::verdict() {
  const std::lock_guard lock(findings_->mutex);
  if (!findings_->state) {
    return "no state: " + findings_->difference;
  }
  const std::vector<redis::Reply>& state = findings_->state->elements;
  const std::string both = "\nRedis:\n" + state[2].text + "\nthe model:\n" + model_.text();
  if (!findings_->invariant.empty()) {
    return findings_->invariant + both;
  }
  const bool is_there = !state[0].text.empty();
  if (is_there && state[0].text != state[1].text) {
    return "held is the sum of the holds" + both;
  }
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    const Call& call = calls_[i];
    const std::string& text = state[3 + i].text;
    const std::int64_t held = text.empty() ? 0 : std::stoll(text);
    const std::int64_t needed = call.is_settled ? 0 : call.phase == Phase::kLive ? call.promised : std::min(call.promised, call.charge);
    if (is_there && call.is_known && held < needed) {
      return "what was promised is held: call " + call.name + " needs " + std::to_string(needed) + both;
    }
    if (call.is_settled && !text.empty()) {
      return "a settled call holds nothing: call " + call.name + both;
    }
  }
  if (!findings_->difference.empty()) {
    return findings_->difference + both;
  }
  if (state[2].text != model_.text()) {
    return "the state is the model's" + both;
  }
  return std::nullopt;
}

}  // namespace tollgate::billing
