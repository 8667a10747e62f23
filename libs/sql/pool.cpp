#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "libs/sql/connection.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::sql {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kTransactionTries = 4;
constexpr std::chrono::seconds kIdleUnchecked{20};

struct Idle {
  std::unique_ptr<Connection> connection;
  SteadyTime since;
  std::uint64_t losses_seen = 0;
};

}  // namespace

struct Pool::State {
  State(PoolSettings pool_settings, std::optional<PoolMetrics> pool_metrics) : settings(std::move(pool_settings)), metrics(pool_metrics) {}

  const PoolSettings settings;
  const std::optional<PoolMetrics> metrics;
  std::mutex mutex;
  std::condition_variable freed;
  std::vector<Idle> idle;
  std::size_t out = 0;       // connections that are lent or being opened
  std::uint64_t losses = 0;  // connections found broken; those that were idle at that time may be broken too

  void countLoss() const {
    if (metrics) {
      metrics->connections_lost.add();
    }
  }

  void giveBack(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(mutex);
    --out;
    if (connection && connection->isBroken()) {
      ++losses;
      countLoss();
    } else if (connection) {
      idle.push_back({std::move(connection), std::chrono::steady_clock::now(), losses});
    }
    freed.notify_one();
  }
};

PoolMetrics::PoolMetrics(telemetry::Metrics& metrics, std::string_view service)
    : connections_lost(
          metrics.counter("tollgate_" + std::string(service) + "_mysql_connections_lost_total", "connections to MySQL that broke")),
      waits_timed_out(metrics.counter("tollgate_" + std::string(service) + "_mysql_waits_timed_out_total",
                                      "times that no connection to MySQL became free in time")) {}

Pool::Pool(PoolSettings settings, std::optional<PoolMetrics> metrics) : state_(std::make_shared<State>(std::move(settings), metrics)) {}

Pool::~Pool() = default;

base::Result<Pool::Lease> Pool::borrow() {
  State& state = *state_;
  const auto give_up = std::chrono::steady_clock::now() + state.settings.timeout;
  std::unique_ptr<Connection> connection;
  for (;;) {
    Idle candidate;
    {
      std::unique_lock lock(state.mutex);
      if (!state.freed.wait_until(lock, give_up, [&] { return state.out < state.settings.connections_max; })) {
        if (state.metrics) {
          state.metrics->waits_timed_out.add();
        }
        return base::fail(base::ErrorCode::kOverLimit, "all MySQL connections are in use");
      }
      ++state.out;
      if (!state.idle.empty()) {
        candidate = std::move(state.idle.back());
        state.idle.pop_back();
      }
      if (candidate.connection && candidate.losses_seen == state.losses &&
          std::chrono::steady_clock::now() - candidate.since < kIdleUnchecked) {
        connection = std::move(candidate.connection);
        break;
      }
    }
    if (!candidate.connection) {
      auto opened = Connection::open(state.settings);
      if (!opened) {
        state.giveBack(nullptr);
        return tl::unexpected(std::move(opened.error()));
      }
      connection = std::move(*opened);
      break;
    }
    if (candidate.connection->answers()) {
      connection = std::move(candidate.connection);
      break;
    }
    candidate.connection.reset();
    state.countLoss();
    state.giveBack(nullptr);
  }
  return Lease(connection.release(),
               [shared = state_](Session* session) { shared->giveBack(std::unique_ptr<Connection>(static_cast<Connection*>(session))); });
}

namespace {

// Rolls back unless close() was called. If the rollback fails the connection is broken, and the server rolls back.
class OpenTransaction {
 public:
  explicit OpenTransaction(Session& session) : session_(session) {}
  ~OpenTransaction() {
    if (open_) {
      (void)session_.execute("ROLLBACK", {});
    }
  }
  OpenTransaction(const OpenTransaction&) = delete;
  OpenTransaction& operator=(const OpenTransaction&) = delete;
  void close() { open_ = false; }

 private:
  Session& session_;
  bool open_ = true;
};

// One try. `again` is set when the server rolled back work to resolve a lock conflict, even if `work` ignored that error.
base::Result<void> tryOnce(Connection& connection, const std::function<base::Result<void>(Session&)>& work, bool& again) {
  connection.clearRetry();
  OpenTransaction transaction(connection);
  auto outcome = work(connection);
  again = connection.mustRetry() && !connection.isBroken();
  if (again && outcome) {
    return base::fail(base::ErrorCode::kTimeout, "the transaction lost a lock conflict");
  }
  TG_TRY(std::move(outcome));
  const auto committed = connection.execute("COMMIT", {});
  if (committed) {
    transaction.close();
    return {};
  }
  again = connection.mustRetry() && !connection.isBroken();
  return tl::unexpected(committed.error());
}

void pauseBeforeRetry(int tried) {
  thread_local std::minstd_rand random(std::random_device{}());
  std::this_thread::sleep_for(std::chrono::milliseconds(std::uniform_int_distribution<int>(1, 10 * tried)(random)));
}

}  // namespace

base::Result<Pool::Lease> Pool::begin(std::string_view statement) {
  for (int tried = 1;; ++tried) {
    TG_TRY_ASSIGN(lease, borrow());
    const auto begun = lease->execute(statement, {});
    if (begun) {
      return lease;
    }
    // While nothing has been done yet, another connection can be tried.
    if (!static_cast<Connection&>(*lease).isBroken() || tried == kTransactionTries) {
      return tl::unexpected(begun.error());
    }
  }
}

base::Result<void> Pool::runTransaction(const Work& work) {
  for (int tried = 1;; ++tried) {
    TG_TRY_ASSIGN(lease, begin("START TRANSACTION"));
    bool again = false;
    auto outcome = tryOnce(static_cast<Connection&>(*lease), work, again);
    if (outcome || !again || tried >= kTransactionTries) {
      return outcome;
    }
    pauseBeforeRetry(tried);
  }
}

base::Result<void> Pool::runSnapshot(const Work& work) {
  TG_TRY_ASSIGN(lease, begin("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"));
  const OpenTransaction transaction(*lease);
  return work(*lease);
}

base::Result<void> Pool::ping() {
  TG_TRY_ASSIGN(lease, borrow());
  TG_TRY(lease->query("SELECT 1", {}));
  return {};
}

}  // namespace tollgate::sql
