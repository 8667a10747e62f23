// The settings of billing with their defaults. Threads: the start-up thread. Owns nothing.
#pragma once

#include <chrono>
#include <cstdint>

#include "libs/bus/connection.hpp"
#include "libs/bus/records.hpp"
#include "libs/config/loader.hpp"
#include "libs/feed/settings.hpp"
#include "libs/redis/client.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::billing {

struct StorageSettings {
  std::int64_t cdr_retention_days = 0;     // 0 = for ever
  std::int64_t trace_retention_days = 90;  // of attempts and traces; 0 = for ever
  std::int64_t mysql_bytes_max = 0;        // what the tables may use; 0 = no bound is known
  std::chrono::milliseconds interval{std::chrono::minutes(10)};
};

struct Settings {
  bus::ConnectionSettings bus;
  redis::ClientSettings redis;
  sql::PoolSettings sql;
  bus::StreamSettings stream;
  std::chrono::milliseconds outage_window{std::chrono::minutes(30)};       // talking time a call is granted when the customer has plenty
  std::int64_t window_share_percent = 5;                                   // of what is available, that one call's hold may take for that
  std::chrono::milliseconds hold_grace{std::chrono::minutes(5)};           // a hold stays for this long after its paid time without a word
  std::chrono::milliseconds instance_gone_after{std::chrono::minutes(5)};  // of silence an ingress instance is taken as gone
  std::chrono::milliseconds quantum{std::chrono::seconds(60)};             // talking time one hold covers
  std::chrono::milliseconds heartbeat{std::chrono::seconds(20)};           // how often the ingress confirms each call
  std::chrono::milliseconds lease{std::chrono::seconds(60)};               // a call without a heartbeat for this long is lost
  std::chrono::milliseconds ended_mark{std::chrono::seconds(120)};         // how long a late request of an ended call is recognised
  std::chrono::milliseconds record_wait{std::chrono::hours(24)};           // how long a released call's charge is held for its record
  std::chrono::milliseconds report_wait{500};                              // how long to wait for every ingress to report its calls
  std::chrono::milliseconds batch_wait{50};                                // how long to gather records for one commit
  std::int64_t batch_max = 500;
  std::chrono::milliseconds feed_poll = feed::kPollDefault;            // for configuration changes whose event was missed
  std::chrono::milliseconds audit_interval{std::chrono::seconds(30)};  // one round of the check of the held sums
  StorageSettings storage;
  std::int64_t workers = 2;  // threads that post payments
};

[[nodiscard]] Settings readSettings(config::Loader& loader);

}  // namespace tollgate::billing
