#include "libs/feed/feed.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "libs/base/worker.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::feed {
namespace {

constexpr std::uint64_t kChangesMax = 5'000'000;  // a bound for the memory; with more changes everything is loaded
constexpr std::chrono::milliseconds kBackoffFirst{100};
constexpr std::chrono::milliseconds kBackoffMost{3'000};

base::Result<std::uint64_t> readVersion(sql::Session& session) {
  TG_TRY_ASSIGN(rows, session.query("SELECT version FROM config_state WHERE id = 1", {}));
  if (rows.empty()) {
    return base::fail(base::ErrorCode::kInternal, "config_state is empty; the migrations were not applied");
  }
  return static_cast<std::uint64_t>(rows.front().integer(0));
}

// The last change of each row after `known` up to `target`, which differ, in the order of versions: a row is read once, however often it
// changed. Empty when changes are missing or there are too many. Read along an index that has all these columns, because the lines
// themselves carry the documents of the audit.
base::Result<std::vector<Change>> readChanges(sql::Session& session, std::uint64_t known, std::uint64_t target) {
  if (target < known || target - known > kChangesMax) {
    return std::vector<Change>{};
  }
  std::uint64_t count = 0;
  std::unordered_map<std::string, std::unordered_set<std::int64_t>> seen;
  std::vector<Change> changes;
  TG_TRY(session.each(
      "SELECT version, entity, entity_id, action FROM config_changes FORCE INDEX (config_changes_followed) WHERE version > " +
          std::to_string(known) + " AND version <= " + std::to_string(target) + " ORDER BY version DESC",
      {}, [&](const sql::Row& row) {
        ++count;
        if (seen[row.text(1)].insert(row.integer(2)).second) {
          changes.push_back({static_cast<std::uint64_t>(row.integer(0)), row.text(1), row.integer(2), row.text(3) == "deleted"});
        }
      }));
  if (count != target - known) {
    return std::vector<Change>{};
  }
  std::reverse(changes.begin(), changes.end());
  return changes;
}

}  // namespace

struct Feed::State {
  State(sql::Pool& sql_pool, Tables& service_tables, std::chrono::milliseconds poll_interval, FeedMetrics feed_metrics)
      : pool(sql_pool), tables(service_tables), poll(poll_interval), metrics(feed_metrics) {}

  // Passed in.
  sql::Pool& pool;
  Tables& tables;
  const std::chrono::milliseconds poll;
  const FeedMetrics metrics;
  // Owned.
  std::optional<bus::Subscription> subscription;
  // The feed's thread only.
  std::uint64_t version = 0;
  bool must_load = true;
  base::Worker worker;  // last: its thread uses the rest

  void loop();
  [[nodiscard]] base::Result<void> round();
  [[nodiscard]] base::Result<void> roundWithoutExceptions();
  [[nodiscard]] base::Result<void> loadEverything();
  [[nodiscard]] base::Result<void> catchUp();
  void publish(std::uint64_t new_version);
};

void Feed::State::publish(std::uint64_t new_version) {
  tables.publish(new_version);
  version = new_version;
}

base::Result<void> Feed::State::loadEverything() {
  const auto began = std::chrono::steady_clock::now();
  must_load = true;
  TG_TRY_ASSIGN(loaded_version, pool.snapshot<std::uint64_t>([this](sql::Session& session) -> base::Result<std::uint64_t> {
    TG_TRY_ASSIGN(current, readVersion(session));
    TG_TRY(tables.loadAll(session));
    return current;
  }));
  publish(loaded_version);
  must_load = false;
  metrics.full_loads.add();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  telemetry::info("configuration loaded", {{"version", static_cast<std::int64_t>(loaded_version)}, {"took_ms", took.count()}});
  return {};
}

base::Result<void> Feed::State::catchUp() {
  // The version that the changes were applied up to; nullopt when changes are missing or the service could not apply them.
  using Applied = std::optional<std::uint64_t>;
  TG_TRY_ASSIGN(applied, pool.snapshot<Applied>([this](sql::Session& session) -> base::Result<Applied> {
    TG_TRY_ASSIGN(target, readVersion(session));
    if (target == version) {
      return Applied{target};
    }
    TG_TRY_ASSIGN(changes, readChanges(session, version, target));
    if (changes.empty()) {
      telemetry::warn("configuration changes are missing; loading everything",
                      {{"known_version", static_cast<std::int64_t>(version)}, {"current_version", static_cast<std::int64_t>(target)}});
      return Applied{};
    }
    must_load = true;  // until it is applied, the tables may be half changed
    if (auto outcome = tables.apply(session, changes); !outcome) {
      telemetry::warn("configuration changes could not be applied; loading everything", {{"error", outcome.error().message}});
      return Applied{};
    }
    return Applied{target};
  }));
  if (!applied) {
    return loadEverything();
  }
  publish(*applied);
  must_load = false;
  return {};
}

base::Result<void> Feed::State::round() {
  if (must_load) {
    return loadEverything();
  }
  TG_TRY_ASSIGN(current, pool.use<std::uint64_t>(readVersion));
  if (current != version) {
    return catchUp();
  }
  tables.settled();
  return {};
}

base::Result<void> Feed::State::roundWithoutExceptions() {
  try {
    return round();
  } catch (const std::exception& error) {
    return base::fail(base::ErrorCode::kInternal, error.what());
  }
}

void Feed::State::loop() {
  auto backoff = kBackoffFirst;
  for (bool goes_on = true; goes_on;) {
    const auto outcome = roundWithoutExceptions();
    if (outcome) {
      metrics.last_success.set(std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
    } else {
      metrics.failures.add();
      telemetry::warn("the configuration feed failed and will retry", {{"error", outcome.error().message}});
    }
    // Events do not shorten the backoff: MySQL has a problem, and many changes would only add load.
    goes_on = outcome ? worker.waitFor(poll) : worker.pauseFor(backoff);
    backoff = outcome ? kBackoffFirst : std::min(backoff * 2, kBackoffMost);
  }
}

Feed::Feed(sql::Pool& pool, bus::Connection& connection, Tables& tables, std::chrono::milliseconds poll, FeedMetrics metrics)
    : connection_(connection), state_(std::make_shared<State>(pool, tables, poll, metrics)) {}

// The thread ends here and not with the state, which a bus callback may hold for a moment longer than the tables live.
Feed::~Feed() {
  state_->worker.stop();
  state_->subscription.reset();
}

base::Result<void> Feed::start() {
  TG_TRY_ASSIGN(subscription,
                connection_.subscribe(bus::subjects::kAllConfigChanges, "", [weak = std::weak_ptr(state_)](const bus::Delivery&) {
                  if (const auto state = weak.lock()) {
                    state->worker.wake();
                  }
                }));
  state_->subscription = std::move(subscription);
  state_->worker.start("feed", [state = state_.get()] { state->loop(); });
  return {};
}

}  // namespace tollgate::feed
