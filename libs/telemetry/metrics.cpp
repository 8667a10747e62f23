#include "libs/telemetry/metrics.hpp"

#include <mutex>
#include <variant>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "libs/base/assert.hpp"

namespace tollgate::telemetry {

namespace {
prometheus::Counter& asCounter(void* impl) {
  return *static_cast<prometheus::Counter*>(impl);
}
prometheus::Gauge& asGauge(void* impl) {
  return *static_cast<prometheus::Gauge*>(impl);
}
prometheus::Histogram& asHistogram(void* impl) {
  return *static_cast<prometheus::Histogram*>(impl);
}
}  // namespace

void Counter::add(double amount) {
  asCounter(impl_).Increment(amount);
}
double Counter::value() const {
  return asCounter(impl_).Value();
}
void Gauge::set(double value) {
  asGauge(impl_).Set(value);
}
void Gauge::add(double amount) {
  asGauge(impl_).Increment(amount);
}
double Gauge::value() const {
  return asGauge(impl_).Value();
}
void Histogram::observe(double value) {
  asHistogram(impl_).Observe(value);
}

namespace {

template <class Ours, class Theirs>
struct Named {
  prometheus::Family<Theirs>* family = nullptr;
  std::map<Labels, std::unique_ptr<Ours>> metrics;
};

using NamedCounter = Named<Counter, prometheus::Counter>;
using NamedGauge = Named<Gauge, prometheus::Gauge>;
using NamedHistogram = Named<Histogram, prometheus::Histogram>;

}  // namespace

struct Metrics::State {
  // Owned.
  prometheus::Registry registry;
  std::mutex mutex;
  std::map<std::string, std::variant<NamedCounter, NamedGauge, NamedHistogram>, std::less<>> names;

  // The family of `name`, made on first use. The same name for two kinds of metric is a fault of this program.
  template <class N, class Build>
  N& named(std::string_view name, std::string_view help, Build build) {
    const auto found = names.find(name);
    if (found != names.end()) {
      N* same_kind = std::get_if<N>(&found->second);
      TG_ASSERT(same_kind != nullptr);
      return *same_kind;
    }
    N fresh;
    fresh.family = &build().Name(std::string(name)).Help(std::string(help)).Register(registry);
    return std::get<N>(names.emplace(name, std::move(fresh)).first->second);
  }
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(state_->mutex);
  auto& named = state_->named<NamedCounter>(name, help, prometheus::BuildCounter);
  auto& metric = named.metrics[labels];
  if (!metric) {
    metric = std::make_unique<Counter>(&named.family->Add(labels));
  }
  return *metric;
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(state_->mutex);
  auto& named = state_->named<NamedGauge>(name, help, prometheus::BuildGauge);
  auto& metric = named.metrics[labels];
  if (!metric) {
    metric = std::make_unique<Gauge>(&named.family->Add(labels));
  }
  return *metric;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, const std::vector<double>& bounds, const Labels& labels) {
  const std::lock_guard lock(state_->mutex);
  auto& named = state_->named<NamedHistogram>(name, help, prometheus::BuildHistogram);
  auto& metric = named.metrics[labels];
  if (!metric) {
    metric = std::make_unique<Histogram>(&named.family->Add(labels, bounds));
  }
  return *metric;
}

std::string Metrics::render() const {
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace tollgate::telemetry
