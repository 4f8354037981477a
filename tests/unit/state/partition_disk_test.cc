// States on disk against a PartitionState that was given the same changes.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <rocksdb/env.h>

#include <set>

#include "shared/base/memory_account.h"
#include "shared/state/state_value.h"
#include "shared/window/block_list.h"
#include "tests/unit/state/state_fixture.h"

namespace tidemill::testing {
namespace {

TEST(PartitionDisk, HoldsNothingAtFirst) {
  auto disk = open(state_config(Disk::in_memory(), state_schemas()));
  EXPECT_EQ(disk->manifest(), nullptr);
  EXPECT_EQ(disk->refused_manifests(), 0u);
  auto images = scan_images(disk.get());
  ASSERT_TRUE(images.ok());
  EXPECT_TRUE(images->empty());
  auto got = disk->get(std::vector<StateKey>{{0, 1, "x"}});
  ASSERT_TRUE(got.ok());
  EXPECT_TRUE(got->front().empty());
  EXPECT_EQ(disk->memory_bytes(), 0u);
}

RC_GTEST_PROP(PartitionDisk, HoldsWhatWasWritten, (uint64_t seed)) {
  const TableSchemas schemas = state_schemas();
  Random random(seed);
  const auto config = state_config(Disk::in_memory(), schemas);
  ChangingState state(schemas, seed);
  auto disk = open(config);
  for (int step = 0; step < 12; ++step) {
    ASSERT_TRUE(good(disk->write(state.change())));
    ASSERT_EQ(from_proto(disk->manifest()->head()), state.head());
    if (random() % 3 == 0) expect_state(disk.get(), state);
    if (random() % 4 == 0) state.change_owner();
    if (random() % 4 == 0) state.change_owner_behind(random() % (state.version() + 1));
    if (random() % 3 == 0) {
      disk.reset();
      disk = open(config);
      ASSERT_EQ(disk->refused_manifests(), 0u);
      ASSERT_NE(disk->manifest(), nullptr);
      ASSERT_EQ(from_proto(disk->manifest()->head()), state.head());
    }
  }
  expect_state(disk.get(), state);
}

// What changed after a version, or everything where that is not at hand.
RC_GTEST_PROP(PartitionDisk, ScansWhatChanged, (uint64_t seed)) {
  const TableSchemas schemas = state_schemas();
  auto config = state_config(Disk::in_memory(), schemas);
  config.max_increments = 6;
  config.log_limit_bytes = seed % 3 == 0 ? 0 : seed % 3 == 1 ? 4 << 10 : 1 << 20;
  ChangingState state(schemas, seed);
  auto disk = open(config);
  std::vector<uint64_t> versions{0};
  for (int step = 0; step < 10; ++step) {
    ASSERT_TRUE(good(disk->write(state.change())));
    versions.push_back(state.version());
  }
  const ImageMap expected = state.images();
  const auto& first = disk->manifest()->files(0);
  for (const uint64_t since : versions) {
    bool whole = false;
    auto scanned = scan_images(disk.get(), since, &whole);
    ASSERT_TRUE(scanned.ok()) << scanned.error().message();
    EXPECT_EQ(whole, first.base() && since < first.to_version());
    if (whole) {
      EXPECT_EQ(difference(expected, *scanned), "");
      continue;
    }
    for (const StateKey& key : state.changed_since(since)) {
      EXPECT_TRUE(scanned->contains({key.table, key.hash, key.key})) << key.key;
    }
    for (const auto& [key, image] : *scanned) {
      const auto there = expected.find(key);
      if (there != expected.end()) {
        EXPECT_TRUE(image == there->second) << std::get<2>(key);
      } else {
        EXPECT_TRUE(removes_key(image)) << std::get<2>(key);
      }
    }
  }
  bool whole = true;
  EXPECT_TRUE(scan_images(disk.get(), state.version(), &whole)->empty());
  EXPECT_FALSE(whole);
}

// The state of a copy that has gone on with an owner that went on from an older state: what is
// asked for by that owner's versions is not mixed up with the former owner's.
TEST(PartitionDisk, ScansWhatChangedAfterVersionsHaveFallen) {
  const TableSchemas schemas = state_schemas();
  auto config = state_config(Disk::in_memory(), schemas);
  auto disk = open(config);
  ChangingState state(schemas, 9);
  ASSERT_TRUE(good(disk->write(state.change_rows(100, 10))));
  const uint64_t parted_at = state.version();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(good(disk->write(state.change_rows(100, 10))));
  const uint64_t former = state.version();
  state.change_owner_behind(parted_at);
  ASSERT_TRUE(good(disk->write(state.change_rows(5, 3))));
  ASSERT_LT(state.version(), former);
  const uint64_t fallen = state.version();
  ASSERT_TRUE(good(disk->write(state.change_rows(5, 3))));
  disk = open(config);
  ASSERT_EQ(disk->refused_manifests(), 0u);
  expect_state(disk.get(), state);

  const ImageMap expected = state.images();
  const auto expect_changed_since = [&](uint64_t since, size_t keys) {
    const auto scanned = scan_images(disk.get(), since);
    ASSERT_TRUE(scanned.ok());
    EXPECT_EQ(scanned->size(), keys) << since;
    for (const auto& [key, image] : *scanned) EXPECT_TRUE(image == expected.at(key));
  };
  std::set<std::tuple<uint64_t, std::string>> changed_last;
  for (const StateKey& key : state.changed_in(state.increment(state.version()))) {
    changed_last.emplace(key.hash, key.key);
  }
  expect_changed_since(fallen, changed_last.size());
  // All that came since the two parted, the former owner's as well.
  expect_changed_since(fallen - 1, expected.size());
  expect_changed_since(state.version(), 0);
}

TEST(PartitionDisk, LogsThatAreSortedAreAccountedFor) {
  const auto sorting = [] { return MemoryAccount::bytes(MemoryConsumer::kSorting); };
  const TableSchemas schemas = state_schemas();
  auto config = state_config(Disk::in_memory(), schemas);
  ChangingState state(schemas, 3);
  const Increment first = state.change_rows(600, 50);
  config.log_limit_bytes = first.changes.front().bytes.size() - 1;
  auto disk = open(config);
  ASSERT_TRUE(good(disk->write(first)));
  ASSERT_TRUE(good(disk->write(state.change_rows(300, 50))));
  EXPECT_EQ(sorting(), 0u);
  {
    auto scan = disk->scan(std::nullopt);
    ASSERT_TRUE(scan.ok());
    EXPECT_GT(sorting(), 300u * 16);
  }
  EXPECT_EQ(sorting(), 0u);
}

TEST(PartitionDisk, AScanSeesTheStateAsItWasWhenItBegan) {
  const TableSchemas schemas = state_schemas();
  for (const auto& storage : {Disk::in_memory(), Disk::real()}) {
    const ScratchDirectory scratch;
    auto disk = open(state_config(storage, schemas, scratch.path() + "/k"));
    ChangingState state(schemas, 3);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(good(disk->write(state.change_rows(200, 50))));
    const uint64_t then = state.version();
    auto scan = disk->scan(std::nullopt);
    ASSERT_TRUE(scan.ok());
    ByteWriter out;
    ASSERT_TRUE(*(*scan)->next(1, &out));
    // Past several bases, so that all files of the scan are gone from the directory.
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(good(disk->write(state.change_rows(50, 50))));
      auto more = (*scan)->next(1, &out);
      ASSERT_TRUE(more.ok()) << more.error().message();
    }
    while (*(*scan)->next(100, &out)) {
    }
    EXPECT_EQ((*scan)->head().stamp().version, then);
    EXPECT_EQ(difference(state.images_at(then), split_images(out.bytes())), "");
    expect_state(disk.get(), state);
  }
}

TEST(PartitionDisk, ANewBaseFreesWhatIsBelowTheHorizon) {
  const TableSchemas schemas = state_schemas();
  auto config = state_config(Disk::in_memory(), schemas);
  auto disk = open(config);
  ChangingState state(schemas, 5);
  ASSERT_TRUE(good(disk->write(state.change_rows(500, 50))));
  EXPECT_GT(disk->manifest()->files(0).rows(), 400u);
  state.raise_horizon(kStart + 100 * kMicrosPerDay);
  while (!disk->manifest()->files(0).base()) {
    ASSERT_TRUE(good(disk->write(state.change_rows(0, 1))));
  }
  EXPECT_EQ(disk->manifest()->files_size(), 1);
  EXPECT_EQ(disk->manifest()->files(0).keys(), 0u);
  EXPECT_EQ(disk->manifest()->files(0).rows(), 0u);
  expect_state(disk.get(), state);
}

TEST(PartitionDisk, BasesKeepIncrementsFew) {
  const TableSchemas schemas = state_schemas();
  auto config = state_config(Disk::in_memory(), schemas);
  config.max_increments = 5;
  config.log_limit_bytes = UINT64_MAX;
  auto disk = open(config);
  ChangingState state(schemas, 6);
  ASSERT_TRUE(good(disk->write(state.change_rows(5000, 1000))));
  int bases = 0;
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(good(disk->write(state.change_rows(10, 1000))));
    const auto& files = disk->manifest()->files();
    ASSERT_LE(files.size(), 6);
    bases += files.size() == 1 ? 1 : 0;
  }
  EXPECT_EQ(bases, 6);
}

