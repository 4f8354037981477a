// Window state: appends of uniform and Zipf keys, reads of a dozen features at several sizes, of
// lists and distinct counts over one large key, and what lifetime windows cost when rows are
// folded.
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

FeatureSpec feature(Function function, DurationUs window, uint32_t n = 0) {
  FeatureSpec f;
  f.function = function;
  f.column = function == Function::kCount ? -1 : 0;
  f.window = window;
  f.type = function == Function::kCount ? ColumnType::kInt64 : ColumnType::kDouble;
  f.n = n;
  if (function >= Function::kFirst) f.order = {0};
  return f;
}

FeatureSpec lifetime_feature(Function function, uint32_t n = 0) {
  FeatureSpec f = feature(function, 0, n);
  f.lifetime = true;
  return f;
}

// `rows` rows of one key, spread over 30 days, of `values` different amounts.
TimeUs fill_key(const TableSchemas& tables, uint32_t rows, uint32_t values,
                PartitionState* partition) {
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
      amount.doubles.push_back(static_cast<double>(uint64_t{i} * 7919 % values) / 100);
    }
    const Column* columns[] = {&amount};
    ByteWriter out;
    write_row_block(0, {index, hashes, times, names, columns, {}}, &out);
    partition->append(*RowBlockView::parse(out.bytes()), 1);
    left -= static_cast<uint32_t>(index.size());
  }
  return clock;
}

void read_key(benchmark::State& state, const TableSchemas& tables, const PartitionState& partition,
              const std::vector<FeatureSpec>& features, TimeUs as_of) {
  std::vector<const FeatureSpec*> pointers;
  for (const FeatureSpec& f : features) pointers.push_back(&f);
  std::vector<FeatureValue> values;
  const uint64_t hash = hash_entity_key("0", (*tables)[0].entity_seed);
  const uint64_t before = partition.stats().bytes;
  for (auto _ : state) {
    partition.compute(0, "0", hash, pointers, as_of, &values);
    benchmark::DoNotOptimize(values.data());
  }
  state.counters["cache_bytes"] = static_cast<double>(partition.stats().bytes - before);
}

