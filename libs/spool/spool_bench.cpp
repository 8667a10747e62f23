// What a record costs in the spool: CPU of the process and time from append() to the bus, at a steady rate of records. Built only by its
// target (spool_bench), run by hand; libs/spool/README.md has the command and what it printed.
//
// The load has the pattern of the ingress: one thread appends once a millisecond what fell due, two records a call (answered, ended). The
// bus is a thread that acknowledges each record a millisecond after it was published.

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include "libs/spool/record_spool.hpp"

namespace tollgate::spool {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string directory = "/tmp";
  int rate = 1000;   // records a second
  int seconds = 10;  // measured, after one second of warm-up
  int answered_bytes = 1000;
  int ended_bytes = 1600;
  bool is_spooled = true;
};

// Acknowledges what was published a millisecond ago, on a thread of its own like the bus client.
class AckingBus {
 public:
  AckingBus() : thread_([this](const std::stop_token& stop) { run(stop); }) {}

  void publish(std::string_view id, std::function<void(base::Result<std::uint64_t>)> done) {
    const auto now = Clock::now();
    const std::lock_guard lock(mutex_);
    latencies_.push_back(now - appended_at_[std::string(id)]);
    appended_at_.erase(std::string(id));
    held_.push_back({now + 1ms, std::move(done)});
  }
  void appended(const std::string& id) {
    const std::lock_guard lock(mutex_);
    appended_at_[id] = Clock::now();
  }
  [[nodiscard]] std::vector<Clock::duration> takeLatencies() {
    const std::lock_guard lock(mutex_);
    return std::exchange(latencies_, {});
  }

 private:
  struct Held {
    Clock::time_point at;
    std::function<void(base::Result<std::uint64_t>)> done;
  };

  void run(const std::stop_token& stop) {
    std::vector<Held> due;
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(1ms);
      {
        const std::lock_guard lock(mutex_);
        const auto now = Clock::now();
        while (!held_.empty() && held_.front().at <= now) {
          due.push_back(std::move(held_.front()));
          held_.pop_front();
        }
      }
      for (const auto& held : due) {
        held.done(1);
      }
      due.clear();
    }
  }

  std::mutex mutex_;
  std::map<std::string, Clock::time_point> appended_at_;
  std::vector<Clock::duration> latencies_;
  std::deque<Held> held_;
  std::jthread thread_;
};

[[nodiscard]] double cpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Appends at the rate for that long; returns how many.
int produce(const Options& options, RecordSpool* spool, AckingBus& bus, int& next, Clock::duration length) {
  const std::string answered(static_cast<std::size_t>(options.answered_bytes), 'a');
  const std::string ended(static_cast<std::size_t>(options.ended_bytes), 'e');
  const auto began = Clock::now();
  int made = 0;
  for (auto tick = began; tick < began + length; tick += 1ms) {
    std::this_thread::sleep_until(tick);
    const auto due = static_cast<int>(std::chrono::duration<double>(Clock::now() - began).count() * options.rate);
    for (; made < due; ++made, ++next) {
      const std::string id = "01JD3Q8ZK4T6W8Y0A2C4E6G8J0." + std::to_string(next);
      bus.appended(id);
      std::string data = next % 2 == 0 ? answered : ended;
      if (spool == nullptr) {
        bus.publish(id, [](const base::Result<std::uint64_t>&) {});
      } else if (!spool->append(next % 2 == 0 ? "tg.evt.call.v1.answered.100" : "tg.evt.call.v1.ended.100", id, std::move(data))) {
        std::fprintf(stderr, "spool_bench: a record was refused\n");
        std::exit(1);
      }
    }
  }
  return made;
}

int run(const Options& options) {
  AckingBus bus;
  std::unique_ptr<RecordSpool> spool;
  const std::string directory = options.directory + "/spool_bench." + std::to_string(::getpid());
  if (options.is_spooled) {
    SpoolSettings settings;
    settings.directory = directory;
    auto opened = RecordSpool::open(
        settings, [&bus](std::string_view, std::string_view id, std::string_view, auto done) { bus.publish(id, std::move(done)); },
        [](std::string_view) {});
    if (!opened) {
      std::fprintf(stderr, "spool_bench: %s\n", opened.error().message.c_str());
      return 1;
    }
    spool = std::move(*opened);
  }
  int next = 0;
  static_cast<void>(produce(options, spool.get(), bus, next, 1s));
  static_cast<void>(bus.takeLatencies());
  const double cpu_before = cpuSeconds();
  const int made = produce(options, spool.get(), bus, next, std::chrono::seconds(options.seconds));
  const double cpu = cpuSeconds() - cpu_before;
  auto latencies = bus.takeLatencies();
  if (spool && !spool->waitUntilStored(10s)) {
    std::fprintf(stderr, "spool_bench: records were not stored\n");
    return 1;
  }
  spool.reset();
  std::filesystem::remove_all(directory);
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double part) {
    const auto index = static_cast<std::size_t>(part * static_cast<double>(latencies.size() - 1));
    return std::chrono::duration<double, std::milli>(latencies.at(index)).count();
  };
  std::printf("rate %d/s  cpu %.1f us/record  append to publish p50 %.2f p99 %.2f p999 %.2f max %.2f ms  (%d records)\n", options.rate,
              cpu * 1e6 / made, at(0.5), at(0.99), at(0.999), at(1.0), made);
  return 0;
}

}  // namespace
}  // namespace tollgate::spool

int main(int argc, char** argv) {
  tollgate::spool::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--without") {
      options.is_spooled = false;
      continue;
    }
    if (i + 1 == argc) {
      std::fprintf(stderr, "usage: spool_bench [--rate N] [--seconds N] [--directory PATH] [--without]\n");
      return 2;
    }
    const char* const value = argv[++i];
    if (word == "--rate") {
      options.rate = std::atoi(value);
    } else if (word == "--seconds") {
      options.seconds = std::atoi(value);
    } else if (word == "--directory") {
      options.directory = value;
    }
  }
  return tollgate::spool::run(options);
}
