#include "tests/unit/state/state_fixture.h"

#include <filesystem>

#include "shared/base/hash.h"
#include "shared/window/block_list.h"
#include "shared/window/image.h"

namespace tidemill::testing {
namespace {

constexpr DurationUs kRetention = 1000 * kMicrosPerSecond;

// A PartitionState that is given increments.
PartitionState replay(const TableSchemas& schemas, std::span<const Increment> increments) {
  PartitionState state(schemas);
  for (const Increment& increment : increments) {
    if (increment.whole) state = PartitionState(schemas);
    const uint64_t version = increment.head.stamp().version;
    for (const StateChange& change : increment.changes) {
      if (change.kind == StateChange::Kind::kRows) {
        std::vector<RowBlockView> blocks;
        EXPECT_TRUE(parse_blocks(change.bytes, *schemas, &blocks).ok());
        for (const RowBlockView& block : blocks) state.append(block, version);
      } else {
        ByteReader in(change.bytes.bytes());
        while (in.remaining() > 0) EXPECT_TRUE(state.apply_image(&in, version).ok());
      }
    }
    state.raise_horizon(increment.head.horizon);
  }
  return state;
}

std::vector<uint8_t> images_of(const PartitionState& state) {
  ByteWriter out;
  for (size_t slot = 0; slot < state.slot_count(); ++slot) {
    if (state.slot_changed_since(slot, 0)) state.encode_image(slot, &out);
  }
  return out.take();
}

uint64_t below(Random* random, uint64_t n) { return (*random)() % n; }

}  // namespace

TableSchemas state_schemas() {
  auto tables = *test_schemas(kRetention);
  Random random(1);
  tables[0].lifetime = random_lifetime_features(6, tables[0], &random);
  return std::make_shared<const std::vector<TableSchema>>(tables);
}

PartitionDiskConfig state_config(std::shared_ptr<Disk> disk, const TableSchemas& schemas,
                                 const std::string& directory) {
  PartitionDiskConfig config;
  config.disk = std::move(disk);
  config.directory = directory;
  config.job = JobId(7);
  config.key_partition = KeyPartitionId(42);
  config.schemas = schemas;
  config.max_increments = 4;
  config.log_limit_bytes = 16 << 10;
  return config;
}

std::unique_ptr<PartitionDisk> open(const PartitionDiskConfig& config) {
  auto disk = PartitionDisk::open(config);
  EXPECT_TRUE(disk.ok()) << (disk.ok() ? "" : disk.error().message());
  return disk.ok() ? std::move(*disk) : nullptr;
}

::testing::AssertionResult good(const Status& status) {
  if (status.ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << status.error().message();
}

ScratchDirectory::ScratchDirectory() {
  std::string path = std::filesystem::temp_directory_path() / "state_test.XXXXXX";
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  path_ = path;
}
ScratchDirectory::~ScratchDirectory() { std::filesystem::remove_all(path_); }

bool removes_key(const std::vector<uint8_t>& image) {
  const TableSchemas schemas = state_schemas();
  PartitionState state(schemas);
  ByteReader in(image);
  EXPECT_TRUE(state.apply_image(&in, 1).ok());
  return state.stats().keys == 0;
}

void expect_state(PartitionDisk* disk, const ChangingState& state) {
  const ImageMap expected = state.images();
  bool whole = false;
  auto scanned = scan_images(disk, std::nullopt, &whole);
  ASSERT_TRUE(scanned.ok()) << scanned.error().message();
  EXPECT_TRUE(whole);
  EXPECT_EQ(difference(expected, *scanned), "");
  std::vector<StateKey> keys{{0, 1, "nobody"}};
  for (const auto& [key, image] : expected) {
    keys.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key)});
  }
  auto got = disk->get(keys);
  ASSERT_TRUE(got.ok()) << got.error().message();
  EXPECT_TRUE(got->front().empty());
  size_t at = 1;
  for (const auto& [key, image] : expected) EXPECT_TRUE((*got)[at++] == image);
}

