// Writes the seeds that are not text, one folder for each target, under the directory given.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "shared/columns/row_block_writer.h"
#include "shared/plan/yaml_job.h"
#include "shared/wire/frames.h"
#include "shared/wire/messages.h"
#include "shared/wire/source_batch.h"
#include "shared/wire/take_over.h"
#include "tests/fuzz/every_type_tables.h"

namespace tidemill::fuzz {
namespace {

class Corpus {
 public:
  explicit Corpus(std::filesystem::path root) : root_(std::move(root)) {}

  void add(const std::string& target, const std::string& name, std::string_view bytes) {
    std::filesystem::create_directories(root_ / target);
    std::ofstream out(root_ / target / name, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ok_ = ok_ && out.flush().good();
  }
  void add_message(uint16_t type, const std::string& name, const Buffer& body) {
    add("wire", name, static_cast<char>(type) + std::string(body.view()));
  }
  bool ok() const { return ok_; }

 private:
  std::filesystem::path root_;
  bool ok_ = true;
};

std::string_view view(const ByteWriter& out) {
  return {reinterpret_cast<const char*>(out.bytes().data()), out.size()};
}

// Two rows with a key, a nullable string, a bool and a filter.
ByteWriter sample_block() {
  Column name;
  name.type = ColumnType::kString;
  name.nulls = {0, 1};
  name.strings = {"ann", ""};
  Column flag;
  flag.type = ColumnType::kBool;
  flag.nulls = {0, 0};
  flag.bools = {1, 0};
  const std::vector<uint32_t> rows{0, 1};
  const std::vector<uint64_t> hashes{1, 2};
  const std::vector<TimeUs> times{1'522'540'800'000'000, 1'522'540'800'000'001};
  const std::vector<std::string_view> keys{"k", "longer"};
  const std::vector<const Column*> columns{&name, &flag}, filters{&flag};
  ByteWriter out;
  write_row_block(0, {rows, hashes, times, keys, columns, filters}, &out);
  return out;
}

void add_reader_messages(Corpus* corpus) {
  const SourcePosition position{100, 5, true};
  OpenSessions open{JobId(1), SourcePartitionId(0), Epoch(2), {}};
  open.sessions.push_back({KeyPartitionId(3), Epoch(4), 5, position});
  corpus->add_message(kOpenSessions, "open_sessions", open.encode());
  SessionsClosed closed{JobId(1), SourcePartitionId(0), Epoch(2), {}};
  closed.sessions.push_back({KeyPartitionId(3), 5});
  corpus->add_message(kSessionsClosed, "sessions_closed", closed.encode());
  SourceBatchWriter batch({JobId(1), SourcePartitionId(0), Epoch(2), 0, position, 6}, 2);
  batch.begin_part(KeyPartitionId(3), 5, 0);
  batch.blocks()->put_bytes(sample_block().bytes());
  batch.begin_part(KeyPartitionId(4), 6, 0);
  corpus->add_message(kSourceBatch, "source_batch", batch.finish(7));
  const BatchAck ack{JobId(1), SourcePartitionId(0), Epoch(2), 7};
  corpus->add_message(kBatchAck, "batch_ack", ack.encode());
}

void add_replica_messages(Corpus* corpus) {
  const SourcePosition position{100, 5, true};
  RegisterReplicas open{JobId(1), {}};
  open.entries.push_back({KeyPartitionId(3), Epoch(4), 5});
  corpus->add_message(kRegisterReplicas, "register_replicas", open.encode());
  ReplicaStates states{JobId(1), {}};
  states.entries.push_back({KeyPartitionId(3), Epoch(4), 5, true, Epoch(4), 6, {position}});
  corpus->add_message(kReplicaStates, "replica_states", states.encode());
  Frames frames;
  frames.job = JobId(1);
  FramePart part;
  part.key_partition = KeyPartitionId(3);
  part.kind = PartKind::kRows;
  part.to_version = 1;
  part.advances.push_back({SourcePartitionId(0), position});
  part.payload.emplace_back(sample_block().take());
  frames.parts.push_back(part);
  part.kind = PartKind::kImagesBegin;
  part.payload.clear();
  frames.parts.push_back(part);
  corpus->add_message(kFrames, "frames", frames.encode());
  FrameAck ack;
  ack.entries.push_back({KeyPartitionId(3), 5, 1});
  corpus->add_message(kFrameAck, "frame_ack", ack.encode());
  const StateWanted wanted{JobId(1), KeyPartitionId(3), Epoch(4), {Epoch(2), 6}};
  corpus->add_message(kStateWanted, "state_wanted", wanted.encode());
  const StateWritten written{
      JobId(1), KeyPartitionId(3), Epoch(4), {Epoch(2), 6}, StateWritten::Outcome::kWritten,
      "job-1"};
  corpus->add_message(kStateWritten, "state_written", written.encode());
}

void add_state(Corpus* corpus) {
  const PartitionState state = small_state();
  ByteWriter images;
  for (size_t slot = 0; slot < state.slot_count(); ++slot) {
    ByteWriter image;
    state.encode_image(slot, &image);
    corpus->add("key_image", "key_" + std::to_string(slot), view(image));
    images.put_bytes(image.bytes());
  }
  corpus->add("key_image", "all_keys", view(images));
}

bool add_plan(Corpus* corpus, const std::string& name, const std::string& yaml) {
  const CompiledJob job = compile_job(yaml, "/nowhere");
  for (const JobError& error : job.errors) std::cerr << to_string(error, name) << "\n";
  proto::JobPlan plan = job.plan;
  plan.clear_yaml();
  corpus->add("plan", name, plan.SerializeAsString());
  return job.errors.empty();
}

constexpr const char* kSampleJob = R"(
job: sample
sources:
  payments:
    stream:
      generator: {partitions: 2, customers: 30, terminals: 10, events: 50}
views:
  customer:
    source: payments
    entity: [customer_id]
    where: amount > 0
    aggregations:
      - {function: count, windows: [1h, 1d]}
      - {name: double, function: mean, column: amount * 2, windows: [7d], offset: 7d}
services:
  model: {features: [customer.*]}
)";

constexpr const char* kUnionJob = R"(
job: union
sources:
  card: {stream: {generator: {partitions: 1, customers: 30, terminals: 10, events: 50}}}
  shop: {stream: {generator: {partitions: 1, customers: 30, terminals: 10, events: 50}}}
views:
  all:
    union:
      - {source: card, columns: {who: customer_id, kind: "'c'"}, where: amount > 1}
      - {source: shop, columns: {who: terminal_id, kind: "'s'"}}
    entity: [who]
    order_by: [kind]
    aggregations: [{function: last, column: amount, where: kind = 'c', windows: [1h]}]
)";

constexpr const char* kTypesJob = R"yaml(
job: types
sources:
  orders:
    schema:
      at: timestamp
      k: int64
      price: "decimal(12, 2)"
      tags: "list<string>"
      counts: "map<string, int64>"
      payload: "struct<amount: decimal(8, 3), items: list<struct<sku: string, n: int32>>>"
    event_time: at
    stream: {kafka: {brokers: "127.0.0.1:9092", topic: orders}}
views:
  v:
    source: orders
    entity: k
    where: "'a' = any(tags)"
    aggregations:
      - {function: sum, column: price * 1.19, name: gross, windows: [1h]}
      - {function: last, column: tags, windows: [1h]}
      - {function: histogram, column: payload.items, name: items, windows: [1h]}
      - {function: max, column: "payload.items[1].n + cardinality(tags)", name: n, windows: [1h]}
      - {function: mean, column: "counts -> 'x'", name: x, by: tags, windows: [1h]}
)yaml";

}  // namespace
}  // namespace tidemill::fuzz

int main(int argc, char** argv) {
  using namespace tidemill::fuzz;
  if (argc != 2) {
    std::cerr << "usage: fuzz_seeds DIRECTORY\n";
    return 2;
  }
  Corpus corpus(argv[1]);
  corpus.add("row_block", "two_rows", view(sample_block()));
  add_reader_messages(&corpus);
  add_replica_messages(&corpus);
  add_state(&corpus);
  const bool plans = add_plan(&corpus, "sample", kSampleJob) &&
                     add_plan(&corpus, "union", kUnionJob) && add_plan(&corpus, "types", kTypesJob);
  return plans && corpus.ok() ? 0 : 1;
}
