// State on disk: what an increment costs per row and in bytes, what a new base costs per key and
// per row, and what reading costs. On a file system in memory, so that it is our own and RocksDB's
// work that is measured; the machine's disk for comparison.
#include <benchmark/benchmark.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "shared/base/hash.h"
#include "shared/columns/row_block_writer.h"
#include "shared/state/partition_disk.h"

namespace tidemill {
namespace {

constexpr TimeUs kStart = 1'522'540'800'000'000;
constexpr uint32_t kKeyPartitions = 128;
constexpr uint32_t kPartition = 42;

TableSchemas schemas() {
  TableSchema table;
  table.entity = "customer_id";
  table.entity_seed = hash_bytes(table.entity, 0);
  table.key_types = {ColumnType::kInt64};
  table.columns = {ColumnType::kDouble};
  table.retention = 400 * kMicrosPerDay;
  return std::make_shared<const std::vector<TableSchema>>(std::vector{table});
}

// Keys of one of 128 key partitions.
std::vector<std::string> partition_keys(const TableSchema& schema, size_t count) {
  std::vector<std::string> keys;
  for (uint64_t i = 0; keys.size() < count; ++i) {
    std::string key = std::to_string(i);
    const uint64_t hash = hash_entity_key(key, schema.entity_seed);
    if (key_partition_of(hash, kKeyPartitions) == kPartition) keys.push_back(std::move(key));
  }
  return keys;
}

class Rows {
 public:
  Rows(const TableSchema& schema, size_t keys)
      : schema_(schema), keys_(partition_keys(schema, keys)) {}

  // Row blocks of `block_rows` rows.
  StateChange change(size_t rows, size_t block_rows) {
    ByteWriter out;
    for (size_t done = 0; done < rows; done += block_rows) {
      append_block(std::min(block_rows, rows - done), &out);
    }
    return {StateChange::Kind::kRows, Buffer(out.take())};
  }
  StateKey key() {
    const std::string& key = keys_[next() % keys_.size()];
    return {0, hash_entity_key(key, schema_.entity_seed), key};
  }

