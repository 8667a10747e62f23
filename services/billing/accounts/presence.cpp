#include "services/billing/accounts/presence.hpp"

#include "libs/telemetry/log.hpp"

namespace tollgate::billing {

namespace {

// Names come over the bus: a service that makes new ones all the time must not fill the memory.
constexpr std::size_t kInstancesMax = 10'000;

}  // namespace

Presence::Seen& Presence::find(const std::string& instance) {
  const auto [entry, is_new] = instances_.try_emplace(instance, Seen{clock_.monotonic()});
  if (is_new) {
    changed_.insert(instance);
    telemetry::info("an ingress instance is known", {{"instance", instance}});
  }
  return entry->second;
}

void Presence::stopped(const std::string& instance, Seen& seen) {
  if (!seen.has_stopped) {
    seen.has_stopped = true;
    changed_.insert(instance);
    telemetry::info("an ingress instance is gone", {{"instance", instance}});
  }
}

void Presence::heard(const control::v1::InstanceAlive& alive) {
  const std::lock_guard lock(mutex_);
  if (alive.instance().empty() || (instances_.size() >= kInstancesMax && !instances_.contains(alive.instance()))) {
    return;
  }
  Seen& seen = find(alive.instance());
  seen.last_heard = clock_.monotonic();
  if (alive.stopped()) {
    stopped(alive.instance(), seen);
  } else if (seen.has_stopped) {  // started again under its name
    seen.has_stopped = false;
    changed_.insert(alive.instance());
  }
  if (!alive.replaces().empty() && alive.replaces() != alive.instance() && !alive.replaying()) {
    stopped(alive.replaces(), find(alive.replaces()));
  }
}

void Presence::heardFrom(const std::string& instance) {
  const std::lock_guard lock(mutex_);
  if (!instance.empty() && (instances_.size() < kInstancesMax || instances_.contains(instance))) {
    find(instance).last_heard = clock_.monotonic();
  }
}

void Presence::recall(const std::string& instance) {
  const std::lock_guard lock(mutex_);
  (void)find(instance);
}

void Presence::busIsBack() {
  const std::lock_guard lock(mutex_);
  for (auto& [instance, seen] : instances_) {
    seen.last_heard = clock_.monotonic();
  }
}

Presence::State Presence::stateOf(const Seen& seen) const {
  if (seen.has_stopped) {
    return State::kStopped;
  }
  return seen.last_heard + gone_after_ < clock_.monotonic() ? State::kSilent : State::kAlive;
}

Presence::State Presence::of(const std::string& instance) {
  const std::lock_guard lock(mutex_);
  return instance.empty() ? State::kSilent : stateOf(find(instance));
}

std::vector<std::string> Presence::mayHoldCalls() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [instance, seen] : instances_) {
    if (stateOf(seen) == State::kAlive) {
      names.push_back(instance);
    }
  }
  return names;
}

std::map<std::string, bool> Presence::takeChanges() {
  const std::lock_guard lock(mutex_);
  std::map<std::string, bool> changes;
  for (const std::string& instance : changed_) {
    const auto seen = instances_.find(instance);
    changes[instance] = seen != instances_.end() && seen->second.has_stopped;
  }
  changed_.clear();
  return changes;
}

}  // namespace tollgate::billing