ImageMap split_images(std::span<const uint8_t> bytes) {
  const TableSchemas schemas = state_schemas();
  std::vector<BasePlan> plans;
  for (const TableSchema& schema : *schemas) plans.emplace_back(schema);
  ImageMap out;
  ByteReader in(bytes);
  while (in.remaining() > 0) {
    const size_t begin = in.position();
    auto image = KeyImage::decode(*schemas, plans, &in);
    if (!image) {
      ADD_FAILURE() << image.error().message();
      break;
    }
    const auto own = bytes.subspan(begin, in.position() - begin);
    const bool fresh =
        out.emplace(std::tuple(image->table(), image->hash(), std::string(image->key())),
                    std::vector(own.begin(), own.end()))
            .second;
    EXPECT_TRUE(fresh) << "a key occurs twice";
  }
  return out;
}

std::string difference(const ImageMap& expected, const ImageMap& actual) {
  const auto show = [](const auto& key) {
    return "table " + std::to_string(std::get<0>(key)) + " hash " +
           std::to_string(std::get<1>(key)) + " key " + std::get<2>(key);
  };
  for (const auto& [key, image] : expected) {
    const auto found = actual.find(key);
    if (found == actual.end()) return show(key) + " is missing";
    if (found->second != image) return show(key) + " differs";
  }
  for (const auto& [key, image] : actual) {
    if (!expected.contains(key)) return show(key) + " should not be there";
  }
  return "";
}

Result<ImageMap> scan_images(PartitionDisk* disk, std::optional<uint64_t> since, bool* whole,
                             size_t max_bytes) {
  auto scan = disk->scan(since);
  if (!scan) return scan.error();
  if (whole != nullptr) *whole = (*scan)->whole();
  ByteWriter out;
  for (;;) {
    auto more = (*scan)->next(max_bytes, &out);
    if (!more) return more.error();
    if (!*more) break;
  }
  return split_images(out.bytes());
}

ChangingState::ChangingState(TableSchemas schemas, uint64_t seed)
    : schemas_(std::move(schemas)), random_(seed), history_(1) {}

std::vector<KeyedRow> ChangingState::random_keyed(uint16_t table, size_t rows, size_t keys) {
  const TableSchema& schema = (*schemas_)[table];
  const RowShape shape{static_cast<int>(below(&random_, 3)), static_cast<int>(below(&random_, 3)),
                       static_cast<int>(below(&random_, 3)) * 20, 0};
  std::vector<KeyedRow> out;
  for (const Row& row : random_rows(rows, shape, schema, &random_)) {
    const std::string key = "key" + std::to_string(below(&random_, keys));
    KeyedRow keyed{key, hash_entity_key(key, schema.entity_seed), row};
    // Keys of equal hashes are told apart by their bytes.
    if (below(&random_, 4) == 0) keyed.hash = 77;
    if (keyed.key == "key3" || keyed.key == "key4") keyed.hash = 78;
    keyed.row.time = clock_ + row.time - kStart;
    if (below(&random_, 10) == 0) keyed.row.time -= 2 * kRetention;
    out.push_back(std::move(keyed));
  }
  return out;
}

StateChange ChangingState::random_rows_change() {
  ByteWriter out;
  const size_t blocks = 1 + below(&random_, 3);
  for (size_t b = 0; b < blocks; ++b) {
    const auto table = static_cast<uint16_t>(below(&random_, 2));
    const auto block =
        encode_block(table, (*schemas_)[table], random_keyed(table, below(&random_, 40), 12));
    out.put_bytes(block);
  }
  return {StateChange::Kind::kRows, Buffer(out.take())};
}

StateChange ChangingState::random_images_change() {
  PartitionState other(schemas_);
  for (uint16_t table = 0; table < 2; ++table) {
    append_rows(&other, table, (*schemas_)[table], random_keyed(table, below(&random_, 30), 12));
  }
  ByteWriter out;
  for (size_t slot = 0; slot < other.slot_count(); ++slot) other.encode_image(slot, &out);
  return {StateChange::Kind::kImages, Buffer(out.take())};
}

