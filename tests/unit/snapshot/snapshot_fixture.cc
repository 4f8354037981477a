#include "tests/unit/snapshot/snapshot_fixture.h"

#include <numeric>

#include "shared/base/hash.h"
#include "shared/columns/row_block_writer.h"
#include "shared/snapshot/disk_files.h"

namespace tidemill::testing {
namespace {

constexpr TimeUs kStart = 1'522'540'800'000'000;  // 2018-04-01

// `rows` rows of one key.
Buffer block_of(const std::string& key, size_t rows, uint64_t seed) {
  std::vector<uint32_t> indexes(rows);
  std::iota(indexes.begin(), indexes.end(), 0u);
  const std::vector<uint64_t> hashes(rows, hash_entity_key(key, seed));
  const std::vector<TimeUs> times(rows, kStart);
  const std::vector<std::string_view> keys(rows, key);
  ByteWriter out;
  write_row_block(0, {indexes, hashes, times, keys, {}, {}}, &out);
  return Buffer(out.take());
}

}  // namespace

TableSchemas count_schemas() {
  TableSchema schema;
  schema.entity = "customer";
  schema.entity_seed = hash_bytes(schema.entity, 0);
  schema.key_types = {ColumnType::kString};
  schema.retention = kMicrosPerDay;
  return std::make_shared<const std::vector<TableSchema>>(std::vector{schema});
}

StateWriter::StateWriter(JobId job, uint32_t max_increments) : disk_(Disk::in_memory()) {
  config_.disk = disk_;
  config_.directory = partition_directory("/data", job, kPartition);
  config_.job = job;
  config_.key_partition = kPartition;
  config_.schemas = count_schemas();
  config_.max_increments = max_increments;
  reopen();
}

StateWriter::~StateWriter() = default;

std::string StateWriter::directory() const { return config_.directory; }

void StateWriter::reopen() {
  partition_.reset();
  auto opened = PartitionDisk::open(config_);
  ASSERT(opened.ok());
  partition_ = std::move(*opened);
}

void StateWriter::write(Epoch epoch, size_t rows) {
  Increment increment;
  if (disk()->manifest() != nullptr) increment.head = from_proto(disk()->manifest()->head());
  increment.from_version = increment.head.stamp().version;
  const uint64_t version = increment.from_version + 1;
  advance(&increment.head.ancestry, Stamp{epoch, version});
  increment.head.offsets = {{.offset = version * 100}};
  increment.head.rows_applied += rows;
  const uint64_t seed = config_.schemas->front().entity_seed;
  increment.changes.push_back(
      {StateChange::Kind::kRows, block_of("customer " + std::to_string(version % 7), rows, seed)});
  const Status written = disk()->write(increment);
  ASSERT(written.ok());
}

std::vector<uint8_t> StateWriter::contents() {
  if (disk()->manifest() == nullptr) return {};
  auto scan = disk()->scan({});
  ASSERT(scan.ok());
  ByteWriter images;
  while (true) {
    const auto more = (*scan)->next(1u << 20, &images);
    ASSERT(more.ok());
    if (!*more) return images.take();
  }
}

std::vector<uint8_t> read_file(const Disk& disk, const std::string& path) {
  FileSource source(disk, path);
  ASSERT(source.open().ok());
  std::vector<uint8_t> bytes(source.size());
  ASSERT(source.read(bytes).ok());
  return bytes;
}

void write_file(const Disk& disk, const std::string& path, const std::vector<uint8_t>& bytes) {
  FileSink sink(disk, path);
  ASSERT(sink.open(0).ok());
  ASSERT(sink.append(bytes).ok());
  ASSERT(sink.finish().ok());
}

}  // namespace tidemill::testing
