// What it costs to compute features of one key: a dozen of them, sessions, days of a time zone,
// lists and distinct counts, and lifetime windows. Items are reads.
#include "bench/micro/harness.h"
#include "bench/micro/inputs.h"
#include "shared/base/hash.h"
#include "shared/columns/row_block.h"
#include "shared/window/partition_state.h"

namespace tidemill::micro {
namespace {

constexpr const char* kDozen = R"(
      - {function: count, windows: [1h, 1d, 7d, 30d]}
      - {function: mean, column: amount, windows: [1h, 1d, 7d, 30d]}
      - {function: max, column: amount, windows: [1h, 1d, 7d, 30d]}
)";
constexpr const char* kDaysOfNewYork = R"(
      - {function: count, windows: [1d, 2d, 7d, 30d], every: 1d, timezone: America/New_York}
      - {function: mean, column: amount, windows: [1d, 2d, 7d, 30d], every: 1d, timezone: America/New_York}
      - {function: max, column: amount, windows: [1d, 2d, 7d, 30d], every: 1d, timezone: America/New_York}
)";

// The state of one key with `rows` rows, spread over 30 days, of `values` different amounts.
class OneKey {
 public:
  OneKey(const std::string& aggregations, uint64_t rows, uint64_t values)
      : plan_(amounts_job(aggregations)), partition_(plan_->tables()) {
    AmountRows out(*plan_);
    const DurationUs step = 30 * kMicrosPerDay / static_cast<int64_t>(rows);
    for (uint64_t i = 0; i < rows; ++i) {
      as_of_ += step;
      out.add("0", as_of_, static_cast<double>(i * 7919 % values) / 100);
      if (out.size() < 65'536 && i + 1 < rows) continue;
      const Buffer block = out.take();
      partition_.append(check(RowBlockView::parse(block.bytes())), 1);
    }
  }

  PartitionState& partition() { return partition_; }
  TimeUs as_of() const { return as_of_; }
  // The features that `wanted` says by the ends of their names; all of them if it is empty.
  void read(benchmark::State& state, const std::string& wanted = "") const {
    constexpr uint64_t kReads = 100;
    std::vector<const FeatureSpec*> features;
    for (const FeatureSpec& feature : plan_->views()[0].features) {
      if (feature.name.ends_with(wanted)) features.push_back(&feature);
    }
    ASSERT(!features.empty());
    const uint64_t hash = hash_entity_key("0", (*plan_->tables())[0].entity_seed);
    const uint64_t before = partition_.stats().bytes;
    std::vector<FeatureValue> values;
    measure(state, kReads, [&] {
      for (uint64_t i = 0; i < kReads; ++i) {
        partition_.compute(0, "0", hash, features, as_of_, &values);
        benchmark::DoNotOptimize(values.data());
      }
    });
    state.counters["cache_bytes"] = static_cast<double>(partition_.stats().bytes - before);
  }

 private:
  std::shared_ptr<const Plan> plan_;
  PartitionState partition_;
  TimeUs as_of_ = kStart;
};

void read(benchmark::State& state, const char* aggregations) {
  OneKey(aggregations, static_cast<uint64_t>(state.range(0)), 100'000).read(state);
}
BENCHMARK_CAPTURE(read, dozen, kDozen)->Arg(1)->Arg(60)->Arg(600)->Arg(60'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(read, dozen_of_days, kDaysOfNewYork)->Arg(60)->Arg(60'000);

// The mean over a session that covers all 30 days, with a gap so much longer than what lies between
// two rows.
void read_session(benchmark::State& state, int64_t gaps) {
  const int64_t between_us = 30 * kMicrosPerDay / state.range(0);
  OneKey("      - {function: mean, column: amount, windows: [session], max_length: 40d, gap: " +
             std::to_string(between_us * gaps) + "us}\n",
         static_cast<uint64_t>(state.range(0)), 100'000)
      .read(state);
}
BENCHMARK_CAPTURE(read_session, rows_a_gap_apart, 1)->Arg(60)->Arg(60'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(read_session, chunks_shorter_than_a_gap, 100)->Arg(60'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(read_session, groups_shorter_than_a_gap, 10'000)->Arg(60'000)->Arg(1'000'000);

// One function over 30 days of range(0) rows with range(1) values.
void read_collection(benchmark::State& state, const char* function) {
  OneKey(std::string("      - {column: amount, windows: [30d], ") + function + "}\n",
         static_cast<uint64_t>(state.range(0)), static_cast<uint64_t>(state.range(1)))
      .read(state);
}
#define READ_COLLECTION(name, function)                           \
  BENCHMARK_CAPTURE(read_collection, name, "function: " function) \
      ->Args({60, 100'000})                                       \
      ->Args({60'000, 100'000})                                   \
      ->Args({60'000, 100})
READ_COLLECTION(last_5, "last_n, n: 5");
READ_COLLECTION(first_5, "first_n, n: 5");
READ_COLLECTION(last_distinct_5, "last_distinct_n, n: 5");
READ_COLLECTION(last_distinct_1000, "last_distinct_n, n: 1000");
READ_COLLECTION(top_10, "top_k, k: 10");
READ_COLLECTION(top_1000, "top_k, k: 1000");
READ_COLLECTION(count_distinct_10000, "count_distinct");
#undef READ_COLLECTION

// A lifetime window of a key of 60 000 rows with range(0) values, two thirds of them folded.
void read_lifetime(benchmark::State& state, const char* wanted) {
  OneKey key(R"(
      - {function: sum, column: amount, windows: [10d]}
      - {function: mean, column: amount, windows: [lifetime]}
      - {function: last_n, n: 5, column: amount, windows: [lifetime]}
      - {function: top_k, k: 10, column: amount, windows: [lifetime]}
      - {function: count_distinct, column: amount, windows: [lifetime]}
)",
             60'000, static_cast<uint64_t>(state.range(0)));
  for (int i = 0; i < 100; ++i) key.partition().raise_horizon(key.as_of());
  state.counters["rows"] = static_cast<double>(key.partition().stats().rows);
  key.read(state, wanted);
}
BENCHMARK_CAPTURE(read_lifetime, mean, "mean_lifetime")->Arg(100'000);
BENCHMARK_CAPTURE(read_lifetime, last_5, "last_n_lifetime")->Arg(100'000);
BENCHMARK_CAPTURE(read_lifetime, top_10, "top_k_lifetime")->Arg(100'000);
BENCHMARK_CAPTURE(read_lifetime, count_distinct, "count_distinct_lifetime")->Arg(100'000)->Arg(100);

}  // namespace
}  // namespace tidemill::micro