Increment ChangingState::begin() {
  const StateHead& before = head();
  Increment increment;
  increment.from_version = before.stamp().version;
  increment.head = before;
  increment.head.horizon = std::max(increment.head.horizon, horizon_);
  increment.head.offsets.resize(2);
  increment.head.offsets[0] = {
      history_.size() * 100, clock_, false, {history_.size() * 100 - 1, 5}};
  Ancestry& ancestry = increment.head.ancestry;
  const uint64_t from = parted_at_.value_or(increment.from_version);
  if (parted_at_) {
    for (Stamp& stamp : ancestry) stamp.version = std::min(stamp.version, from);
    parted_at_.reset();
  }
  advance(&ancestry, {Epoch(epoch_), from + 1 + below(&random_, 3)});
  increment.taken_at_us = 5;
  return increment;
}

void ChangingState::end(const Increment& increment) { history_.push_back(increment); }

Increment ChangingState::change() {
  Increment increment = begin();
  clock_ += static_cast<DurationUs>(below(&random_, 300)) * kMicrosPerSecond;
  if (below(&random_, 12) == 0) {
    increment.whole = true;
    increment.from_version = 0;
    increment.changes.push_back(random_images_change());
  }
  for (size_t i = below(&random_, 4); i > 0; --i) {
    increment.changes.push_back(below(&random_, 4) == 0 ? random_images_change()
                                                        : random_rows_change());
  }
  if (below(&random_, 3) == 0) {
    increment.head.horizon = std::max(increment.head.horizon, clock_ - kRetention / 10);
  }
  end(increment);
  return increment;
}

Increment ChangingState::change_rows(size_t rows, size_t keys) {
  Increment increment = begin();
  const auto block = encode_block(1, (*schemas_)[1], random_keyed(1, rows, keys));
  increment.changes.push_back({StateChange::Kind::kRows, Buffer(block)});
  end(increment);
  return increment;
}

void ChangingState::change_owner_behind(uint64_t version) {
  change_owner();
  parted_at_ = version;
}

void ChangingState::go_back(uint64_t version) {
  while (this->version() > version) history_.pop_back();
  EXPECT_EQ(this->version(), version);
}

ImageMap ChangingState::images() const {
  const PartitionState state = replay(schemas_, history_);
  // Through images, so that keys whose rows have all expired and wait for the sweep are gone.
  PartitionState swept(schemas_);
  swept.raise_horizon(state.horizon());
  const std::vector<uint8_t> all = images_of(state);
  ByteReader in(all);
  while (in.remaining() > 0) EXPECT_TRUE(swept.apply_image(&in, 1).ok());
  return split_images(images_of(swept));
}

ImageMap ChangingState::images_at(uint64_t version) const {
  ChangingState then = *this;
  then.go_back(version);
  return then.images();
}

std::vector<StateKey> ChangingState::changed_since(uint64_t version) const {
  std::vector<StateKey> out;
  for (const Increment& increment : history_) {
    if (increment.head.stamp().version <= version) continue;
    const std::vector<StateKey> keys = changed_in(increment);
    out.insert(out.end(), keys.begin(), keys.end());
  }
  return out;
}

std::vector<StateKey> ChangingState::changed_in(const Increment& increment) const {
  std::vector<StateKey> out;
  for (const StateChange& change : increment.changes) {
    if (change.kind == StateChange::Kind::kImages) {
      for (const auto& [key, image] : split_images(change.bytes.bytes())) {
        out.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key)});
      }
      continue;
    }
    std::vector<RowBlockView> blocks;
    EXPECT_TRUE(parse_blocks(change.bytes, *schemas_, &blocks).ok());
    for (const RowBlockView& block : blocks) {
      for (uint32_t row = 0; row < block.rows(); ++row) {
        out.push_back({block.table(), block.key_hashes()[row], std::string(block.key(row))});
      }
    }
  }
  return out;
}

const Increment& ChangingState::increment(uint64_t version) const {
  for (const Increment& increment : history_) {
    if (increment.head.stamp().version == version) return increment;
  }
  ADD_FAILURE() << "no increment ends at version " << version;
  return history_.front();
}

}  // namespace tidemill::testing
