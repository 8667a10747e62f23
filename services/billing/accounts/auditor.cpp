#include "services/billing/accounts/auditor.hpp"

#include <algorithm>
#include <cstdlib>
#include <latch>
#include <memory>

#include "libs/base/text.hpp"
#include "libs/telemetry/log.hpp"
#include "services/billing/accounts/keys.hpp"

namespace tollgate::billing {

namespace {

using redis::Reply;

constexpr std::size_t kCommandsAtOnce = 500;
constexpr std::size_t kSetsAtOnce = 50;
constexpr const char* kWindow = "500";  // members of a set in one reply
constexpr int kLogMax = 20;             // lines for one kind of difference and round

constexpr const char* kDrift = "hold_drift";
constexpr const char* kHoldsWithoutCall = "holds_without_call";
constexpr const char* kCallsWithoutHold = "calls_without_hold";
constexpr const char* kSlotsWithoutCall = "slots_without_call";

// The customer of a key {c1}:...; empty for other keys.
std::string customerOf(std::string_view key) {
  const std::size_t end = key.find('}');
  return key.starts_with("{c") && end != std::string_view::npos ? std::string(key.substr(2, end - 2)) : std::string();
}

}  // namespace

void Auditor::start() {
  worker_.start("auditor", [this] { run(); });
}

void Auditor::stop() {
  worker_.stop();
}

void Auditor::run() {
  while (worker_.waitFor(deps_.settings.audit_interval)) {
    if (!deps_.tables.current() || !deps_.redis.isConnected() || !deps_.connection.isConnected() || !deps_.presence_watch.isRecalled()) {
      continue;
    }
    if (const auto outcome = round(); !outcome) {
      telemetry::warn("holds and slots are not compared with the calls in this round", {{"error", outcome.error().message}});
    }
  }
}

base::Result<void> Auditor::round() {
  const Answers answers = askIngress();
  TG_TRY_ASSIGN(found, readRedis());
  publish(compare(found, answers));
  return {};
}

Auditor::Answers Auditor::askIngress() {
  Answers answers;
  answers.by_instance = askForCalls(deps_.connection, {}, deps_.settings.report_wait);
  for (const auto& [instance, answer] : answers.by_instance) {
    if (answer.is_complete && !answer.is_replaying) {
      answers.complete.insert(instance);
    }
  }
  const std::vector<std::string> needed = deps_.presence.mayHoldCalls();
  answers.are_all_complete = answers.complete.size() == answers.by_instance.size() &&
                             std::all_of(needed.begin(), needed.end(), [&](const auto& name) { return answers.complete.contains(name); });
  return answers;
}

base::Result<std::vector<Reply>> Auditor::waitAll(std::vector<std::vector<std::string>> commands) {
  // Filled on the Redis thread; shared with the completions.
  struct Gathered {
    explicit Gathered(std::size_t commands) : replies(commands), left(static_cast<std::ptrdiff_t>(commands)) {}
    std::vector<Reply> replies;
    base::Result<void> outcome;
    std::latch left;
  };
  auto gathered = std::make_shared<Gathered>(commands.size());
  std::vector<redis::Client::Call> calls;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    calls.push_back({std::move(commands[i]), [gathered, i](base::Result<Reply> reply) {
                       if (reply) {
                         gathered->replies[i] = std::move(*reply);
                       } else {
                         gathered->outcome = tl::unexpected(std::move(reply.error()));
                       }
                       gathered->left.count_down();
                     }});
  }
  deps_.redis.commands(std::move(calls));
  gathered->left.wait();  // every command completes by its deadline
  TG_TRY(gathered->outcome);
  return std::move(gathered->replies);
}

base::Result<std::vector<std::string>> Auditor::listKeys() {
  std::set<std::string> keys;  // SCAN may name one twice
  std::string cursor = "0";
  do {
    TG_TRY_ASSIGN(page, deps_.redis.wait({"SCAN", cursor, "MATCH", "{c*", "COUNT", kWindow, "TYPE", "zset"}));
    if (page.elements.size() != 2) {
      return base::fail(base::ErrorCode::kInternal, "SCAN returned an unreadable reply");
    }
    cursor = page.elements[0].text;
    for (Reply& key : page.elements[1].elements) {
      keys.insert(std::move(key.text));
    }
  } while (cursor != "0" && !worker_.isStopping());
  return std::vector<std::string>(keys.begin(), keys.end());
}

