// What a reader and a worker do with card transactions under the job of bench/run: reading and
// evaluating a batch, scattering it over key partitions, and taking the parts in. Items are events
// of a batch, or rows: two an event, one of its customer and one of its terminal.
#include <deque>

#include "bench/micro/harness.h"
#include "bench/micro/inputs.h"
#include "shared/load/batch_loader.h"
#include "shared/wire/source_batch.h"
#include "worker/key_partition.h"

namespace tidemill::micro {
namespace {

class Reader {
 public:
  explicit Reader(uint64_t events)
      : events_(events), file_(proto::FilesInput::NDJSON, events), plan_(card_job(file_)) {}

  const std::shared_ptr<const Plan>& plan() const { return plan_; }
  // From the start of the file to its end.
  void load(LoadedBatch* batch) {
    loader_ = check(BatchLoader::open(plan_, 0, {}));
    const LoadClock clock{kStart, [] { return int64_t{0}; }};
    check(loader_->load(clock, {events_, size_t{1} << 30}, nullptr, batch));
    ASSERT(batch->records == events_);
  }
  // A message with the parts of all key partitions.
  Buffer scatter(const LoadedBatch& batch) const {
    const SourceBatchHeader header{
        JobId(1), SourcePartitionId(0), Epoch(1), 0, batch.end, kStart, true, false};
    SourceBatchWriter writer(header, plan_->key_partitions());
    for (uint32_t k = 0; k < plan_->key_partitions(); ++k) {
      writer.begin_part(KeyPartitionId(k), 1, 0);
      batch.write_blocks(k, 0, writer.blocks());
    }
    return writer.finish(1);
  }

 private:
  uint64_t events_;
  TransactionFile file_;
  std::shared_ptr<const Plan> plan_;
  std::unique_ptr<BatchLoader> loader_;
};

uint64_t rows_of(const LoadedBatch& batch) {
  uint64_t rows = 0;
  for (const TableRows& table : batch.tables) rows += table.order.size();
  return rows;
}

// Parsing is a part of it: parse_ndjson by itself.
void load_batch(benchmark::State& state) {
  const auto events = static_cast<uint64_t>(state.range(0));
  Reader reader(events);
  LoadedBatch batch;
  measure(state, events, [&] { reader.load(&batch); });
}
BENCHMARK(load_batch)->Arg(4'096)->Arg(65'536)->Unit(benchmark::kMillisecond);

void scatter(benchmark::State& state) {
  Reader reader(static_cast<uint64_t>(state.range(0)));
  LoadedBatch batch;
  reader.load(&batch);
  measure(state, rows_of(batch), [&] { benchmark::DoNotOptimize(reader.scatter(batch).size()); });
}
BENCHMARK(scatter)->Arg(4'096)->Arg(65'536)->Unit(benchmark::kMillisecond);

// The owner of every key partition takes its part in: what is checked, counted and kept.
void apply_batch(benchmark::State& state) {
  Reader reader(static_cast<uint64_t>(state.range(0)));
  LoadedBatch loaded;
  reader.load(&loaded);
  const Buffer message = reader.scatter(loaded);
  std::deque<KeyPartition> owners;
  measure(
      state, rows_of(loaded),
      [&] {
        const SourceBatch batch = check(SourceBatch::decode(message));
        for (const SourceBatchPart& part : batch.parts) {
          KeyPartition& owner = owners[part.key_partition.value];
          ASSERT(check(owner.apply(batch, part, 1, kStart)) == PartOutcome::kApplied);
        }
      },
      [&] {
        owners.clear();
        for (uint32_t k = 0; k < reader.plan()->key_partitions(); ++k) {
          owners.emplace_back(reader.plan(), KeyPartitionId(k), Epoch(1), StateHead{});
          owners.back().sessions()[0] = {1, 0, Epoch(1), true, false, 0};
        }
      });
}
BENCHMARK(apply_batch)->Arg(4'096)->Arg(65'536)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tidemill::micro
