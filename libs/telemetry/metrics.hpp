// Prometheus metrics: tollgate_<service>_<noun>_<unit>[_total]. Make each metric once at start-up and keep the reference: looking one up
// costs twenty times its use. Labels only from closed sets. Making: start-up thread; using: any thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::telemetry {

using Labels = std::map<std::string, std::string>;

class Counter {
 public:
  void add(double amount = 1);
  [[nodiscard]] double value() const;
  explicit Counter(void* prometheus_counter) : impl_(prometheus_counter) {}

 private:
  void* impl_;
};

class Gauge {
 public:
  void set(double value);
  void add(double amount);
  [[nodiscard]] double value() const;
  explicit Gauge(void* prometheus_gauge) : impl_(prometheus_gauge) {}

 private:
  void* impl_;
};

class Histogram {
 public:
  void observe(double value);
  explicit Histogram(void* prometheus_histogram) : impl_(prometheus_histogram) {}

 private:
  void* impl_;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // References live as long as the Metrics. The same name and labels twice give the same metric. Requires: one name has one kind of metric.
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, const std::vector<double>& bounds, const Labels& labels = {});

  // The text exposition format, for /metrics.
  [[nodiscard]] std::string render() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tollgate::telemetry