 private:
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  void append_block(size_t rows, ByteWriter* out) {
    std::vector<uint32_t> index;
    std::vector<uint64_t> hashes;
    std::vector<TimeUs> times;
    std::vector<std::string_view> names;
    Column amount;
    amount.type = ColumnType::kDouble;
    for (uint32_t i = 0; i < rows; ++i) {
      const std::string& key = keys_[next() % keys_.size()];
      index.push_back(i);
      hashes.push_back(hash_entity_key(key, schema_.entity_seed));
      times.push_back(clock_ += kMicrosPerSecond);
      names.push_back(key);
      amount.nulls.push_back(0);
      amount.doubles.push_back(static_cast<double>(next() % 100'000) / 100);
    }
    const Column* columns[] = {&amount};
    write_row_block(0, {index, hashes, times, names, columns, {}}, out);
  }

  const TableSchema& schema_;
  std::vector<std::string> keys_;
  uint64_t state_ = 88172645463325252u;
  TimeUs clock_ = kStart;
};

std::unique_ptr<PartitionDisk> open(const std::shared_ptr<Disk>& disk, const TableSchemas& tables,
                                    uint32_t max_increments, const std::string& directory) {
  auto opened = PartitionDisk::open(
      {disk, directory, JobId(1), KeyPartitionId(kPartition), tables, max_increments});
  if (!opened) throw std::runtime_error(opened.error().message());
  return std::move(*opened);
}

void write(PartitionDisk* disk, StateChange change) {
  Increment increment;
  if (disk->manifest() != nullptr) increment.head = from_proto(disk->manifest()->head());
  increment.from_version = increment.head.stamp().version;
  advance(&increment.head.ancestry, {Epoch(1), increment.from_version + 1});
  increment.changes.push_back(std::move(change));
  const Status written = disk->write(increment);
  if (!written) throw std::runtime_error(written.error().message());
}

void report(benchmark::State& state, double rows, double bytes) {
  state.counters["ns_per_row"] = benchmark::Counter(
      rows * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["bytes_per_row"] = bytes / rows;
}

// range(0) rows of range(1) keys.
void write_increment(benchmark::State& state, const std::shared_ptr<Disk>& disk,
                     const std::string& directory) {
  const TableSchemas tables = schemas();
  const auto count = static_cast<size_t>(state.range(0));
  Rows rows((*tables)[0], static_cast<size_t>(state.range(1)));
  const StateChange change = rows.change(count, 500);
  double bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto target = open(disk, tables, 1u << 20, directory);
    state.ResumeTiming();
    write(target.get(), change);
    state.PauseTiming();
    bytes = static_cast<double>(target->manifest()->files(0).bytes());
    target.reset();
    for (const auto* name : {"manifest-0000000000000001-0000000000000001"}) {
      std::filesystem::remove(directory + "/" + name);
    }
    state.ResumeTiming();
  }
  report(state, static_cast<double>(count), bytes);
}

void write_increment_in_memory(benchmark::State& state) {
  const TableSchemas tables = schemas();
  const auto count = static_cast<size_t>(state.range(0));
  Rows rows((*tables)[0], static_cast<size_t>(state.range(1)));
  const StateChange change = rows.change(count, 500);
  double bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto target = open(Disk::in_memory(), tables, 1u << 20, "/state");
    state.ResumeTiming();
    write(target.get(), change);
    state.PauseTiming();
    bytes = static_cast<double>(target->manifest()->files(0).bytes());
    target.reset();
    state.ResumeTiming();
  }
  report(state, static_cast<double>(count), bytes);
}
void write_increment_on_disk(benchmark::State& state) {
  const std::string directory = "/tmp/tidemill_state_bench";
  std::filesystem::remove_all(directory);
  write_increment(state, Disk::real(), directory);
  std::filesystem::remove_all(directory);
}
#define INCREMENT_SIZES \
  Args({1'000, 8'000})->Args({4'000, 8'000})->Args({40'000, 8'000})->Args({500'000, 8'000})
BENCHMARK(write_increment_in_memory)->INCREMENT_SIZES->Unit(benchmark::kMillisecond);
BENCHMARK(write_increment_on_disk)->INCREMENT_SIZES->Unit(benchmark::kMillisecond);

// A new base of 8 000 keys of range(0) rows each, out of eight increments and one more.
void write_base(benchmark::State& state) {
  const TableSchemas tables = schemas();
  const size_t keys = 8'000;
  const size_t count = keys * static_cast<size_t>(state.range(0));
  double bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    Rows rows((*tables)[0], keys);
    auto target = open(Disk::in_memory(), tables, 8, "/state");
    for (int i = 0; i < 8; ++i) write(target.get(), rows.change(count / 9, 500));
    StateChange last = rows.change(count / 9, 500);
    state.ResumeTiming();
    write(target.get(), std::move(last));
    state.PauseTiming();
    if (!target->manifest()->files(0).base()) throw std::runtime_error("no base was cut");
    bytes = static_cast<double>(target->manifest()->files(0).bytes());
    target.reset();
    state.ResumeTiming();
  }
  report(state, static_cast<double>(count), bytes);
  state.counters["ns_per_key"] = benchmark::Counter(
      static_cast<double>(keys) * 1e-9,
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(write_base)->Arg(2)->Arg(10)->Arg(60)->Unit(benchmark::kMillisecond);

std::unique_ptr<PartitionDisk> filled(const TableSchemas& tables, Rows* rows, size_t increments) {
  auto target = open(Disk::in_memory(), tables, 64, "/state");
  for (size_t i = 0; i < 9 + increments; ++i) write(target.get(), rows->change(8'000, 500));
  return target;
}

// A batch of range(0) keys of a state of 8 000 keys with ten rows, in a base and eight increments.
void get_keys(benchmark::State& state) {
  const TableSchemas tables = schemas();
  Rows rows((*tables)[0], 8'000);
  auto disk = filled(tables, &rows, 6);
  for (auto _ : state) {
    std::vector<StateKey> keys;
    for (int64_t i = 0; i < state.range(0); ++i) keys.push_back(rows.key());
    auto images = disk->get(keys);
    if (!images) throw std::runtime_error(images.error().message());
    benchmark::DoNotOptimize(images->data());
  }
  state.counters["us_per_key"] = benchmark::Counter(
      static_cast<double>(state.range(0)) * 1e-6,
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["memory"] = static_cast<double>(disk->memory_bytes());
}
BENCHMARK(get_keys)->Arg(1)->Arg(64);

void scan_all(benchmark::State& state) {
  const TableSchemas tables = schemas();
  Rows rows((*tables)[0], 8'000);
  auto disk = filled(tables, &rows, 6);
  for (auto _ : state) {
    auto scan = disk->scan(std::nullopt);
    ByteWriter images;
    while (*(*scan)->next(1u << 20, &images)) images.clear();
  }
  state.counters["ns_per_key"] = benchmark::Counter(
      8'000 * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(scan_all)->Unit(benchmark::kMillisecond);

void open_database(benchmark::State& state) {
  const TableSchemas tables = schemas();
  Rows rows((*tables)[0], 8'000);
  const std::string directory = "/tmp/tidemill_state_bench";
  std::filesystem::remove_all(directory);
  auto disk = open(Disk::real(), tables, 64, directory);
  for (int i = 0; i < 60; ++i) write(disk.get(), rows.change(800, 500));
  for (auto _ : state) {
    state.PauseTiming();
    disk = open(Disk::real(), tables, 64, directory);
    state.ResumeTiming();
    benchmark::DoNotOptimize(disk->get(std::vector{rows.key()}).ok());
  }
  state.counters["files"] = disk->manifest()->files_size();
  std::filesystem::remove_all(directory);
}
BENCHMARK(open_database)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tidemill

BENCHMARK_MAIN();