// Several sets at once, each in windows. A member that is in the set all the time is in one of them at least.
base::Result<void> Auditor::readSets(const std::vector<std::string>& keys, const Windows& take) {
  std::vector<std::pair<std::string, std::string>> left;  // with the cursor
  left.reserve(keys.size());
  for (const std::string& key : keys) {
    left.emplace_back(key, "0");
  }
  while (!left.empty() && !worker_.isStopping()) {
    const std::size_t first = left.size() - std::min(left.size(), kSetsAtOnce);
    const std::vector<std::pair<std::string, std::string>> now(left.begin() + static_cast<std::ptrdiff_t>(first), left.end());
    left.resize(first);
    std::vector<std::vector<std::string>> commands;
    for (const auto& [key, cursor] : now) {
      commands.push_back({"ZSCAN", key, cursor, "COUNT", kWindow});
    }
    TG_TRY_ASSIGN(replies, waitAll(std::move(commands)));
    for (std::size_t i = 0; i < replies.size(); ++i) {
      if (replies[i].elements.size() != 2) {
        return base::fail(base::ErrorCode::kInternal, "ZSCAN returned an unreadable reply");
      }
      TG_TRY(take(now[i].first, replies[i].elements[1].elements));
      if (replies[i].elements[0].text != "0") {
        left.emplace_back(now[i].first, replies[i].elements[0].text);
      }
    }
  }
  return {};
}

// A window has members and scores in turn.
base::Result<void> Auditor::readHolds(const std::vector<std::string>& keys, Found& found) {
  return readSets(keys, [&](const std::string& key, const std::vector<Reply>& members) -> base::Result<void> {
    const auto customer = customerOf(key);
    for (std::size_t first = 0; first < members.size(); first += 2 * kCommandsAtOnce) {
      const std::size_t end = std::min(members.size(), first + 2 * kCommandsAtOnce);
      std::vector<std::vector<std::string>> commands;
      for (std::size_t i = first; i < end; i += 2) {
        commands.push_back({"HMGET", "{c" + customer + "}:hold:" + members[i].text, "amount", "over", "instance"});
      }
      TG_TRY_ASSIGN(replies, waitAll(std::move(commands)));
      for (std::size_t i = 0; i < replies.size(); ++i) {
        const std::vector<Reply>& state = replies[i].elements;
        if (state.size() == 3 && state[0].kind != Reply::Kind::kNil) {
          const std::int64_t amount = base::parseInteger(state[0].text).value_or(0);
          found.holds[customer + ":" + members[first + 2 * i].text] = {state[1].kind != Reply::Kind::kNil, amount, state[2].text};
        }
      }
    }
    return {};
  });
}

// A script sums up the holds of a customer who has few, in one step, so what it finds is exact.
base::Result<void> Auditor::readSmallSums(Found& found) {
  struct Sums {
    explicit Sums(std::size_t customers) : drift(customers), left(static_cast<std::ptrdiff_t>(customers)) {}
    std::vector<std::int64_t> drift;
    base::Result<void> outcome;
    std::latch left;
  };
  const auto snapshot = deps_.tables.current();
  const std::vector<base::CustomerId>& customers = *snapshot->customer_ids;
  for (std::size_t first = 0; first < customers.size() && !worker_.isStopping(); first += kCommandsAtOnce) {
    const std::size_t count = std::min(customers.size() - first, kCommandsAtOnce);
    auto sums = std::make_shared<Sums>(count);  // shared with the completions, on the Redis thread
    for (std::size_t i = 0; i < count; ++i) {
      deps_.store.audit(customers[first + i], [sums, i](base::Result<std::int64_t> drift) {
        if (drift) {
          sums->drift[i] = *drift;
        } else {
          sums->outcome = tl::unexpected(std::move(drift.error()));
        }
        sums->left.count_down();
      });
    }
    sums->left.wait();
    TG_TRY(sums->outcome);
    for (std::size_t i = 0; i < count; ++i) {
      if (sums->drift[i] != 0) {
        found.drift[std::to_string(customers[first + i].value())] = sums->drift[i];
      }
    }
  }
  return {};
}

