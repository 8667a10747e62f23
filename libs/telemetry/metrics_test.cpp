#include "libs/telemetry/metrics.hpp"

#include <thread>

#include <gtest/gtest.h>

namespace tollgate::telemetry {
namespace {

TEST(Metrics, RendersTheTextFormat) {
  Metrics metrics;
  metrics.counter("tollgate_test_calls_total", "Calls.", {{"result", "ok"}}).add(2);
  metrics.counter("tollgate_test_calls_total", "Calls.", {{"result", "no"}}).add();
  metrics.gauge("tollgate_test_calls", "Calls now.").set(7);
  Histogram& seconds = metrics.histogram("tollgate_test_setup_seconds", "Set-up time.", {0.1, 1});
  seconds.observe(0.05);
  seconds.observe(0.5);
  seconds.observe(5);
  const std::string text = metrics.render();
  for (const char* line : {"# HELP tollgate_test_calls_total Calls.\n", "# TYPE tollgate_test_calls_total counter\n",
                           "tollgate_test_calls_total{result=\"ok\"} 2\n", "tollgate_test_calls_total{result=\"no\"} 1\n",
                           "# TYPE tollgate_test_calls gauge\n", "tollgate_test_calls 7\n",
                           "tollgate_test_setup_seconds_bucket{le=\"0.1\"} 1\n", "tollgate_test_setup_seconds_bucket{le=\"1\"} 2\n",
                           "tollgate_test_setup_seconds_bucket{le=\"+Inf\"} 3\n", "tollgate_test_setup_seconds_count 3\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\nnot in\n" << text;
  }
}

TEST(Metrics, GivesTheSameMetricForTheSameNameAndLabels) {
  Metrics metrics;
  Counter& first = metrics.counter("tollgate_test_calls_total", "Calls.", {{"result", "ok"}});
  Counter& same = metrics.counter("tollgate_test_calls_total", "Calls.", {{"result", "ok"}});
  Counter& other = metrics.counter("tollgate_test_calls_total", "Calls.", {{"result", "no"}});
  EXPECT_EQ(&first, &same);
  EXPECT_NE(&first, &other);
  first.add(3);
  EXPECT_EQ(same.value(), 3);
  EXPECT_EQ(other.value(), 0);
}

TEST(Metrics, GaugeMovesBothWays) {
  Metrics metrics;
  Gauge& gauge = metrics.gauge("tollgate_test_calls", "Calls now.");
  gauge.add(3);
  gauge.add(-1);
  EXPECT_EQ(gauge.value(), 2);
}

TEST(Metrics, CountsEveryAddOfManyThreads) {
  Metrics metrics;
  Counter& counter = metrics.counter("tollgate_test_calls_total", "Calls.");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10000; ++n) {
        counter.add();
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(counter.value(), 40000);
}

TEST(MetricsDeath, OneNameIsNotTwoKinds) {
  Metrics metrics;
  metrics.counter("tollgate_test_calls", "Calls.");
  EXPECT_DEATH(metrics.gauge("tollgate_test_calls", "Calls."), "");
}

}  // namespace
}  // namespace tollgate::telemetry
