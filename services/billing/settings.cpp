#include "services/billing/settings.hpp"

#include "libs/bus/settings.hpp"
#include "libs/redis/settings.hpp"
#include "libs/sql/settings.hpp"

namespace tollgate::billing {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

Settings readSettings(config::Loader& loader) {
  Settings settings;
  settings.bus = bus::readSettings(loader, "tollgate-billing");
  settings.redis = redis::readSettings(loader);
  settings.sql = sql::readSettings(loader);
  settings.quantum =
      loader.duration("quantum", settings.quantum, seconds(1), hours(1), "talking time that one hold covers (REQUIREMENTS 9.1)");
  settings.outage_window = loader.duration("outage_window", settings.outage_window, seconds(0), hours(24),
                                           "talking time that a call is granted beyond the quantum when the customer has far more than it "
                                           "can use: the call outlasts an outage of this length (REQUIREMENTS 9.1)");
  settings.window_share_percent = loader.integer("window_share_percent", settings.window_share_percent, 1, 100,
                                                 "most of what is available that one call's hold takes for the outage window");
  settings.hold_grace = loader.duration("hold_grace", settings.hold_grace, seconds(1), hours(24),
                                        "how long a hold stays after its paid time when its ingress is silent");
  settings.instance_gone_after = loader.duration("instance_gone_after", settings.instance_gone_after, seconds(1), hours(24),
                                                 "an ingress instance that is silent for this long is taken as gone");
  settings.heartbeat = loader.duration("heartbeat", settings.heartbeat, seconds(1), seconds(600),
                                       "the ingress extends or confirms each call at least this often");
  settings.lease = loader.duration("lease", settings.lease, seconds(2), seconds(3600),
                                   "a call without a heartbeat for this long is closed (REQUIREMENTS 9.5)");
  settings.ended_mark =
      loader.duration("ended_mark", settings.ended_mark, seconds(30), hours(24), "how long a late request of an ended call is recognised");
  settings.record_wait = loader.duration("record_wait", settings.record_wait, seconds(60), hours(24 * 30),
                                         "how long the charge of a released call is held for its record; then the call is closed");
  settings.report_wait = loader.duration("report_wait", settings.report_wait, milliseconds(50), seconds(10),
                                         "how long to wait for every ingress to report its calls");
  settings.batch_wait =
      loader.duration("batch_wait", settings.batch_wait, milliseconds(1), seconds(5), "how long to gather records for one commit");
  settings.batch_max = loader.integer("batch_max", settings.batch_max, 1, 5000, "most records in one commit");
  settings.feed_poll = feed::readPoll(loader);
  settings.audit_interval =
      loader.duration("audit_interval", settings.audit_interval, seconds(1), hours(24), "one round of the drift check over all customers");
  settings.workers = loader.integer("workers", settings.workers, 1, 64, "threads that post payments");
  StorageSettings& storage = settings.storage;
  storage.cdr_retention_days =
      loader.integer("cdr_retention_days", storage.cdr_retention_days, 0, 36'500, "days that call records are kept; 0 = for ever");
  storage.trace_retention_days = loader.integer("trace_retention_days", storage.trace_retention_days, 0, 36'500,
                                                "days that attempts and decision traces are kept; 0 = for ever");
  storage.mysql_bytes_max = loader.integer("mysql_bytes_max", storage.mysql_bytes_max, 0, std::int64_t{1} << 50,
                                           "bytes that the tables may use; a warning from 80 % on; 0 = not known");
  storage.interval = loader.duration("storage_interval", storage.interval, milliseconds(100), hours(6),
                                     "how often the partitions are kept and the tables measured");
  const milliseconds stream_age =
      loader.duration("stream_max_age", settings.stream.max_age, hours(1), hours(24 * 365), "how long the stream keeps records");
  settings.stream.max_age = std::chrono::duration_cast<hours>(stream_age);
  const milliseconds ack_wait = loader.duration("stream_ack_wait", settings.stream.ack_wait, seconds(1), hours(1),
                                                "a record that is not acknowledged for this long is delivered again");
  settings.stream.ack_wait = std::chrono::ceil<seconds>(ack_wait);
  settings.stream.replicas =
      static_cast<int>(loader.integer("stream_replicas", settings.stream.replicas, 1, 5, "copies of the record stream in a NATS cluster"));
  if (settings.lease < 2 * settings.heartbeat) {
    loader.refuse("lease", "must be at least twice the heartbeat, or one lost message ends a call");
  }
  return settings;
}

}  // namespace tollgate::billing
