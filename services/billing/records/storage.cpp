#include "services/billing/records/storage.hpp"

#include <algorithm>
#include <set>

#include "libs/base/clock.hpp"
#include "libs/cdr/days.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::billing {

namespace {

constexpr int kDaysAhead = 3;
constexpr std::int64_t kWarnPercent = 80;
constexpr std::chrono::seconds kRetry{30};
// Another replica that holds the lock is doing the same work.
constexpr const char* kLock = "SELECT GET_LOCK('tollgate_billing_storage', 0)";
constexpr const char* kUnlock = "SELECT RELEASE_LOCK('tollgate_billing_storage')";

}  // namespace

void Storage::start() {
  worker_.start("storage", [this] { run(); });
}

void Storage::stop() {
  worker_.stop();
}

void Storage::run() {
  for (bool goes_on = true; goes_on;) {
    auto outcome = keepPartitions();
    if (outcome) {
      outcome = measure();
    }
    if (!outcome) {
      metrics_.storage_failures.add();
      telemetry::warn("the partitions of the call records could not be kept", {{"error", outcome.error().message}});
    }
    goes_on = worker_.waitFor(outcome ? settings_.interval : std::min<std::chrono::milliseconds>(settings_.interval, kRetry));
  }
}

base::Result<void> Storage::keepPartitions() {
  TG_TRY(pool_.use<bool>([this](sql::Session& session) -> base::Result<bool> {
    TG_TRY_ASSIGN(locked, session.query(kLock, {}));
    if (locked.empty() || locked.front().integer(0) != 1) {
      return true;
    }
    // A change of partitions waits for readers of the table, and new work waits behind it: it gives up soon and is tried again.
    auto outcome = session.execute("SET SESSION lock_wait_timeout = 2", {});
    for (const auto& [table, days] :
         {std::pair("cdrs", settings_.cdr_retention_days), std::pair("cdr_attempts", settings_.trace_retention_days),
          std::pair("cdr_traces", settings_.trace_retention_days)}) {
      if (const auto kept = keepTable(session, table, days); !kept) {
        outcome = tl::unexpected(kept.error());
      }
    }
    (void)session.execute("SET SESSION lock_wait_timeout = DEFAULT", {});
    (void)session.query(kUnlock, {});
    if (!outcome) {
      return tl::unexpected(outcome.error());
    }
    return true;
  }));
  return {};
}

base::Result<void> Storage::keepTable(sql::Session& session, const std::string& table, std::int64_t retention_days) {
  TG_TRY_ASSIGN(rows, session.query("SELECT partition_name FROM information_schema.partitions WHERE table_schema = DATABASE() AND "
                                    "table_name = ? AND partition_name IS NOT NULL",
                                    {table}));
  std::set<std::string> names;  // sorts by day; p_next is after all days
  for (const sql::Row& row : rows) {
    names.insert(row.text(0));
  }
  if (!names.contains(cdr::kLastPartition)) {
    return base::fail(base::ErrorCode::kInternal, table + " has no partition p_next: apply the migrations");
  }
  const base::WallTime now = base::SystemClock().wall();
  const std::string last = names.size() > 1 ? *std::prev(names.end(), 2) : std::string();
  std::string made;
  for (int day = 0; day <= kDaysAhead; ++day) {
    if (const cdr::Day next = cdr::dayOf(now, day); next.name > last) {
      made += "PARTITION " + next.name + " VALUES LESS THAN ('" + next.below + "'), ";
    }
  }
  if (!made.empty()) {
    TG_TRY(session.execute(
        "ALTER TABLE " + table + " REORGANIZE PARTITION p_next INTO (" + made + "PARTITION p_next VALUES LESS THAN (MAXVALUE))", {}));
    telemetry::info("partitions made", {{"table", table}, {"partitions", made}});
  }
  if (retention_days == 0) {
    return {};
  }
  const std::string oldest_kept = cdr::dayOf(now, -static_cast<int>(retention_days)).name;
  for (const std::string& name : names) {
    if (name < oldest_kept && name != cdr::kLastPartition) {
      TG_TRY(session.execute("ALTER TABLE " + table + " DROP PARTITION " + name, {}));
      metrics_.partitions_dropped.add();
      telemetry::info("partition dropped because it is beyond the retention", {{"table", table}, {"partition", name}});
    }
  }
  return {};
}

// What billing can see of the disk of a remote MySQL is how large the tables are; the bound is what the operator has set for them.
base::Result<void> Storage::measure() {
  TG_TRY_ASSIGN(bytes, pool_.use<std::int64_t>([](sql::Session& session) -> base::Result<std::int64_t> {
    // MySQL 8 answers from a copy that may be a day old unless it is told not to; MariaDB does not have the setting.
    (void)session.execute("SET SESSION information_schema_stats_expiry = 0", {});
    TG_TRY_ASSIGN(rows, session.query("SELECT COALESCE(SUM(data_length + index_length + data_free), 0) FROM information_schema.tables "
                                      "WHERE table_schema = DATABASE()",
                                      {}));
    return rows.empty() ? 0 : rows.front().integer(0);
  }));
  metrics_.mysql_bytes.set(static_cast<double>(bytes));
  metrics_.mysql_bytes_max.set(static_cast<double>(settings_.mysql_bytes_max));
  if (settings_.mysql_bytes_max != 0 && bytes >= settings_.mysql_bytes_max / 100 * kWarnPercent) {
    telemetry::warn("MySQL is nearly full: shorten the retention or give it a larger disk",
                    {{"bytes", bytes}, {"bytes_max", settings_.mysql_bytes_max}});
  }
  return {};
}

}  // namespace tollgate::billing
