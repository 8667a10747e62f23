// What the Redis scripts must do, in a few exact lines of C++ for each step: the yardstick of credit_store_model_test.cpp. One customer,
// who is his own carrier. Times are left out: a slot is live or expired, and a hold has an end or none. Test's thread only. Owns all its
// values.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "services/billing/accounts/credit_store.hpp"

namespace tollgate::billing {

struct ModelHold {
  std::int64_t amount = 0;
  std::int64_t confirmed = 0;
  std::uint32_t sequence = 0;
  bool over = false;
  bool has_end = true;
  std::string record;
};

struct ModelAccount {
  using Slots = std::map<std::string, bool>;  // call -> its lease has not ended

  bool exists = false;
  std::int64_t posted = 0, version = 0, held = 0;
  std::optional<std::pair<std::int64_t, std::int64_t>> late;  // posted, version
  std::map<std::string, ModelHold> holds;
  std::map<std::string, std::int64_t> ended;  // call -> charge, 0 once it is booked
  std::array<Slots, 2> incoming;
  Slots outgoing;

  static std::int64_t inUse(Slots& slots) {
    std::erase_if(slots, [](const auto& slot) { return !slot.second; });
    return static_cast<std::int64_t>(slots.size());
  }
  static std::int64_t target(const HoldWindow& window, std::int64_t spendable) {
    constexpr std::int64_t kMillion = 1'000'000;
    const std::int64_t whole = (spendable - (spendable < 0 ? kMillion - 1 : 0)) / kMillion;
    const std::int64_t share = whole * window.share_ppm;
    return std::min(spendable, std::max(window.wanted_micros, std::min(window.generous_micros, share)));
  }

  ReserveOutcome reserve(const ReserveOrder& order, std::size_t trunk) {
    if (ended.contains(order.call)) {
      return {ReserveStatus::kEnded};
    }
    if (!exists) {
      return {ReserveStatus::kMissing};
    }
    if (const auto hold = holds.find(order.call); hold != holds.end()) {
      return {hold->second.over ? ReserveStatus::kEnded : ReserveStatus::kReplay, hold->second.amount, posted, held};
    }
    const std::int64_t in_use = inUse(incoming[trunk]);
    if (order.incoming_max && in_use >= *order.incoming_max) {
      return {ReserveStatus::kNoSlot, 0, posted, held, in_use};
    }
    std::int64_t granted = order.window.generous_micros;
    if (order.floor_micros) {
      const std::int64_t spendable = posted - held - *order.floor_micros;
      if (spendable < order.least_micros || (order.prepaid && spendable <= 0)) {
        return {ReserveStatus::kNoCredit, 0, posted, held, in_use};
      }
      granted = target(order.window, spendable);
    }
    const std::int64_t before = held;
    holds[order.call] = {granted, 0, 0, false, true, order.record};
    held += granted;
    incoming[trunk][order.call] = true;
    return {ReserveStatus::kGranted, granted, posted, before, in_use + 1};
  }

  ExtendOutcome extend(const ExtendOrder& order, std::size_t trunk) {
    const auto found = holds.find(order.call);
    if (ended.contains(order.call) || (exists && found != holds.end() && found->second.over)) {
      return {ExtendStatus::kEnded};
    }
    if (!exists) {
      return {ExtendStatus::kMissing};
    }
    const ModelHold before = found == holds.end() ? ModelHold{.record = order.record} : found->second;
    if (before.sequence > 0 && order.sequence <= before.sequence) {
      return {ExtendStatus::kHeld, before.amount, before.amount};
    }
    const std::int64_t due =
        order.floor_micros ? target(order.window, posted - (held - before.amount) - *order.floor_micros) : order.window.generous_micros;
    const std::int64_t amount = std::max(order.promised_micros, due);
    holds[order.call] = {amount, std::max(order.confirmed_seconds, before.confirmed), order.sequence, false, true, before.record};
    held += amount - before.amount;
    incoming[trunk][order.call] = true;
    return {ExtendStatus::kHeld, amount, due};
  }