std::vector<std::string> suffixes(const PartitionDisk& disk) {
  std::vector<std::string> out;
  for (const proto::StateFile& file : disk.manifest()->files()) {
    out.push_back(file.base() ? "base" : file.name().substr(file.name().rfind('.') + 1));
  }
  return out;
}

using Suffixes = std::vector<std::string>;

TEST(PartitionDisk, LogsAreSortedOnceTheyAreMany) {
  const TableSchemas schemas = state_schemas();
  auto config = state_config(Disk::in_memory(), schemas);
  config.max_increments = 5;
  ChangingState state(schemas, 5);
  const Increment first = state.change_rows(600, 50);
  config.log_limit_bytes = first.changes.front().bytes.size() - 1;
  auto disk = open(config);
  ASSERT_TRUE(good(disk->write(first)));
  EXPECT_EQ(suffixes(*disk), Suffixes{"sst"});
  ASSERT_TRUE(good(disk->write(state.change_rows(50, 50))));
  ASSERT_TRUE(good(disk->write(state.change_rows(50, 50))));
  EXPECT_EQ(suffixes(*disk), (Suffixes{"sst", "log", "log"}));
  EXPECT_EQ(disk->manifest()->files(2).rows(), 50u);
  auto scan = disk->scan(disk->manifest()->files(1).to_version());  // of what is in one log
  ASSERT_TRUE(scan.ok());
  EXPECT_FALSE((*scan)->whole());
  disk.reset();
  disk = open(config);
  EXPECT_EQ(disk->refused_manifests(), 0u);
  ASSERT_TRUE(good(disk->write(state.change_rows(600, 50))));
  EXPECT_EQ(suffixes(*disk), (Suffixes{"sst", "sst"}));  // one of both logs and the rows after them
  EXPECT_EQ(disk->manifest()->files(1).rows(), 700u);
  ASSERT_TRUE(good(disk->write(state.change_rows(10, 50))));
  EXPECT_EQ(suffixes(*disk), Suffixes{"base"});  // increments were more than a log may be
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(good(disk->write(state.change_rows(10, 50))));
  EXPECT_EQ(suffixes(*disk), (Suffixes{"base", "log", "log", "log", "log", "log"}));
  ASSERT_TRUE(good(disk->write(state.change_rows(10, 50))));
  EXPECT_EQ(suffixes(*disk), Suffixes{"base"});
  expect_state(disk.get(), state);
}

