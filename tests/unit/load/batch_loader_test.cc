#include "shared/load/batch_loader.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "shared/base/hash.h"
#include "shared/base/memory_account.h"
#include "shared/plan/entity_key.h"
#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill {
namespace {

constexpr const char* kRecords =
    "id,t,who,n,d\n"
    "1,2018-04-01T00:00:00Z,a,4,2\n"
    "2,2018-04-01T00:00:09Z,,4,2\n"    // no key
    "3,2018-04-01T00:00:05Z,b,4,0\n"   // its division fails
    "4,2018-04-01T00:00:01Z,a,-4,2\n"  // no view of its table wants it
    "5,2018-04-01T00:00:02Z,a,x,2\n"   // no record
    "6,2018-04-01T00:00:03Z,c,6,3\n";

class BatchLoaderTest : public testing::Test {
 protected:
  BatchLoaderTest() {
    std::string name = (std::filesystem::temp_directory_path() / "tidemill_loader_XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    std::ofstream(directory_ / "in.csv") << kRecords;
    plan_ = plan_of(R"(
  quotient:
    source: in
    entity: [who]
    where: n > 0
    aggregations: [{name: q, function: sum, column: n / d, windows: [1h]}]
  pair:
    source: in
    entity: [who, id]
    aggregations: [{function: count, windows: [1h]}]
)");
  }
  ~BatchLoaderTest() override { std::filesystem::remove_all(directory_); }

  std::shared_ptr<const Plan> plan_of(const std::string& views) const {
    return test::plan_of(R"(
job: loaded
key_partitions: 8
sources:
  in:
    schema: {id: int64, t: timestamp, who: string, n: int64, d: int64}
    event_time: t
    stream: {files: ")" + (directory_ / "in.csv").string() +
                         R"("}
views:)" + views);
  }

  std::unique_ptr<BatchLoader> open(const SourcePosition& from = {}) {
    auto loader = BatchLoader::open(plan_, 0, from);
    EXPECT_TRUE(loader.ok());
    return std::move(loader).value();
  }
  void load(BatchLoader* loader, size_t records, LoadedBatch* batch) {
    const auto writer = std::move(*letters_.open("", {}, {}, {}));
    const auto loaded = loader->load(clock_, {records, 1 << 20}, &*writer, batch);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  }
  // "table:key" of every row of every key partition's blocks, each in the partition of its hash.
  std::multiset<std::string> routed(const LoadedBatch& batch, uint64_t from = 0) {
    std::multiset<std::string> out;
    for (uint32_t k = 0; k < plan_->key_partitions(); ++k) {
      ByteWriter writer;
      batch.write_blocks(k, from, &writer);
      const Buffer bytes(writer.take());
      for (size_t at = 0; at < bytes.size();) {
        const auto block = RowBlockView::parse(bytes.bytes().subspan(at));
        EXPECT_TRUE(block.ok());
        if (!block.ok()) return out;
        for (uint32_t row = 0; row < block->rows(); ++row) {
          const TableSchema& schema = (*plan_->tables())[block->table()];
          const uint64_t hash = hash_entity_key(block->key(row), schema.entity_seed);
          EXPECT_EQ(block->key_hashes()[row], hash);
          EXPECT_EQ(key_partition_of(hash, plan_->key_partitions()), k);
          std::string text = schema.entity + ":";
          for (const KeyPart& part : split_key(block->key(row), schema.key_types)) {
            text += part.type == ColumnType::kString ? std::string(part.string_value)
                                                     : "," + std::to_string(part.int_value);
          }
          out.insert(text);
        }
        at += block->byte_size();
      }
    }
    return out;
  }

  std::filesystem::path directory_;
  std::shared_ptr<const Plan> plan_;
  test::MemoryDeadLetters letters_;
  LoadClock clock_{0, [] { return int64_t{0}; }};
};

TEST_F(BatchLoaderTest, RoutesEveryRowThatItsTableKeeps) {
  auto loader = open();
  LoadedBatch batch;
  load(loader.get(), 100, &batch);
  EXPECT_EQ(routed(batch), (std::multiset<std::string>{"who:a", "who:c", "who,id:a,1", "who,id:b,3",
                                                       "who,id:a,4", "who,id:c,6"}));
  EXPECT_EQ(batch.records, 5u);
  EXPECT_EQ(batch.null_keys, 2u);  // of one record, in both tables
  ASSERT_EQ(batch.events.bad.size(), 1u);
  ASSERT_EQ(batch.failed.size(), 1u);
  EXPECT_EQ(batch.failed[0].offset, batch.events.offsets[2]);
  EXPECT_FALSE(batch.failed[0].message.empty());
}

// A changed job states how its tables are fed, so that what it loses of views does not matter.
TEST_F(BatchLoaderTest, TablesOfAChangedJobAreFedAsBefore) {
  auto first = open();
  LoadedBatch before;
  load(first.get(), 100, &before);
  EXPECT_EQ(before.known_tables, 2u);
  const auto rows = routed(before);
  proto::JobPlan next = plan_->proto();
  next.set_revision(1);
  next.set_format_version(5);
  next.mutable_tables(0)->set_fed(proto::Table::FED_PASSING);
  next.mutable_tables(1)->set_fed(proto::Table::FED_ALL);
  ASSERT_EQ(next.views(0).name(), "quotient");
  next.mutable_views()->DeleteSubrange(0, 1);
  auto changed = Plan::from_proto(next);
  ASSERT_TRUE(changed.ok()) << changed.error().message();
  plan_ = *changed;
  auto second = open();
  LoadedBatch after;
  load(second.get(), 100, &after);
  EXPECT_EQ(routed(after), rows);
  EXPECT_TRUE(after.failed.empty()) << "letters are of views, and that one is gone";
  next.mutable_tables(0)->set_fed(proto::Table::FED_NONE);
  plan_ = *Plan::from_proto(next);
  auto third = open();
  LoadedBatch none;
  load(third.get(), 100, &none);
  EXPECT_EQ(routed(none), (std::multiset<std::string>{"who,id:a,1", "who,id:b,3", "who,id:a,4",
                                                      "who,id:c,6"}));
}

TEST_F(BatchLoaderTest, WhatABatchTakesIsAccountedFor) {
  const auto reads = [] { return MemoryAccount::bytes(MemoryConsumer::kReads); };
  const uint64_t before = reads();
  auto loader = open();
  {
    LoadedBatch batch;
    load(loader.get(), 100, &batch);
    EXPECT_GT(batch.memory.bytes(), std::string(kRecords).size());
    EXPECT_EQ(reads(), before + batch.memory.bytes());
  }
  EXPECT_EQ(reads(), before);
}

// They are no part of a value, but tell of which others it is.
TEST_F(BatchLoaderTest, RowsOfAViewThatDeduplicatesAreKeptWhateverAggregationsWant) {
  plan_ = plan_of(R"(
  once:
    source: in
    entity: [who]
    deduplicate: {by: d, within: 1h}
    aggregations: [{function: count, where: id > 100, windows: [1h]}]
  positive:
    source: in
    entity: [id]
    where: n > 0
    deduplicate: {by: d, within: 1h}
    aggregations: [{function: count, where: id > 100, windows: [1h]}]
)");
  auto loader = open();
  LoadedBatch batch;
  load(loader.get(), 100, &batch);
  EXPECT_EQ(routed(batch), (std::multiset<std::string>{"who:a", "who:b", "who:a", "who:c", "id:,1",
                                                       "id:,2", "id:,3", "id:,6"}));
}

TEST_F(BatchLoaderTest, PositionsAreThoseOfTheLogsPrefix) {
  auto loader = open();
  LoadedBatch first, second, third;
  load(loader.get(), 1, &first);
  EXPECT_EQ(first.begin, SourcePosition());
  EXPECT_EQ(first.end.max_event_time, test::kStart);
  EXPECT_FALSE(first.end.finished);
  load(loader.get(), 100, &second);
  EXPECT_EQ(second.begin, first.end);
  // The largest so far, also of records that no table keeps; never less than before.
  EXPECT_EQ(second.end.max_event_time, test::kStart + 9 * test::kSecond);
  while (!second.end.finished) {
    load(loader.get(), 100, &third);
    second.end = third.end;
  }
  EXPECT_EQ(second.end.offset, std::string(kRecords).size());
}

TEST_F(BatchLoaderTest, HowARowIsRoutedDoesNotDependOnBatchesOrTheStart) {
  LoadedBatch whole;
  auto whole_loader = open();
  load(whole_loader.get(), 100, &whole);
  const auto want = routed(whole);
  std::multiset<std::string> got;
  SourcePosition at;
  while (!at.finished) {
    LoadedBatch one;
    auto loader = open(at);  // anew each time
    load(loader.get(), 1, &one);
    got.merge(routed(one));
    ASSERT_TRUE(one.end.finished || one.end.offset > at.offset);
    at = one.end;
  }
  EXPECT_EQ(got, want);
  EXPECT_EQ(at, whole.end.finished ? whole.end : at);
}

TEST_F(BatchLoaderTest, ASessionThatIsAheadGetsOnlyItsRows) {
  auto loader = open();
  LoadedBatch batch;
  load(loader.get(), 100, &batch);
  EXPECT_EQ(routed(batch, batch.events.offsets[3]),
            (std::multiset<std::string>{"who:c", "who,id:a,4", "who,id:c,6"}));
  EXPECT_TRUE(routed(batch, batch.end.offset).empty());
}

// So that one batch can be sent while the next is loaded.
TEST_F(BatchLoaderTest, ABatchOutlivesTheNextLoad) {
  auto loader = open();
  LoadedBatch first, second;
  load(loader.get(), 3, &first);
  const auto want = routed(first);
  load(loader.get(), 100, &second);
  EXPECT_EQ(routed(first), want);
}

TEST_F(BatchLoaderTest, ALoadEndsWhereItIsTold) {
  auto whole_loader = open();
  LoadedBatch one, two;
  load(whole_loader.get(), 2, &one);
  load(whole_loader.get(), 100, &two);
  auto loader = open();
  LoadedBatch batch;
  ASSERT_TRUE(loader->load(clock_, {100, 1 << 20, one.end.offset}, nullptr, &batch).ok());
  EXPECT_EQ(batch.end, one.end);
  EXPECT_EQ(routed(batch), routed(one));
  ASSERT_TRUE(loader->load(clock_, {100, 1 << 20, one.end.offset}, nullptr, &batch).ok());
  EXPECT_EQ(batch.begin, one.end);
  EXPECT_EQ(batch.end, two.end);
}

TEST_F(BatchLoaderTest, EachSourceHasTablesOfItsOwn) {
  std::string sources, views;
  for (const char* name : {"a", "b", "c", "d"}) {
    const std::string file = (directory_ / (std::string(name) + ".csv")).string();
    std::ofstream(file) << "t,who_" << name << "\n2018-04-01T00:00:00Z," << name << "\n";
    sources += std::string("  ") + name + ": {schema: {t: timestamp, who_" + name +
               ": string}, event_time: t, stream: {files: \"" + file + "\"}}\n";
    views += std::string("  of_") + name + ": {source: " + name + ", entity: [who_" + name +
             "], aggregations: [{function: count, windows: [1h]}]}\n";
  }
  plan_ = test::plan_of("job: several\nsources:\n" + sources + "views:\n" + views);
  for (uint32_t s = 0; s < 4; ++s) {
    auto loader = BatchLoader::open(plan_, s, {});
    ASSERT_TRUE(loader.ok());
    LoadedBatch batch;
    load(loader->get(), 10, &batch);
    const auto rows = routed(batch);
    ASSERT_EQ(rows.size(), 1u) << s;
    EXPECT_EQ(rows.begin()->back(), "abcd"[s]);
  }
}

TEST_F(BatchLoaderTest, AMissingFileIsAnError) {
  std::filesystem::remove(directory_ / "in.csv");
  auto loader = BatchLoader::open(plan_, 0, {});
  LoadedBatch batch;
  EXPECT_TRUE(!loader.ok() || !(*loader)->load(clock_, {1, 1 << 20}, nullptr, &batch).ok());
}

}  // namespace
}  // namespace tidemill