  ReleaseStatus release(const ReleaseOrder& order, std::size_t trunk) {
    outgoing.erase(order.call);
    if (order.awaits_record && !exists) {
      return ReleaseStatus::kMissing;
    }
    if (const auto mark = ended.find(order.call); mark == ended.end() || mark->second != 0) {
      ended[order.call] = order.charge_micros;
    }
    incoming[trunk].erase(order.call);
    const auto found = holds.find(order.call);
    if (found == holds.end()) {
      return ReleaseStatus::kReleased;
    }
    ModelHold& hold = found->second;
    const std::int64_t kept = std::min(hold.amount, order.charge_micros);
    held += kept - hold.amount;
    hold.amount = kept;
    hold.over = true;
    if (order.awaits_record) {
      hold.confirmed = std::max(hold.confirmed, order.talked_seconds);
    } else if (kept == 0) {
      holds.erase(found);
    } else {
      hold.has_end = false;
    }
    return ReleaseStatus::kReleased;
  }

  void settle(const SettleOrder& order) {
    const std::pair given{order.posted_micros, order.version};
    if (exists && given.second > version) {
      std::tie(posted, version) = given;
    } else if (!exists && (!late || given.second > late->second)) {
      late = given;
    }
    for (const CallSlot& call : order.calls) {
      ended[call.call] = 0;
      incoming[call.trunk.value() - 1].erase(call.call);
      if (const auto hold = holds.find(call.call); hold != holds.end()) {
        held -= hold->second.amount;
        holds.erase(hold);
      }
    }
  }

  void load(const AccountOrder& order) {
    if (exists) {
      return;
    }
    *this = {true, order.posted_micros, order.version, 0, late, {}, ended, incoming, outgoing};
    if (late && late->second > version) {
      std::tie(posted, version) = *late;
    }
    late.reset();
    for (const AccountOrder::Hold& reported : order.holds) {
      ModelHold hold{reported.amount_micros, reported.confirmed_seconds, 0, false, true, reported.record};
      if (const auto mark = ended.find(reported.call); mark != ended.end()) {
        hold.amount = mark->second;
        hold.over = true;
        hold.has_end = false;
      } else if (reported.uses_slot) {
        incoming[reported.trunk.value() - 1][reported.call] = true;
      }
      if (hold.over && hold.amount == 0) {
        continue;
      }
      holds[reported.call] = hold;
      held += hold.amount;
    }
    for (const CallSlot& slot : order.outgoing) {
      outgoing[slot.call] = true;
    }
  }

  OccupyOutcome occupy(const std::string& call, std::optional<std::int64_t> cap) {
    if (!exists) {
      return {OccupyStatus::kMissing};
    }
    const std::int64_t in_use = inUse(outgoing);
    if (outgoing.contains(call)) {
      return {OccupyStatus::kReplay, in_use};
    }
    if (cap && in_use >= *cap) {
      return {OccupyStatus::kNoSlot, in_use};
    }
    outgoing[call] = true;
    return {OccupyStatus::kTaken, in_use + 1};
  }

  // As the dump script of the test writes what Redis has.
  [[nodiscard]] std::string text() const {
    std::string text =
        exists ? "account " + std::to_string(posted) + " " + std::to_string(version) + " " + std::to_string(held) : "missing";
    if (late) {
      text += " late " + std::to_string(late->first) + " " + std::to_string(late->second);
    }
    for (const auto& [call, hold] : holds) {
      text += "\nhold " + call + " " + std::to_string(hold.amount) + (hold.over ? " over" : "") + (hold.has_end ? " ends " : " stays ") +
              std::to_string(hold.confirmed) + " " + std::to_string(hold.sequence) + " " + hold.record;
    }
    for (const auto& [call, charge] : ended) {
      text += "\nended " + call + " " + std::to_string(charge);
    }
    const auto add = [&](const char* name, const Slots& slots) {
      for (const auto& [call, is_live] : slots) {
        text += std::string("\n") + name + " " + call + (is_live ? "" : " expired");
      }
    };
    add("in1", incoming[0]);
    add("in2", incoming[1]);
    add("out", outgoing);
    return text;
  }
};

}  // namespace tollgate::billing
