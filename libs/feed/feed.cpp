#include "libs/feed/feed.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <pthread.h>

#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::feed {
namespace {

constexpr std::uint64_t kChangesMax = 50'000;  // more at once: loading everything is quicker
constexpr std::chrono::milliseconds kBackoffFirst{100};
constexpr std::chrono::milliseconds kBackoffMost{3'000};

base::Result<std::uint64_t> readVersion(sql::Session& session) {
  TG_TRY_ASSIGN(rows, session.query("SELECT version FROM config_state WHERE id = 1", {}));
  if (rows.empty()) {
    return base::fail(base::ErrorCode::kInternal, "config_state is empty: the migrations were not applied");
  }
  return static_cast<std::uint64_t>(rows.front().integer(0));
}

// The changes after `known` up to `target`, all of them and so at least one (they differ); empty when some are missing.
base::Result<std::vector<Change>> readChanges(sql::Session& session, std::uint64_t known, std::uint64_t target) {
  if (target < known || target - known > kChangesMax) {
    return std::vector<Change>{};
  }
  TG_TRY_ASSIGN(rows, session.query("SELECT version, entity, entity_id, action FROM config_changes WHERE version > ? AND version <= ? "
                                    "ORDER BY version",
                                    {static_cast<std::int64_t>(known), static_cast<std::int64_t>(target)}));
  if (rows.size() != target - known) {
    return std::vector<Change>{};
  }
  std::vector<Change> changes;
  changes.reserve(rows.size());
  for (const auto& row : rows) {
    changes.push_back({static_cast<std::uint64_t>(row.integer(0)), row.text(1), row.integer(2), row.text(3) == "deleted"});
  }
  return changes;
}

// One change per row of a table: the last. Order by version stays.
std::vector<Change> lastPerRow(std::vector<Change> changes) {
  std::set<std::pair<std::string, std::int64_t>> seen;
  std::vector<Change> last;
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
    if (seen.emplace(change->entity, change->entity_id).second) {
      last.push_back(std::move(*change));
    }
  }
  std::reverse(last.begin(), last.end());
  return last;
}

}  // namespace

struct Feed::State {
  State(sql::Pool& sql_pool, Tables& service_tables, std::chrono::milliseconds poll_every)
      : pool(sql_pool), tables(service_tables), poll(poll_every) {}

  // Passed in.
  sql::Pool& pool;
  Tables& tables;
  const std::chrono::milliseconds poll;
  // Owned.
  std::mutex mutex;
  std::condition_variable wake;
  bool woken = false;
  bool stopping = false;
  std::thread thread;
  std::optional<bus::Subscription> subscription;
  std::atomic<std::uint64_t> version{0};
  std::atomic<bool> loaded{false};
  std::atomic<std::uint64_t> failures{0};
  bool must_load = true;  // the feed's thread only

  void nudge();
  void loop();
  [[nodiscard]] base::Result<void> round();
  [[nodiscard]] base::Result<void> roundGuarded();
  [[nodiscard]] base::Result<void> loadEverything();
  [[nodiscard]] base::Result<void> catchUp();
  void publish(std::uint64_t new_version);
  // False when it is time to end.
  [[nodiscard]] bool waitForNext(bool ok, std::chrono::milliseconds backoff);
};

void Feed::State::nudge() {
  {
    const std::lock_guard lock(mutex);
    woken = true;
  }
  wake.notify_one();
}

void Feed::State::publish(std::uint64_t new_version) {
  tables.publish(new_version);
  version = new_version;
  loaded = true;
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
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  telemetry::info("configuration loaded", {{"version", static_cast<std::int64_t>(loaded_version)}, {"took_ms", took.count()}});
  return {};
}

base::Result<void> Feed::State::catchUp() {
  // A number means: applied up to there. Nothing: lines are missing, or the service could not apply them.
  using Applied = std::optional<std::uint64_t>;
  TG_TRY_ASSIGN(applied, pool.snapshot<Applied>([this](sql::Session& session) -> base::Result<Applied> {
    TG_TRY_ASSIGN(target, readVersion(session));
    if (target == version) {
      return Applied{target};
    }
    TG_TRY_ASSIGN(changes, readChanges(session, version, target));
    if (changes.empty()) {
      telemetry::warn("configuration changes are missing, loading everything",
                      {{"known", static_cast<std::int64_t>(version)}, {"current", static_cast<std::int64_t>(target)}});
      return Applied{};
    }
    must_load = true;  // until it is applied, the tables may be half changed
    if (auto outcome = tables.apply(session, lastPerRow(std::move(changes))); !outcome) {
      telemetry::warn("configuration changes were not applied, loading everything", {{"error", outcome.error().message}});
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
  return current == version ? base::Result<void>{} : catchUp();
}

base::Result<void> Feed::State::roundGuarded() {
  try {
    return round();
  } catch (const std::exception& problem) {
    return base::fail(base::ErrorCode::kInternal, problem.what());
  }
}

bool Feed::State::waitForNext(bool ok, std::chrono::milliseconds backoff) {
  std::unique_lock lock(mutex);
  if (ok) {
    wake.wait_for(lock, poll, [this] { return woken || stopping; });
  } else {
    wake.wait_for(lock, backoff, [this] { return stopping; });  // nudges do not hurry a database in trouble
  }
  woken = false;
  return !stopping;
}

void Feed::State::loop() {
  ::pthread_setname_np(::pthread_self(), "feed");
  auto backoff = kBackoffFirst;
  for (;;) {
    const auto outcome = roundGuarded();
    if (outcome) {
      failures = 0;
      backoff = kBackoffFirst;
    } else {
      ++failures;
      telemetry::warn("configuration feed failed, retrying", {{"error", outcome.error().message}});
    }
    if (!waitForNext(outcome.has_value(), backoff)) {
      return;
    }
    if (!outcome) {
      backoff = std::min(backoff * 2, kBackoffMost);
    }
  }
}

Feed::Feed(sql::Pool& pool, bus::Connection& connection, Tables& tables, std::chrono::milliseconds poll)
    : connection_(connection), state_(std::make_shared<State>(pool, tables, poll)) {}

Feed::~Feed() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_one();
  if (state_->thread.joinable()) {
    state_->thread.join();
  }
  state_->subscription.reset();
}

base::Result<void> Feed::start() {
  auto subscription = connection_.subscribe(bus::subjects::kAllConfigChanges, "", [weak = std::weak_ptr(state_)](const bus::Delivery&) {
    if (const auto state = weak.lock()) {
      state->nudge();
    }
  });
  if (!subscription) {
    return tl::unexpected(std::move(subscription.error()));
  }
  state_->subscription = std::move(*subscription);
  state_->thread = std::thread([state = state_.get()] { state->loop(); });
  return {};
}

std::uint64_t Feed::version() const {
  return state_->version;
}

bool Feed::isLoaded() const {
  return state_->loaded;
}

std::uint64_t Feed::failures() const {
  return state_->failures;
}

}  // namespace tollgate::feed
