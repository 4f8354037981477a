#include "tests/unit/worker/data_plane_fixture.h"

#include "shared/base/hash.h"
#include "shared/columns/row_block_writer.h"
#include "shared/plan/yaml_job.h"

namespace tidemill::test {

std::shared_ptr<const Plan> plan_of(const std::string& yaml) {
  const CompiledJob job = compile_job(yaml, "/");
  for (const JobError& e : job.errors) std::fprintf(stderr, "%s\n", to_string(e, "job").c_str());
  ASSERT(job.errors.empty());
  auto plan = Plan::from_proto(job.plan);
  ASSERT(plan.ok());
  return *plan;
}

std::shared_ptr<const Plan> small_plan() {
  auto job = compile_job(R"(
job: small
key_partitions: 4
allowed_lateness: 1h
sources:
  transactions:
    max_out_of_orderness: 10s
    stream:
      generator: {partitions: 2, events: 10, seed: 1, customers: 5, terminals: 5, events_per_second: 1}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h]}
      - {function: sum, column: amount, windows: [1h]}
)",
                         "/");
  for (const JobError& e : job.errors) std::fprintf(stderr, "%s\n", to_string(e, "job").c_str());
  ASSERT(job.errors.empty());
  job.plan.set_leading_edge(proto::JobPlan::EVENT);
  auto plan = Plan::from_proto(job.plan);
  ASSERT(plan.ok());
  return *plan;
}

Buffer block_of(const std::vector<TestRow>& rows, uint16_t table, const std::string& entity) {
  if (rows.empty()) return {};
  Column amounts;
  amounts.type = ColumnType::kDouble;
  std::vector<uint32_t> order;
  std::vector<uint64_t> hashes;
  std::vector<TimeUs> times;
  std::vector<std::string_view> keys;
  const uint64_t seed = hash_bytes(entity, 0);
  for (const TestRow& row : rows) {
    order.push_back(static_cast<uint32_t>(order.size()));
    hashes.push_back(hash_entity_key(row.key, seed));
    times.push_back(row.time);
    keys.push_back(row.key);
    amounts.nulls.push_back(0);
    amounts.doubles.push_back(row.amount);
  }
  const Column* columns[] = {&amounts};
  ByteWriter out;
  write_row_block(table, {order, hashes, times, keys, columns, {}}, &out);
  return Buffer(out.take());
}

Buffer broken_block() {
  const Buffer good = block_of({{"a", kStart, 1}, {"b", kStart, 1}});
  std::vector<uint8_t> bytes(good.bytes().begin(), good.bytes().end());
  bytes[8] = 77;  // more rows than it holds
  return Buffer(std::move(bytes));
}

SourceBatch batch_of(const BatchOptions& o, const Buffer& blocks) {
  SourceBatchWriter writer({JobId(1), SourcePartitionId(o.source), Epoch(o.reader_epoch), 0, o.end,
                            o.read_wall_us, o.main_read, o.idle, o.tables},
                           1);
  writer.begin_part(KeyPartitionId(0), o.session, o.seq);
  writer.blocks()->put_bytes(blocks.bytes());
  auto batch = SourceBatch::decode(writer.finish(1));
  ASSERT(batch.ok());
  return *batch;
}

namespace {

class MemoryDeadLetterWriter : public DeadLetterWriter {
 public:
  explicit MemoryDeadLetterWriter(MemoryDeadLetters* storage) : storage_(storage) {
    for (const auto& [key, letter] : storage_->letters) ++counts_[{letter.reason, letter.view}];
  }
  Status append(std::span<const DeadLetter> letters) override {
    if (storage_->failing) return retryable_error("no space for dead letters");
    for (const DeadLetter& letter : letters) {
      ++storage_->appended;
      const bool added = storage_->letters.try_emplace({letter.offset, letter.view}, letter).second;
      if (added) ++counts_[{letter.reason, letter.view}];
    }
    return {};
  }
  const DeadLetterCounts& counts() const override { return counts_; }

 private:
  MemoryDeadLetters* storage_;
  DeadLetterCounts counts_;
};

}  // namespace

Result<std::unique_ptr<DeadLetterWriter>> MemoryDeadLetters::open(const std::string&, JobId,
                                                                  SourcePartitionId, Epoch) {
  return std::unique_ptr<DeadLetterWriter>(std::make_unique<MemoryDeadLetterWriter>(this));
}

int64_t count_at(const Plan& plan, const PartitionState& state, const std::string& key,
                 TimeUs as_of) {
  const ViewSpec& view = plan.views().front();
  const FeatureSpec* spec = &view.features.front();
  const uint64_t hash = hash_entity_key(key, (*plan.tables())[view.table].entity_seed);
  std::vector<FeatureValue> out;
  const bool found = state.compute(view.table, key, hash, {&spec, 1}, as_of, &out);
  return found ? std::get<int64_t>(out[0]) : -1;
}

}  // namespace tidemill::test
