// What it costs to append rows to window state: of many keys, uniform and by Zipf's law, in order
// and not, late ones among sealed chunks, and while the horizon follows. Items are rows.
#include <algorithm>

#include "bench/micro/harness.h"
#include "bench/micro/inputs.h"
#include "shared/columns/row_block.h"
#include "shared/window/partition_state.h"

namespace tidemill::micro {
namespace {

constexpr uint64_t kBlockRows = 65'536;

class KeySource {
 public:
  KeySource(uint32_t keys, bool zipf) : keys_(keys) {
    if (!zipf) return;
    double sum = 0;
    for (uint32_t i = 1; i <= keys; ++i) cumulative_.push_back(sum += 1.0 / i);
  }
  uint32_t next() {
    const uint64_t drawn = random_.next();
    if (cumulative_.empty()) return static_cast<uint32_t>(drawn % keys_);
    const double u = static_cast<double>(drawn >> 11) * 0x1p-53 * cumulative_.back();
    const auto at = std::lower_bound(cumulative_.begin(), cumulative_.end(), u);
    return static_cast<uint32_t>(at - cumulative_.begin()) % keys_;
  }

 private:
  uint32_t keys_;
  Random random_;
  std::vector<double> cumulative_;
};

struct Block {
  Buffer bytes;
  RowBlockView view;
  TimeUs end = 0;
};

// `rows` rows a millisecond apart, in blocks; each dated back by up to `disorder`.
std::vector<Block> blocks_of(const Plan& plan, KeySource* keys, uint64_t rows,
                             DurationUs disorder) {
  AmountRows out(plan);
  Random random;
  std::vector<Block> blocks;
  TimeUs clock = kStart;
  for (uint64_t i = 0; i < rows; ++i) {
    clock += 1'000;
    const uint32_t key = keys->next();
    const auto back = static_cast<int64_t>(random.next() >> 1) % (disorder + 1);
    out.add(std::to_string(key), clock - back, static_cast<double>(key % 10'000 + i % 100) / 100);
    if (out.size() < std::min(kBlockRows, rows)) continue;
    Block block{out.take(), {}, clock};
    block.view = check(RowBlockView::parse(block.bytes.bytes()));
    blocks.push_back(std::move(block));
  }
  return blocks;
}

void report_state(benchmark::State& state, const WindowStats& stats) {
  report_bytes(state, "bytes_per_row", static_cast<double>(stats.bytes),
               static_cast<double>(stats.rows));
  report_bytes(state, "bytes_per_key", static_cast<double>(stats.bytes),
               static_cast<double>(stats.keys));
  state.counters["recut_chunks"] = static_cast<double>(stats.recut_chunks);
}

// range(0) rows of range(1) keys.
void append(benchmark::State& state, bool zipf, DurationUs disorder) {
  const auto plan = amounts_job("      - {function: sum, column: amount, windows: [400d]}\n");
  const auto rows = static_cast<uint64_t>(state.range(0));
  KeySource keys(static_cast<uint32_t>(state.range(1)), zipf);
  const std::vector<Block> blocks = blocks_of(*plan, &keys, rows, disorder);
  PartitionState partition(plan->tables());
  measure(
      state, rows,
      [&] {
        for (const Block& block : blocks) partition.append(block.view, 1);
      },
      [&] { partition = PartitionState(plan->tables()); });
  report_state(state, partition.stats());
}
#define APPEND(name, zipf, disorder)              \
  BENCHMARK_CAPTURE(append, name, zipf, disorder) \
      ->Args({16'384, 4'096})                     \
      ->Args({4'194'304, 1'048'576})              \
      ->Unit(benchmark::kMillisecond)
APPEND(uniform, false, 0);
APPEND(zipf, true, 0);
APPEND(zipf_disordered, true, 10 * kMicrosPerSecond);
#undef APPEND

// 1 000 rows of one key at a time, of any day of the 30 that its range(0) rows are of.
void append_late(benchmark::State& state) {
  constexpr uint64_t kLate = 1'000;
  const auto plan = amounts_job("      - {function: sum, column: amount, windows: [400d]}\n");
  const auto rows = static_cast<uint64_t>(state.range(0));
  const DurationUs step = 30 * kMicrosPerDay / static_cast<int64_t>(rows);
  AmountRows out(*plan);
  for (uint64_t i = 0; i < rows; ++i) {
    out.add("0", kStart + static_cast<int64_t>(i) * step, static_cast<double>(i % 1'000) / 100);
  }
  const Buffer in_order = out.take();
  Random random;
  for (uint64_t i = 0; i < kLate; ++i) {
    out.add("0", kStart + static_cast<int64_t>(random.next() % (30 * kMicrosPerDay)), 1);
  }
  const Buffer late = out.take();
  PartitionState partition(plan->tables());
  measure(
      state, kLate, [&] { partition.append(check(RowBlockView::parse(late.bytes())), 2); },
      [&] {
        partition = PartitionState(plan->tables());
        partition.append(check(RowBlockView::parse(in_order.bytes())), 1);
      });
  report_state(state, partition.stats());
}
BENCHMARK(append_late)->Arg(6'000)->Arg(600'000)->Unit(benchmark::kMillisecond);

// Appends while the horizon follows, so that every row is folded in the end; range(1) says how many
// of the lifetime features there are.
void append_and_fold(benchmark::State& state) {
  static constexpr const char* kLifetime[] = {
      "{function: count, windows: [lifetime]}",
      "{function: mean, column: amount, windows: [lifetime]}",
      "{function: max, column: amount, windows: [lifetime]}",
      "{function: last_n, n: 5, column: amount, windows: [lifetime]}",
      "{function: top_k, k: 10, column: amount, windows: [lifetime]}",
      "{function: count_distinct, column: amount, windows: [lifetime]}"};
  std::string aggregations = "      - {function: sum, column: amount, windows: [10s]}\n";
  for (int64_t i = 0; i < state.range(1); ++i) {
    aggregations += std::string("      - ") + kLifetime[i] + "\n";
  }
  const auto plan = amounts_job(aggregations);
  const auto rows = static_cast<uint64_t>(state.range(0));
  KeySource keys(10'000, true);
  const std::vector<Block> blocks = blocks_of(*plan, &keys, rows, 0);
  PartitionState partition(plan->tables());
  measure(
      state, rows,
      [&] {
        for (const Block& block : blocks) {
          partition.append(block.view, 1);
          for (int sweep = 0; sweep < 20; ++sweep) partition.raise_horizon(block.end);
        }
      },
      [&] { partition = PartitionState(plan->tables()); });
  const WindowStats stats = partition.stats();
  report_bytes(state, "bytes_per_key", static_cast<double>(stats.bytes),
               static_cast<double>(std::max<uint64_t>(stats.keys, 1)));
}
BENCHMARK(append_and_fold)
    ->ArgsProduct({{1'048'576}, {0, 1, 3, 4, 5, 6}})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tidemill::micro