// Twelve features over one key of range(0) rows.
void read_dozen(benchmark::State& state) {
  const TableSchemas tables = schemas();
  PartitionState partition(tables);
  const TimeUs as_of = fill_key(tables, static_cast<uint32_t>(state.range(0)), 100'000, &partition);
  std::vector<FeatureSpec> features;
  for (const DurationUs window :
       {kMicrosPerDay / 24, kMicrosPerDay, 7 * kMicrosPerDay, 30 * kMicrosPerDay}) {
    for (const Function function : {Function::kCount, Function::kMean, Function::kMax}) {
      features.push_back(feature(function, window));
    }
  }
  read_key(state, tables, partition, features, as_of);
}
BENCHMARK(read_dozen)->Arg(60)->Arg(600)->Arg(60'000)->Arg(1'000'000);

// The mean over a session of a key of range(0) rows that covers all 30 days, with a gap so much
// longer than what lies between two rows.
void read_session(benchmark::State& state, int64_t gaps) {
  const TableSchemas tables = schemas();
  PartitionState partition(tables);
  const auto rows = static_cast<uint32_t>(state.range(0));
  const TimeUs as_of = fill_key(tables, rows, 100'000, &partition);
  FeatureSpec session = feature(Function::kMean, 40 * kMicrosPerDay);
  session.gap = 30 * kMicrosPerDay / rows * gaps;
  read_key(state, tables, partition, {session}, as_of);
}
BENCHMARK_CAPTURE(read_session, rows_a_gap_apart, 1)->Arg(60)->Arg(60'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(read_session, chunks_shorter_than_a_gap, 100)->Arg(60'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(read_session, groups_shorter_than_a_gap, 10'000)->Arg(60'000)->Arg(1'000'000);

// The dozen of read_dozen over tumbling days of a time zone.
void read_days(benchmark::State& state) {
  const TableSchemas tables = schemas();
  PartitionState partition(tables);
  const TimeUs as_of = fill_key(tables, static_cast<uint32_t>(state.range(0)), 100'000, &partition);
  WindowSteps steps{WindowSteps::Unit::kDays, 1, 1, *TimeZone::find("America/New_York")};
  std::vector<FeatureSpec> features;
  for (const int64_t window : {1, 2, 7, 30}) {
    steps.window = window;
    for (const Function function : {Function::kCount, Function::kMean, Function::kMax}) {
      features.push_back(feature(function, window * kMicrosPerDay));
      features.back().steps = std::make_shared<const WindowSteps>(steps);
    }
  }
  read_key(state, tables, partition, features, as_of);
}
BENCHMARK(read_days)->Arg(60)->Arg(60'000);

// One function over 30 days of a key of range(0) rows and range(1) values.
void read_collection(benchmark::State& state, Function function, uint32_t n) {
  const TableSchemas tables = schemas();
  PartitionState partition(tables);
  const TimeUs as_of = fill_key(tables, static_cast<uint32_t>(state.range(0)),
                                static_cast<uint32_t>(state.range(1)), &partition);
  read_key(state, tables, partition, {feature(function, 30 * kMicrosPerDay, n)}, as_of);
}
#define READ_COLLECTION(name, function, n)                        \
  BENCHMARK_CAPTURE(read_collection, name, Function::function, n) \
      ->Args({60, 100'000})                                       \
      ->Args({60'000, 100'000})                                   \
      ->Args({60'000, 100})
READ_COLLECTION(last_5, kLastN, 5);
READ_COLLECTION(first_5, kFirstN, 5);
READ_COLLECTION(last_distinct_5, kLastDistinctN, 5);
READ_COLLECTION(last_distinct_1000, kLastDistinctN, 1000);
READ_COLLECTION(top_10, kTopK, 10);
READ_COLLECTION(top_1000, kTopK, 1000);
READ_COLLECTION(count_distinct_10000, kCountDistinct, 10'000);

TableSchemas lifetime_schemas() {
  TableSchema table = (*schemas())[0];
  table.retention = 10 * kMicrosPerDay;
  table.lifetime = {
      lifetime_feature(Function::kCount),    lifetime_feature(Function::kMean),
      lifetime_feature(Function::kMax),      lifetime_feature(Function::kLastN, 5),
      lifetime_feature(Function::kTopK, 10), lifetime_feature(Function::kCountDistinct, 10'000)};
  return std::make_shared<const std::vector<TableSchema>>(std::vector{table});
}

// A lifetime window of a key of 60 000 rows, two thirds of them folded.
void read_lifetime(benchmark::State& state, size_t number) {
  const TableSchemas tables = lifetime_schemas();
  PartitionState partition(tables);
  const TimeUs as_of = fill_key(tables, 60'000, static_cast<uint32_t>(state.range(0)), &partition);
  for (int i = 0; i < 100; ++i) partition.raise_horizon(as_of);
  state.counters["rows"] = static_cast<double>(partition.stats().rows);
  read_key(state, tables, partition, {(*tables)[0].lifetime[number]}, as_of);
}
BENCHMARK_CAPTURE(read_lifetime, mean, 1)->Arg(100'000);
BENCHMARK_CAPTURE(read_lifetime, last_5, 3)->Arg(100'000);
BENCHMARK_CAPTURE(read_lifetime, top_10, 4)->Arg(100'000);
BENCHMARK_CAPTURE(read_lifetime, count_distinct, 5)->Arg(100'000)->Arg(100);

// Appends while the horizon follows, so that every row is folded in the end: range(0) says how many
// of the lifetime features of the table there are.
void append_and_fold(benchmark::State& state) {
  TableSchema table = (*lifetime_schemas())[0];
  table.retention = 10'000 * 1000;  // of 10 million rows a millisecond apart
  table.lifetime.resize(static_cast<size_t>(state.range(0)));
  const auto tables = std::make_shared<const std::vector<TableSchema>>(std::vector{table});
  KeySource keys(10'000, true);
  TimeUs clock = kStart;
  std::vector<Batch> batches;
  std::vector<TimeUs> ends;
  for (int i = 0; i < 40; ++i) {
    batches.push_back(make_batch(table, &keys, &clock, 1000, 0));
    ends.push_back(clock);
  }
  WindowStats stats;
  for (auto _ : state) {
    PartitionState partition(tables);
    for (size_t i = 0; i < batches.size(); ++i) {
      partition.append(batches[i].view, 1);
      for (int sweep = 0; sweep < 20; ++sweep) partition.raise_horizon(ends[i]);
    }
    stats = partition.stats();
  }
  const double rows = static_cast<double>(kBatchRows) * static_cast<double>(batches.size());
  state.counters["ns_per_row"] = benchmark::Counter(
      rows * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["bytes_per_key"] =
      static_cast<double>(stats.bytes) / static_cast<double>(stats.keys);
  state.counters["rows"] = static_cast<double>(stats.rows);
}
BENCHMARK(append_and_fold)
    ->Arg(0)
    ->Arg(1)
    ->Arg(3)
    ->Arg(4)
    ->Arg(5)
    ->Arg(6)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(2);

}  // namespace
}  // namespace tidemill

BENCHMARK_MAIN();