base::Result<Auditor::Found> Auditor::readRedis() {
  Found found;
  TG_TRY_ASSIGN(keys, listKeys());
  TG_TRY(readSmallSums(found));
  std::vector<std::string> small, slots;
  for (std::string& key : keys) {
    if (!key.ends_with("}:holds")) {
      slots.push_back(std::move(key));
      continue;
    }
    const auto customer = customerOf(key);
    TG_TRY_ASSIGN(size, deps_.redis.wait({"ZCARD", key}));
    if (size.integer <= CreditStore::kAuditedAtOnce) {
      small.push_back(std::move(key));
      continue;
    }
    // One with many is read in windows, and holds change meanwhile: what remains the same in two rounds is no change.
    TG_TRY_ASSIGN(held, deps_.redis.wait({"HGET", "{c" + customer + "}:acct", "held"}));
    Found own;
    TG_TRY(readHolds({key}, own));
    std::int64_t drift = base::parseInteger(held.text).value_or(0);
    for (const auto& [id, hold] : own.holds) {
      drift -= hold.amount_micros;
    }
    if (drift != 0) {
      found.drift[customer] = drift;
    }
    found.holds.merge(own.holds);
  }
  TG_TRY(readHolds(small, found));
  TG_TRY_ASSIGN(time, deps_.redis.wait({"TIME"}));
  const double now_ms = time.elements.empty() ? 0 : 1000.0 * static_cast<double>(base::parseInteger(time.elements[0].text).value_or(0));
  TG_TRY(readSets(slots, [&](const std::string& key, const std::vector<Reply>& members) -> base::Result<void> {
    for (std::size_t i = 0; i + 1 < members.size(); i += 2) {
      if (std::strtod(members[i + 1].text.c_str(), nullptr) > now_ms) {
        found.slots[key + ":" + members[i].text] = members[i].text;
      }
    }
    return {};
  }));
  if (worker_.isStopping()) {
    return base::fail(base::ErrorCode::kUnavailable, "stopping");
  }
  return found;
}

Auditor::Differences Auditor::compare(const Found& found, const Answers& answers) {
  Differences differences;
  differences[kDrift] = found.drift;
  std::set<std::string> calls;
  for (const auto& [instance, answer] : answers.by_instance) {
    for (const auto& [id, call] : answer.calls) {
      calls.insert(id);
      // A call without a rate has not been reserved: it holds nothing. The hold of a call that is over ends with its record.
      const std::string hold = std::to_string(call.customer_id()) + ":" + id;
      if (call.customer_id() != 0 && call.has_rate() && call.phase() != control::v1::CALL_PHASE_ENDING && !found.holds.contains(hold)) {
        differences[kCallsWithoutHold][hold] = 1;
      }
    }
  }
  for (const auto& [id, hold] : found.holds) {
    const bool is_known = answers.are_all_complete || answers.complete.contains(hold.instance);
    if (is_known && !hold.is_over && !calls.contains(id.substr(id.find(':') + 1))) {
      differences[kHoldsWithoutCall][id] = 1;
    }
  }
  for (const auto& [slot, call] : found.slots) {
    if (answers.are_all_complete && !calls.contains(call)) {
      differences[kSlotsWithoutCall][slot] = 1;
    }
  }
  return differences;
}

void Auditor::publish(const Differences& now) {
  const auto stable = [&](const char* kind) {
    std::int64_t sum = 0;
    int logged = 0;
    const auto here = now.find(kind);
    const auto before = last_.find(kind);
    if (here == now.end() || before == last_.end()) {
      return 0.0;
    }
    for (const auto& [what, size] : here->second) {
      const auto same = before->second.find(what);
      if (same == before->second.end() || same->second != size) {
        continue;
      }
      sum += std::abs(size);
      if (++logged <= kLogMax) {
        telemetry::error("holds, slots and calls do not agree", {{"difference", kind}, {"about", what}, {"size", size}});
      }
    }
    return static_cast<double>(sum);
  };
  deps_.metrics.hold_drift_micros.set(stable(kDrift));
  deps_.metrics.holds_without_call.set(stable(kHoldsWithoutCall));
  deps_.metrics.calls_without_hold.set(stable(kCallsWithoutHold));
  deps_.metrics.slots_without_call.set(stable(kSlotsWithoutCall));
  last_ = now;
}

}  // namespace tollgate::billing
