#include "services/ingress/records/spool_metrics.hpp"

namespace tollgate::ingress {

SpoolMetrics::SpoolMetrics(telemetry::Metrics& metrics)
    : records_(metrics.gauge("tollgate_ingress_spool_records", "Records on disk that the stream has not stored yet")),
      bytes_(metrics.gauge("tollgate_ingress_spool_bytes", "Size of the records on disk")),
      memory_only_(
          metrics.gauge("tollgate_ingress_spool_memory_only_records", "Records that the disk refused and the stream has not stored")),
      set_aside_bytes_(metrics.gauge("tollgate_ingress_spool_set_aside_bytes", "Size of damaged files that wait for an operator")),
      appended_(metrics.counter("tollgate_ingress_spool_appended_total", "Records handed to the spool")),
      refused_(metrics.counter("tollgate_ingress_spool_refused_total", "Records not taken because the spool was full")),
      stored_(metrics.counter("tollgate_ingress_spool_stored_total", "Records acknowledged by the stream")),
      resent_(metrics.counter("tollgate_ingress_spool_resent_total", "Records published again")),
      replayed_(metrics.counter("tollgate_ingress_spool_replayed_total", "Records of an earlier run found on disk")),
      write_failures_(metrics.counter("tollgate_ingress_spool_write_failures_total", "Batches of records refused by the disk")),
      damaged_files_(metrics.counter("tollgate_ingress_spool_damaged_files_total", "Files found damaged and set aside")),
      unreadable_(metrics.counter("tollgate_ingress_spool_unreadable_total", "Records that could not be read from a damaged file")),
      lost_(metrics.counter("tollgate_ingress_spool_lost_total", "Records that only memory had when the service stopped")) {}

void SpoolMetrics::update(const spool::SpoolStats& stats) {
  records_.set(static_cast<double>(stats.unsent));
  bytes_.set(static_cast<double>(stats.disk_bytes));
  memory_only_.set(static_cast<double>(stats.memory_only));
  set_aside_bytes_.set(static_cast<double>(stats.set_aside_bytes));
  appended_.add(static_cast<double>(stats.appended - last_.appended));
  refused_.add(static_cast<double>(stats.refused - last_.refused));
  stored_.add(static_cast<double>(stats.stored - last_.stored));
  resent_.add(static_cast<double>(stats.resent - last_.resent));
  replayed_.add(static_cast<double>(stats.replayed - last_.replayed));
  write_failures_.add(static_cast<double>(stats.write_failures - last_.write_failures));
  damaged_files_.add(static_cast<double>(stats.damaged_files - last_.damaged_files));
  unreadable_.add(static_cast<double>(stats.unreadable - last_.unreadable));
  lost_.add(static_cast<double>(stats.lost - last_.lost));
  last_ = stats;
}

}  // namespace tollgate::ingress
