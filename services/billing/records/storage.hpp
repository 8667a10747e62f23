// The storage of call records in MySQL: makes the partitions of the next days, drops those beyond the retention, and watches how large the
// database grows. Of several replicas of billing one at a time does it.
// Threads: start() and stop() from the start-up thread. Owns: one thread, which works once at the start and then at intervals.
#pragma once

#include "libs/base/worker.hpp"
#include "libs/sql/sql.hpp"
#include "services/billing/metrics.hpp"
#include "services/billing/settings.hpp"

namespace tollgate::billing {

class Storage {
 public:
  Storage(sql::Pool& pool, BillingMetrics& metrics, const StorageSettings& settings)
      : pool_(pool), metrics_(metrics), settings_(settings) {}
  void start();
  void stop();

 private:
  void run();
  [[nodiscard]] base::Result<void> keepPartitions();
  [[nodiscard]] base::Result<void> keepTable(sql::Session& session, const std::string& table, std::int64_t retention_days);
  [[nodiscard]] base::Result<void> measure();

  // Passed in.
  sql::Pool& pool_;
  BillingMetrics& metrics_;
  const StorageSettings settings_;
  // Owned.
  base::Worker worker_;
};

}  // namespace tollgate::billing
