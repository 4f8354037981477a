// State on disk: what an increment costs and takes, what a new base costs, what reading keys costs,
// and what restoring a snapshot costs. On a file system in memory, so that it is our own and
// RocksDB's work that is measured; the machine's disk for comparison. Items are rows or keys.
#include <filesystem>

#include "bench/micro/harness.h"
#include "bench/micro/inputs.h"
#include "shared/base/hash.h"
#include "shared/snapshot/snapshots.h"
#include "shared/state/partition_disk.h"
#include "shared/window/partition_state.h"

namespace tidemill::micro {
namespace {

constexpr KeyPartitionId kPartition{42};
constexpr const char* kDirectory = "/state";
constexpr const char* kSum = "      - {function: sum, column: amount, windows: [400d]}\n";

// Rows of `keys` keys of one key partition, which rise by a second.
class Rows {
 public:
  Rows(const Plan& plan, uint64_t keys) : seed_((*plan.tables())[0].entity_seed), out_(plan) {
    for (uint64_t i = 0; keys_.size() < keys; ++i) {
      std::string key = std::to_string(i);
      const uint64_t hash = hash_entity_key(key, seed_);
      if (KeyPartitionId(key_partition_of(hash, plan.key_partitions())) == kPartition) {
        keys_.push_back(std::move(key));
      }
    }
  }

