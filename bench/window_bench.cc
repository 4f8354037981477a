// Window state: appends of uniform and Zipf keys, reads of a dozen features at several sizes.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "shared/base/hash.h"
#include "shared/columns/row_block_writer.h"
#include "shared/window/partition_state.h"

namespace tidemill {
namespace {

constexpr TimeUs kStart = 1'522'540'800'000'000;
constexpr uint32_t kBatchRows = 65'536;

TableSchemas schemas() {
  TableSchema table;
  table.entity = "customer_id";
  table.entity_seed = hash_bytes(table.entity, 0);
  table.key_types = {ColumnType::kInt64};
  table.columns = {ColumnType::kDouble};
  table.retention = 400 * kMicrosPerDay;
  return std::make_shared<const std::vector<TableSchema>>(std::vector{table});
}

class KeySource {
 public:
  KeySource(uint32_t keys, bool zipf) : keys_(keys) {
    if (!zipf) return;
    double sum = 0;
    for (uint32_t i = 1; i <= keys; ++i) cumulative_.push_back(sum += 1.0 / i);
  }
  uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    if (cumulative_.empty()) return static_cast<uint32_t>(state_ % keys_);
    const double u = static_cast<double>(state_ >> 11) * 0x1p-53 * cumulative_.back();
    const auto at = std::lower_bound(cumulative_.begin(), cumulative_.end(), u);
    return static_cast<uint32_t>(at - cumulative_.begin()) % keys_;
  }

 private:
  uint32_t keys_;
  uint64_t state_ = 88172645463325252u;
  std::vector<double> cumulative_;
};

struct Batch {
  std::vector<uint8_t> bytes;
  RowBlockView view;
};

Batch make_batch(const TableSchema& schema, KeySource* keys, TimeUs* clock, DurationUs step,
                 DurationUs disorder) {
  std::vector<uint32_t> rows(kBatchRows);
  std::vector<uint64_t> hashes(kBatchRows);
  std::vector<TimeUs> times(kBatchRows);
  std::vector<std::string> texts(kBatchRows);
  std::vector<std::string_view> views(kBatchRows);
  Column amount;
  amount.type = ColumnType::kDouble;
  amount.nulls.assign(kBatchRows, 0);
  for (uint32_t i = 0; i < kBatchRows; ++i) {
    const uint32_t key = keys->next();
    rows[i] = i;
    texts[i] = std::to_string(key);
    views[i] = texts[i];
    hashes[i] = hash_entity_key(texts[i], schema.entity_seed);
    *clock += step;
    times[i] = *clock - static_cast<int64_t>(hashes[i] * (i + 1) >> 40) % (disorder + 1);
    amount.doubles.push_back(static_cast<double>(key % 10'000 + i % 100) / 100);
  }
  const Column* columns[] = {&amount};
  ByteWriter out;
  write_row_block(0, {rows, hashes, times, views, columns, {}}, &out);
  Batch batch;
  batch.bytes = out.take();
  batch.view = *RowBlockView::parse(batch.bytes);
  return batch;
}

void append(benchmark::State& state, bool zipf, DurationUs disorder) {
  const TableSchemas tables = schemas();
  KeySource keys(1'000'000, zipf);
  TimeUs clock = kStart;
  std::vector<Batch> batches;
  for (int i = 0; i < 160; ++i) {
    batches.push_back(make_batch((*tables)[0], &keys, &clock, 1000, disorder));
  }
  WindowStats stats;
  for (auto _ : state) {
    PartitionState partition(tables);
    for (const Batch& batch : batches) partition.append(batch.view, 1);
    stats = partition.stats();
    state.PauseTiming();
    { PartitionState gone = std::move(partition); }
    state.ResumeTiming();
  }
  const double rows = static_cast<double>(kBatchRows) * static_cast<double>(batches.size());
  state.counters["ns_per_row"] = benchmark::Counter(
      rows * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["bytes_per_row"] = static_cast<double>(stats.bytes) / rows;
  state.counters["recut"] = static_cast<double>(stats.recut_chunks);
}

void append_uniform(benchmark::State& state) { append(state, false, 0); }
void append_zipf(benchmark::State& state) { append(state, true, 0); }
void append_zipf_disordered(benchmark::State& state) { append(state, true, 10'000'000); }
BENCHMARK(append_uniform)->Unit(benchmark::kMillisecond)->Iterations(2);
BENCHMARK(append_zipf)->Unit(benchmark::kMillisecond)->Iterations(2);
BENCHMARK(append_zipf_disordered)->Unit(benchmark::kMillisecond)->Iterations(2);

// Twelve features over one key of range(0) rows, spread over 30 days.
void read_dozen(benchmark::State& state) {
  const TableSchemas tables = schemas();
  PartitionState partition(tables);
  KeySource keys(1, false);
  const auto rows = static_cast<uint32_t>(state.range(0));
  TimeUs clock = kStart;
  const DurationUs step = 30 * kMicrosPerDay / rows;
  for (uint32_t left = rows; left > 0;) {
    std::vector<uint32_t> index;
    std::vector<uint64_t> hashes;
    std::vector<TimeUs> times;
    std::vector<std::string_view> names;
    Column amount;
    amount.type = ColumnType::kDouble;
    for (uint32_t i = 0; i < std::min(left, kBatchRows); ++i) {
      index.push_back(i);
      hashes.push_back(hash_entity_key("0", (*tables)[0].entity_seed));
      times.push_back(clock += step);
      names.push_back("0");
      amount.nulls.push_back(0);
      amount.doubles.push_back(static_cast<double>(i * 7919 % 100'000) / 100);
    }
    const Column* columns[] = {&amount};
    ByteWriter out;
    write_row_block(0, {index, hashes, times, names, columns, {}}, &out);
    partition.append(*RowBlockView::parse(out.bytes()), 1);
    left -= static_cast<uint32_t>(index.size());
  }
  std::vector<FeatureSpec> features;
  for (const DurationUs window :
       {kMicrosPerDay / 24, kMicrosPerDay, 7 * kMicrosPerDay, 30 * kMicrosPerDay}) {
    for (const Function function : {Function::kCount, Function::kMean, Function::kMax}) {
      FeatureSpec f;
      f.function = function;
      f.column = function == Function::kCount ? -1 : 0;
      f.window = window;
      f.type = function == Function::kCount ? ColumnType::kInt64 : ColumnType::kDouble;
      features.push_back(f);
    }
  }
  std::vector<const FeatureSpec*> pointers;
  for (const FeatureSpec& f : features) pointers.push_back(&f);
  std::vector<FeatureValue> values;
  const uint64_t hash = hash_entity_key("0", (*tables)[0].entity_seed);
  for (auto _ : state) {
    partition.compute(0, "0", hash, pointers, clock, &values);
    benchmark::DoNotOptimize(values.data());
  }
}
BENCHMARK(read_dozen)->Arg(60)->Arg(600)->Arg(60'000)->Arg(1'000'000);

}  // namespace
}  // namespace tidemill

BENCHMARK_MAIN();