// While keys are read singly there is no use in logs.
TEST(PartitionDisk, ReadingKeysSortsLogs) {
  const TableSchemas schemas = state_schemas();
  auto config = state_config(Disk::in_memory(), schemas);
  config.max_increments = 64;
  config.log_limit_bytes = UINT64_MAX;
  auto disk = open(config);
  ChangingState state(schemas, 5);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(good(disk->write(state.change_rows(50, 20))));
  EXPECT_EQ(suffixes(*disk), (Suffixes{"log", "log", "log"}));
  expect_state(disk.get(), state);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(good(disk->write(state.change_rows(50, 20))));
    expect_state(disk.get(), state);
  }
  EXPECT_EQ(suffixes(*disk), (Suffixes{"sst", "sst", "sst"}));
}

// As many logs as there may be make a base. It is a third of their bytes, and yet no further base
// is due before there are twice its rows again.
TEST(PartitionDisk, ABaseIsDueByRows) {
  const TableSchemas schemas = state_schemas();
  auto config = state_config(Disk::in_memory(), schemas);
  config.max_increments = 64;
  config.log_limit_bytes = UINT64_MAX;
  ChangingState state(schemas, 5);
  const auto change = [&] { return state.change_rows(1'000, 20); };
  auto disk = open(config);
  ASSERT_TRUE(good(disk->write(change())));
  config.directory = "/by-rows";
  config.log_limit_bytes = disk->manifest()->files(0).bytes() * 5 / 4;
  disk = open(config);
  state = ChangingState(schemas, 5);
  std::vector<std::string> last;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(good(disk->write(change())));
    last.push_back(suffixes(*disk).back());
  }
  EXPECT_EQ(last,
            (Suffixes{"log", "sst", "log", "base", "log", "sst", "log", "sst", "log", "sst"}));
}

// A value that is larger than what files hold back of their end goes through them whole: as rows of
// several increments, as an image, and with rows behind one.
TEST(PartitionDisk, HoldsKeysThatAreLarge) {
  const TableSchemas schemas = state_schemas();
  auto config = state_config(Disk::in_memory(), schemas);
  config.max_increments = 3;
  config.log_limit_bytes = 0;
  ChangingState state(schemas, 5);
  auto disk = open(config);
  std::set<std::string> seen;
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(good(disk->write(state.change_rows(30'000, 1))));
    seen.insert(suffixes(*disk).back());
    disk = open(config);
    ASSERT_EQ(disk->refused_manifests(), 0u);
    expect_state(disk.get(), state);
  }
  EXPECT_EQ(seen, (std::set<std::string>{"base", "sst"}));
}

// A value of one part is the same whether it is put together or encoded in its place.
TEST(PartWriter, WritesWhatPutPartWrites) {
  PartWriter writer;
  for (const size_t bytes : {0u, 1u, 127u, 128u, 16'383u, 16'384u, 3'000'000u}) {
    const std::vector<uint8_t> body(bytes, 0x5a);
    std::string expected;
    put_part(PartKind::kImage, body, &expected);
    writer.begin()->put_bytes(body);
    EXPECT_TRUE(writer.finish(PartKind::kImage) == expected) << bytes;
  }
}

// Table 1 with a bound that a key of some hundred rows is over.
TableSchemas bounded_schemas(const std::vector<FeatureSpec>& features) {
  auto tables = *state_schemas();
  TileBound bound;
  bound.max_rows = 64;
  bound.tile_shift = 30;
  bound.max_leaves = 64;
  tables[1].bound = std::make_shared<const TileBound>(bound);
  tables[1].features = features;
  return std::make_shared<const std::vector<TableSchema>>(tables);
}

FeatureSpec feature_of(Function function) {
  FeatureSpec out;
  out.function = function;
  out.column = 0;
  out.type = ColumnType::kDouble;
  out.window = 1'000 * kMicrosPerSecond;
  return out;
}

// Keys of which tiles are folded have few rows, or none, and yet their weight.
TEST(PartitionDisk, FoldedTilesCountWhenABaseIsDue) {
  const TableSchemas schemas = bounded_schemas({feature_of(Function::kStddevPop)});
  auto config = state_config(Disk::in_memory(), schemas);
  config.max_increments = 64;
  config.log_limit_bytes = 0;
  auto disk = open(config);
  ChangingState state(schemas, 5);
  while (!disk->manifest() || !disk->manifest()->files(0).base()) {
    ASSERT_TRUE(good(disk->write(state.change_rows(20'000, 2))));
  }
  EXPECT_LT(disk->manifest()->files(0).rows(), 20'000u);
  EXPECT_GT(disk->manifest()->files(0).rows(), 100u);
  int bases = 0;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(good(disk->write(state.change_rows(10, 2))));
    bases += disk->manifest()->files_size() == 1 ? 1 : 0;
  }
  EXPECT_EQ(bases, 0);
}

// Tiles that are folded once other features are asked for have what these need.
TEST(PartitionDisk, FoldsForTheFeaturesThatAreAskedForNow) {
  const std::vector<FeatureSpec> features{feature_of(Function::kStddevPop),
                                          feature_of(Function::kMax)};
  const TableSchemas before = bounded_schemas({features[0]});
  const TableSchemas after = bounded_schemas(features);
  auto config = state_config(Disk::in_memory(), before);
  config.max_increments = 1;
  config.log_limit_bytes = 0;
  auto disk = open(config);
  disk->set_schemas(after);
  ChangingState changes(before, 5);
  const Increment increment = changes.change_rows(600, 1);
  ASSERT_TRUE(good(disk->write(increment)));
  ASSERT_TRUE(good(disk->write(changes.change_rows(0, 1))));
  ASSERT_EQ(suffixes(*disk), Suffixes{"base"});
  PartitionState direct(after), restored(after);
  std::vector<RowBlockView> blocks;
  ASSERT_TRUE(parse_blocks(increment.changes.front().bytes, *after, &blocks).ok());
  for (const RowBlockView& block : blocks) direct.append(block, 1);
  ASSERT_LT(direct.stats().rows, 600u) << "tiles are folded";
  auto scan = disk->scan(std::nullopt);
  ASSERT_TRUE(scan.ok());
  ByteWriter bytes;
  while (*(*scan)->next(1'000, &bytes)) {
  }
  ByteReader in(bytes.bytes());
  while (in.remaining() > 0) ASSERT_TRUE(restored.apply_image(&in, 1).ok());
  EXPECT_EQ(images(restored), images(direct));
}

// The increments of a sixteenth of a state's rows are not more than their share of it.
TEST(PartitionDisk, IncrementsAreAsLargeAsWhatChanged) {
  const TableSchemas schemas = state_schemas();
  auto config = state_config(Disk::in_memory(), schemas);
  config.max_increments = 8;
  config.log_limit_bytes = UINT64_MAX;
  auto disk = open(config);
  ChangingState state(schemas, 6);
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(good(disk->write(state.change_rows(10'000, 5'000))));
  ASSERT_TRUE(disk->manifest()->files(0).base());
  ASSERT_TRUE(good(disk->write(state.change_rows(50, 5'000))));
  ASSERT_EQ(disk->manifest()->files_size(), 2);
  EXPECT_LT(disk->manifest()->files(1).bytes() * 100, disk->manifest()->files(0).bytes() * 3);
}

TEST(PartitionDisk, EqualChangesMakeEqualFiles) {
  const TableSchemas schemas = state_schemas();
  std::vector<std::string> manifests;
  for (int run = 0; run < 2; ++run) {
    auto disk = open(state_config(Disk::in_memory(), schemas));
    ChangingState state(schemas, 8);
    for (int i = 0; i < 12; ++i) ASSERT_TRUE(good(disk->write(state.change())));
    manifests.push_back(disk->manifest()->SerializeAsString());
  }
  EXPECT_TRUE(manifests[0] == manifests[1]);
}

TEST(PartitionDisk, AnIncrementThatDoesNotFollowIsRefused) {
  const TableSchemas schemas = state_schemas();
  auto disk = open(state_config(Disk::in_memory(), schemas));
  ChangingState state(schemas, 9);
  const Increment first = state.change_rows(10, 10);
  const Increment second = state.change_rows(10, 10);
  EXPECT_FALSE(disk->write(second).ok());
  EXPECT_EQ(disk->manifest(), nullptr);
  ASSERT_TRUE(good(disk->write(first)));
  Increment third = state.change_rows(10, 10);
  EXPECT_FALSE(disk->write(third).ok());
  EXPECT_EQ(from_proto(disk->manifest()->head()), first.head);
}

TEST(PartitionDisk, ChangesThatAreNoneAreRefused) {
  const TableSchemas schemas = state_schemas();
  auto disk = open(state_config(Disk::in_memory(), schemas));
  ChangingState state(schemas, 9);
  for (const auto kind : {StateChange::Kind::kRows, StateChange::Kind::kImages}) {
    Increment increment = state.change_rows(10, 10);
    increment.from_version = 0;
    increment.changes.push_back({kind, Buffer(std::vector<uint8_t>(64, 0xff))});
    const Status written = disk->write(increment);
    ASSERT_FALSE(written.ok());
    EXPECT_EQ(written.error().code(), ErrorCode::kCorrupt);
    EXPECT_EQ(disk->manifest(), nullptr);
  }
}

// Links are what keeps RocksDB from touching the files themselves.
TEST(PartitionDisk, ReadingKeysChangesNoFile) {
  const TableSchemas schemas = state_schemas();
  const ScratchDirectory scratch;
  const auto config = state_config(Disk::real(), schemas, scratch.path() + "/k");
  ChangingState state(schemas, 10);
  auto disk = open(config);
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(good(disk->write(state.change())));
    expect_state(disk.get(), state);
    EXPECT_GT(disk->memory_bytes(), 0u);
  }
  for (const proto::StateFile& file : disk->manifest()->files()) EXPECT_TRUE(disk->has(file));
  disk.reset();
  disk = open(config);
  EXPECT_EQ(disk->refused_manifests(), 0u);
  EXPECT_EQ(disk->memory_bytes(), 0u);
  expect_state(disk.get(), state);
}

}  // namespace
}  // namespace tidemill::testing
