#include "shared/obs/metrics.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace tidemill {
namespace {

TEST(Metrics, RendersFamiliesByNameAndSamplesByLabels) {
  MetricsRegistry registry;
  registry.counter("tidemill_b_rows_total", "Rows.", {{"view", "z"}}).add(2);
  registry.gauge("tidemill_a_lag_seconds", "Lag.").set(1.5);
  registry.counter("tidemill_b_rows_total", "Rows.", {{"view", "a"}}).add();
  EXPECT_EQ(registry.render(),
            "# HELP tidemill_a_lag_seconds Lag.\n"
            "# TYPE tidemill_a_lag_seconds gauge\n"
            "tidemill_a_lag_seconds 1.5\n"
            "# HELP tidemill_b_rows_total Rows.\n"
            "# TYPE tidemill_b_rows_total counter\n"
            "tidemill_b_rows_total{view=\"a\"} 1\n"
            "tidemill_b_rows_total{view=\"z\"} 2\n");
}

TEST(Metrics, EscapesLabelsAndHelp) {
  MetricsRegistry registry;
  registry.gauge("g", "a\\b\n\"q\"", {{"k", "x\"y\\z\n"}}).set(1);
  EXPECT_EQ(registry.render(),
            "# HELP g a\\\\b\\n\"q\"\n# TYPE g gauge\ng{k=\"x\\\"y\\\\z\\n\"} 1\n");
}

TEST(Metrics, GaugesOfOneAnswer) {
  GaugeText text;
  text.family("a", "A.");
  text.sample({{"z", "1"}, {"b", "\""}}, 2);
  text.sample({{"z", "2"}, {"b", ""}}, 0.5);
  text.family("b", "B\n");
  text.sample({}, 3);
  EXPECT_EQ(text.text(),
            "# HELP a A.\n# TYPE a gauge\na{z=\"1\",b=\"\\\"\"} 2\na{z=\"2\",b=\"\"} 0.5\n"
            "# HELP b B\\n\n# TYPE b gauge\nb 3\n");
}

TEST(Metrics, SpecialValues) {
  MetricsRegistry registry;
  registry.gauge("a", "").set(std::numeric_limits<double>::infinity());
  registry.gauge("b", "").set(-std::numeric_limits<double>::infinity());
  registry.gauge("c", "").set(std::numeric_limits<double>::quiet_NaN());
  const std::string text = registry.render();
  EXPECT_NE(text.find("\na +Inf\n"), std::string::npos);
  EXPECT_NE(text.find("\nb -Inf\n"), std::string::npos);
  EXPECT_NE(text.find("\nc NaN\n"), std::string::npos);
}

TEST(Metrics, TheSameNameAndLabelsInAnyOrderAreTheSameMetric) {
  MetricsRegistry registry;
  Counter& first = registry.counter("c", "", {{"a", "1"}, {"b", "2"}});
  Counter& second = registry.counter("c", "", {{"b", "2"}, {"a", "1"}});
  EXPECT_EQ(&first, &second);
  EXPECT_NE(&first, &registry.counter("c", "", {{"a", "1"}}));
}

TEST(Metrics, ACounterIsNoGauge) {
  MetricsRegistry registry;
  registry.counter("c", "");
  EXPECT_DEATH(registry.gauge("c", ""), "metric c is registered as a counter and as a gauge");
}

TEST(Metrics, ThreadsRegisterAndCountWithoutLosingAnything) {
  MetricsRegistry registry;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&registry, t] {
      for (int i = 0; i < 200; ++i) {
        registry.counter("c", "", {{"i", std::to_string(i)}}).add();
        registry.counter("own", "", {{"t", std::to_string(t)}, {"i", std::to_string(i)}}).add();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(registry.counter("c", "", {{"i", std::to_string(i)}}).value(), 4u);
    for (int t = 0; t < 4; ++t) {
      EXPECT_EQ(
          registry.counter("own", "", {{"t", std::to_string(t)}, {"i", std::to_string(i)}}).value(),
          1u);
    }
  }
}

}  // namespace
}  // namespace tidemill
