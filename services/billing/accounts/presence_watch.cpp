#include "services/billing/accounts/presence_watch.hpp"

#include <chrono>
#include <utility>

#include "libs/base/clock.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::billing {

namespace {

constexpr std::chrono::milliseconds kEvery{200};

}  // namespace

base::Result<void> PresenceWatch::start() {
  TG_TRY_ASSIGN(subscription, connection_.subscribe(bus::subjects::kAllInstances, "", [this](const bus::Delivery& delivery) {
    control::v1::InstanceAlive alive;
    if (alive.ParseFromArray(delivery.data.data(), static_cast<int>(delivery.data.size()))) {
      presence_.heard(alive);
    }
  }));
  subscription_ = std::move(subscription);
  worker_.start("presence", [this] { run(); });
  return {};
}

void PresenceWatch::stop() {
  subscription_.reset();
  worker_.stop();
}

void PresenceWatch::run() {
  bool was_connected = true;
  std::map<std::string, bool> changes;
  do {
    const bool is_connected = connection_.isConnected();
    if (is_connected && !was_connected) {
      presence_.busIsBack();
    }
    was_connected = is_connected;
    if (!is_recalled_) {
      const auto recalled = recall();
      is_recalled_ = recalled.has_value();
    }
    for (const auto& [instance, is_gone] : presence_.takeChanges()) {
      changes[instance] = is_gone;
    }
    if (!changes.empty() && is_recalled_) {
      if (const auto stored = store(changes); stored) {
        changes.clear();
      } else {
        telemetry::warn("the known ingress instances are not stored, it will be tried again", {{"error", stored.error().message}});
      }
    }
  } while (worker_.waitFor(changes.empty() ? kEvery : 5 * kEvery));
}

base::Result<void> PresenceWatch::recall() {
  TG_TRY_ASSIGN(names, pool_.use<std::vector<std::string>>([](sql::Session& session) -> base::Result<std::vector<std::string>> {
    TG_TRY_ASSIGN(rows, session.query("SELECT instance FROM ingress_instances", {}));
    std::vector<std::string> found;
    for (const sql::Row& row : rows) {
      found.push_back(row.text(0));
    }
    return found;
  }));
  for (const std::string& name : names) {
    presence_.recall(name);
  }
  return {};
}

base::Result<void> PresenceWatch::store(const std::map<std::string, bool>& changes) {
  return pool_.transaction<void>([&](sql::Session& session) -> base::Result<void> {
    for (const auto& [instance, is_gone] : changes) {
      if (is_gone) {
        TG_TRY(session.execute("DELETE FROM ingress_instances WHERE instance = ?", {instance}));
      } else {
        TG_TRY(
            session.execute("INSERT INTO ingress_instances (instance, first_seen_at) VALUES (?, ?) "
                            "ON DUPLICATE KEY UPDATE instance = instance",
                            {instance, sql::fromTime(base::SystemClock().wall())}));
      }
    }
    return {};
  });
}

}  // namespace tollgate::billing