  // In blocks of 500.
  StateChange change(uint64_t rows) {
    ByteWriter out;
    for (uint64_t i = 1; i <= rows; ++i) {
      clock_ += kMicrosPerSecond;
      out_.add(any_key(), clock_, static_cast<double>(random_.next() % 100'000) / 100);
      if (i % 500 == 0 || i == rows) out.put_bytes(out_.take().bytes());
    }
    return {StateChange::Kind::kRows, Buffer(out.take())};
  }
  StateKey key() {
    const std::string& key = any_key();
    return {0, hash_entity_key(key, seed_), key};
  }

 private:
  const std::string& any_key() { return keys_[random_.next() % keys_.size()]; }

  uint64_t seed_;
  AmountRows out_;
  std::vector<std::string> keys_;
  Random random_;
  TimeUs clock_ = kStart;
};

using OpenDisk = std::unique_ptr<PartitionDisk>;

OpenDisk open(const std::shared_ptr<Disk>& disk, const Plan& plan, uint32_t max_increments,
              const std::string& directory = kDirectory) {
  return check(
      PartitionDisk::open({disk, directory, JobId(1), kPartition, plan.tables(), max_increments}));
}

void write(PartitionDisk* disk, StateChange change) {
  Increment increment;
  if (disk->manifest() != nullptr) increment.head = from_proto(disk->manifest()->head());
  increment.from_version = increment.head.stamp().version;
  advance(&increment.head.ancestry, {Epoch(1), increment.from_version + 1});
  increment.changes.push_back(std::move(change));
  check(disk->write(increment));
}

void report_file(benchmark::State& state, const PartitionDisk& disk, uint64_t rows) {
  report_bytes(state, "bytes_per_row", static_cast<double>(disk.manifest()->files(0).bytes()),
               static_cast<double>(rows));
}

// range(0) rows of range(1) keys; `directory` on the machine's disk, "": in memory.
void write_increment(benchmark::State& state, const std::string& directory) {
  const auto plan = amounts_job(kSum);
  const auto count = static_cast<uint64_t>(state.range(0));
  const StateChange change = Rows(*plan, static_cast<uint64_t>(state.range(1))).change(count);
  OpenDisk target;
  measure(
      state, count, [&] { write(target.get(), change); },
      [&] {
        target.reset();
        std::filesystem::remove_all(directory);
        target = directory.empty() ? open(Disk::in_memory(), *plan, 64)
                                   : open(Disk::real(), *plan, 64, directory);
      });
  report_file(state, *target, count);
  target.reset();
  std::filesystem::remove_all(directory);
}
BENCHMARK_CAPTURE(write_increment, in_memory, "")
    ->Args({8'000, 8'000})
    ->Args({80'000, 8'000})
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(write_increment, on_disk, "/tmp/tidemill_micro_bench")
    ->Args({8'000, 8'000})
    ->Args({80'000, 8'000})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// A new base of 8 000 keys of range(0) rows each, out of eight increments and one more.
void write_base(benchmark::State& state) {
  const auto plan = amounts_job(kSum);
  const uint64_t rows = 8'000 * static_cast<uint64_t>(state.range(0));
  OpenDisk target;
  StateChange last;
  measure(
      state, rows, [&] { write(target.get(), last); },
      [&] {
        Rows made(*plan, 8'000);
        target = open(Disk::in_memory(), *plan, 8);
        for (int i = 0; i < 8; ++i) write(target.get(), made.change(rows / 9));
        last = made.change(rows / 9);
      });
  ASSERT(target->manifest()->files(0).base());
  report_file(state, *target, rows);
}
BENCHMARK(write_base)->Arg(2)->Arg(10)->Arg(60)->Unit(benchmark::kMillisecond);

// 8 000 keys with `increments` more rows each than nine, in a base and increments.
OpenDisk filled(const std::shared_ptr<Disk>& disk, const Plan& plan, Rows* rows, int increments) {
  auto target = open(disk, plan, 64);
  for (int i = 0; i < 9 + increments; ++i) write(target.get(), rows->change(8'000));
  return target;
}

// range(0) keys at once.
void get_keys(benchmark::State& state) {
  const auto plan = amounts_job(kSum);
  Rows rows(*plan, 8'000);
  const auto disk = filled(Disk::in_memory(), *plan, &rows, 6);
  const auto count = static_cast<uint64_t>(state.range(0));
  std::vector<StateKey> keys;
  measure(
      state, count, [&] { benchmark::DoNotOptimize(check(disk->get(keys)).data()); },
      [&] {
        keys.clear();
        for (uint64_t i = 0; i < count; ++i) keys.push_back(rows.key());
      });
  state.counters["memory_bytes"] = static_cast<double>(disk->memory_bytes());
}
BENCHMARK(get_keys)->Arg(1)->Arg(64);

void scan_all(benchmark::State& state) {
  const auto plan = amounts_job(kSum);
  Rows rows(*plan, 8'000);
  const auto disk = filled(Disk::in_memory(), *plan, &rows, 6);
  measure(state, 8'000, [&] {
    const auto scan = check(disk->scan(std::nullopt));
    ByteWriter images;
    while (check(scan->next(1u << 20, &images))) images.clear();
  });
}
BENCHMARK(scan_all)->Unit(benchmark::kMillisecond);

// A worker that has lost its disk: a snapshot of `range(0)` rows of 2 000 keys, in increments of
// 4 000, is fetched and verified, and all keys are brought into memory.
void restore(benchmark::State& state) {
  const auto plan = amounts_job(kSum);
  const auto count = static_cast<uint64_t>(state.range(0));
  const auto storage = directory_storage(Disk::in_memory(), "/snapshots");
  Rows rows(*plan, 2'000);
  const auto owner = open(Disk::in_memory(), *plan, 64);
  for (uint64_t i = 0; i < count / 4'000; ++i) write(owner.get(), rows.change(4'000));
  const std::vector<std::string> snapshot = {
      check(upload_snapshot(owner.get(), storage.get(), Epoch(1), {})).manifest};
  std::shared_ptr<Disk> empty;
  PartitionState window(plan->tables());
  measure(
      state, count,
      [&] {
        const auto disk = open(empty, *plan, 64);
        check(restore_snapshot(disk.get(), storage.get(), snapshot));
        const auto scan = check(disk->scan(std::nullopt));
        for (bool more = true; more;) {
          ByteWriter images;
          more = check(scan->next(1u << 20, &images));
          ByteReader in(images.bytes());
          while (in.remaining() > 0) check(window.apply_image(&in, 1));
        }
        ASSERT(window.stats().rows == count);
      },
      [&] {
        empty = Disk::in_memory();
        window = PartitionState(plan->tables());
      });
}
BENCHMARK(restore)->Arg(16'000)->Arg(480'000)->Unit(benchmark::kMillisecond);

// After a start of the process: 60 increments, and the first key that is asked for.
void open_database(benchmark::State& state) {
  const auto plan = amounts_job(kSum);
  Rows rows(*plan, 8'000);
  const std::string directory = "/tmp/tidemill_micro_bench";
  std::filesystem::remove_all(directory);
  auto disk = open(Disk::real(), *plan, 64, directory);
  for (int i = 0; i < 60; ++i) write(disk.get(), rows.change(800));
  measure(
      state, 1, [&] { check(disk->get(std::vector{rows.key()})); },
      [&] { disk = open(Disk::real(), *plan, 64, directory); });
  state.counters["files"] = disk->manifest()->files_size();
  disk.reset();
  std::filesystem::remove_all(directory);
}
BENCHMARK(open_database)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tidemill::micro
