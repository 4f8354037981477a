// Counters and gauges with labels, and their rendering in Prometheus' text format
// (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4).
//
// Names: tidemill_<module>_<noun>_<unit>[_total]; one `_probe` per component keeps references to
// what it registered. Registering the same name and labels again gives the same metric.
//
// thread-safe, without locks: metrics are never removed. An update is one relaxed atomic
// operation; loops that run per event add up locally and update once per batch.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidemill {

class Counter {
 public:
  void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class MetricsRegistry {
 public:
  MetricsRegistry() = default;
  ~MetricsRegistry();
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  // The reference is valid as long as the registry. A name is either a counter or a gauge.
  Counter& counter(std::string_view name, std::string_view help, MetricLabels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, MetricLabels labels = {});

  // Families by name, samples by labels: the same metrics always render in the same order.
  std::string render() const;

 private:
  struct Entry;
  Entry& find_or_add(std::string_view name, std::string_view help, MetricLabels labels,
                     bool is_counter);
  Entry* find(std::string_view name, const MetricLabels& labels) const;

  std::atomic<Entry*> newest_{nullptr};
};

// Gauges made for one answer, of what comes and goes (partitions, reasons): nothing of them is
// kept. A family is given whole, one sample after the other.
class GaugeText {
 public:
  void family(std::string_view name, std::string_view help);
  void sample(const MetricLabels& labels, double value);  // labels in the order given
  const std::string& text() const { return text_; }

 private:
  std::string name_;
  std::string text_;
};

}  // namespace tidemill
