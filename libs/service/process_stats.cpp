#include "libs/service/process_stats.hpp"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include <unistd.h>

namespace tollgate::service {

ProcessStats::ProcessStats(telemetry::Metrics& metrics)
    : cpu_seconds_(metrics.counter("process_cpu_seconds_total", "User and system time used by the process.")),
      resident_bytes_(metrics.gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.")),
      open_files_(metrics.gauge("process_open_fds", "Open file descriptors.")),
      threads_(metrics.gauge("process_threads", "Threads of the process.")) {
  metrics.gauge("process_start_time_seconds", "Unix time at which the process started.").set(static_cast<double>(std::time(nullptr)));
}

void ProcessStats::update() {
  timespec used = {};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0) {
    cpu_seconds_.add(static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9 - cpu_seconds_.value());
  }
  std::ifstream memory("/proc/self/statm");
  std::int64_t pages = 0;
  std::int64_t resident = 0;
  if (memory >> pages >> resident) {
    resident_bytes_.set(static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  }
  const auto entries = [](const char* folder) {
    std::error_code error;
    double count = 0;
    for (auto entry = std::filesystem::directory_iterator(folder, error); !error && entry != std::filesystem::directory_iterator();
         entry.increment(error)) {
      ++count;
    }
    return count;
  };
  open_files_.set(entries("/proc/self/fd"));
  threads_.set(entries("/proc/self/task"));
}

}  // namespace tollgate::service
