// Compares holds and slots with the calls that the ingress instances report (REQUIREMENTS 9.5: the drift reads 0). It repairs nothing: a
// difference is a defect, and a repair would hide it. Each round takes all holds and slots in small windows, for customers of any size.
// Traffic moves meanwhile, so a difference counts when two rounds in a row find it. Only complete answers count: nothing is said about the
// holds of an instance that did not answer, and about slots only when all instances have answered.
//
// Threads: start() and stop() from the main thread; one thread of its own does the rest. Owns: what the last round found.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "libs/base/worker.hpp"
#include "libs/bus/connection.hpp"
#include "libs/redis/client.hpp"
#include "services/billing/accounts/credit_store.hpp"
#include "services/billing/accounts/live_calls.hpp"
#include "services/billing/accounts/presence.hpp"
#include "services/billing/accounts/presence_watch.hpp"
#include "services/billing/config/tables.hpp"
#include "services/billing/metrics.hpp"
#include "services/billing/settings.hpp"

namespace tollgate::billing {

class Auditor {
 public:
  struct Dependencies {
    const ConfigTables& tables;
    redis::Client& redis;
    CreditStore& store;
    bus::Connection& connection;
    Presence& presence;
    const PresenceWatch& presence_watch;
    BillingMetrics& metrics;
    const Settings& settings;
  };
  explicit Auditor(Dependencies deps) : deps_(deps) {}
  ~Auditor() { stop(); }
  Auditor(const Auditor&) = delete;
  Auditor& operator=(const Auditor&) = delete;
  void start();
  void stop();

 private:
  struct Hold {
    bool is_over = false;  // its call has ended, and the charge waits for the ledger
    std::int64_t amount_micros = 0;
    std::string instance;
  };
  // What Redis has. Holds and slots by "<customer>:<call>" and "<key>:<call>".
  struct Found {
    std::map<std::string, Hold> holds;
    std::map<std::string, std::string> slots;   // with the call
    std::map<std::string, std::int64_t> drift;  // by customer, where the held sum is off
  };
  // Which instances have answered completely, and their calls.
  struct Answers {
    std::map<std::string, LiveCalls> by_instance;
    std::set<std::string> complete;
    bool are_all_complete = false;
  };
  // The differences of one round, each kind by its metric's name, and what they are about.
  using Differences = std::map<std::string, std::map<std::string, std::int64_t>>;
  using Windows = std::function<base::Result<void>(const std::string& key, const std::vector<redis::Reply>& members)>;

  void run();
  [[nodiscard]] base::Result<void> round();
  [[nodiscard]] Answers askIngress();
  [[nodiscard]] base::Result<Found> readRedis();
  [[nodiscard]] base::Result<std::vector<std::string>> listKeys();
  [[nodiscard]] base::Result<void> readSets(const std::vector<std::string>& keys, const Windows& take);
  [[nodiscard]] base::Result<void> readHolds(const std::vector<std::string>& keys, Found& found);
  [[nodiscard]] base::Result<void> readSmallSums(Found& found);
  [[nodiscard]] base::Result<std::vector<redis::Reply>> waitAll(std::vector<std::vector<std::string>> commands);
  [[nodiscard]] static Differences compare(const Found& found, const Answers& answers);
  void publish(const Differences& now);

  // Passed in.
  const Dependencies deps_;
  // Derived.
  Differences last_;
  base::Worker worker_;  // last: its thread uses the rest
};

}  // namespace tollgate::billing
