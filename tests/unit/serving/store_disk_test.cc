// What a store has on disk: restarts, damage, more state than memory.
#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include "shared/base/hash.h"
#include "shared/plan/entity_key.h"
#include "shared/state/partition_disk.h"
#include "tests/unit/serving/test_store.h"

namespace tidemill::test {
namespace {

using json = nlohmann::json;

class StoreDisk : public testing::Test {
 protected:
  explicit StoreDisk(int64_t budget_bytes = 0, int64_t blocking_delay_us = 20)
      : t_(config(budget_bytes), 1, blocking_delay_us) {}

  static StoreConfig config(int64_t budget_bytes) {
    StoreConfig out;
    out.snapshot_interval_ms = 1'000;
    out.memory_budget_bytes = budget_bytes;
    return out;
  }
  static KeyPartitionId k_of(const std::string& key) {
    return KeyPartitionId(key_partition_of(hash_entity_key(key, hash_bytes("customer_id", 0)), 4));
  }
  static Buffer rows_of(const std::vector<std::string>& keys) {
    std::vector<TestRow> rows;
    for (const std::string& key : keys) rows.push_back({key});
    return block_of(rows);
  }
  static Buffer images_of(const std::vector<std::string>& keys) {
    PartitionState state(small_plan()->tables());
    const Buffer bytes = rows_of(keys);
    state.append(*RowBlockView::parse(bytes.bytes()), 1);
    ByteWriter out;
    for (size_t slot = 0; slot < state.slot_count(); ++slot) state.encode_image(slot, &out);
    return Buffer(out.take());
  }
  // More rows of a key partition that stands at `from`.
  void more(KeyPartitionId k, uint64_t seq, uint64_t from, const std::vector<std::string>& keys,
            bool current = true) {
    FramePart part = TestStore::part(k, PartKind::kRows, seq, from + 1);
    part.session = session_;
    part.from_version = from;
    part.payload = {rows_of(keys)};
    part.current = current;
    t_.send_part(part);
  }
  void written() { t_.sim.run_for(3'000'000); }
  json ask(const std::vector<std::string>& keys) {
    const json body = {{"job", "small"},
                       {"features", {"customer.count_1h"}},
                       {"entities", {{"customer_id", keys}}}};
    const auto got = t_.call("POST", "/v1/features", body.dump());
    return got && got->status == 200 ? json::parse(got->body)["results"][0] : json();
  }
  int health() { return t_.call("GET", "/health")->status; }
  std::string directory(KeyPartitionId k) { return partition_directory("/store", JobId(1), k); }
  std::vector<std::string> files(KeyPartitionId k) {
    std::vector<std::string> out;
    t_.disk->env()->GetChildren(directory(k), &out).PermitUncheckedError();
    std::sort(out.begin(), out.end());
    return out;
  }
  void flip_bit(const std::string& path) {
    std::string bytes;
    ASSERT_TRUE(rocksdb::ReadFileToString(t_.disk->env(), path, &bytes).ok());
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(rocksdb::WriteStringToFile(t_.disk->env(), bytes, path).ok());
  }
  // All that a key partition has: a row of each of these.
  void fill_by_images(KeyPartitionId k, const std::vector<std::string>& keys, uint64_t version) {
    FramePart begin = TestStore::part(k, PartKind::kImagesBegin, 0);
    begin.session = session_;
    t_.send_part(begin);
    FramePart close = TestStore::part(k, PartKind::kImagesClose, 1, version);
    close.session = session_;
    close.payload = {images_of(keys)};
    close.advances.push_back({SourcePartitionId(1), {17, kStart, false}});
    close.current = true;
    t_.send_part(close);
  }
  ReplicaState register_at(KeyPartitionId k, uint64_t epoch) {
    t_.open(k, epoch, ++session_);
    return t_.fake_owner().states.back().entries.at(0);
  }

  TestStore t_;
  uint64_t session_ = 1;
};

const KeyPartitionId kOfA =
    KeyPartitionId(key_partition_of(hash_entity_key("a", hash_bytes("customer_id", 0)), 4));

TEST_F(StoreDisk, GoesOnFromWhatItHadAfterARestart) {
  t_.show({small_plan()});
  t_.fill(kOfA, {rows_of({"a", "a"})}, kStart);
  written();
  t_.restart();
  t_.show({small_plan()});
  const ReplicaState held = register_at(kOfA, 1);
  EXPECT_TRUE(held.holds_state);
  EXPECT_EQ(held.version, 2u);
  EXPECT_EQ(held.offsets.at(1).offset, 17u);
  // Until it is where its owner is, nothing is answered: neither a count that was, nor none.
  EXPECT_EQ(ask({"a"})["statuses"], json({"NOT_READY"}));
  EXPECT_EQ(ask({"a"})["values"], json({nullptr}));
  EXPECT_EQ(health(), 503);
  more(kOfA, 0, 2, {"a"}, false);
  EXPECT_EQ(ask({"a"})["statuses"], json({"NOT_READY"}));
  more(kOfA, 1, 3, {"a"}, true);
  EXPECT_EQ(ask({"a"})["values"], json({4}));
  t_.sim.run_for(100'000);
  EXPECT_EQ(health(), 200);
}

TEST_F(StoreDisk, WhatWasNotWrittenIsAskedForAgain) {
  t_.show({small_plan()});
  t_.fill(kOfA, {rows_of({"a"})}, kStart);
  written();
  more(kOfA, 3, 2, {"a"});
  t_.restart();
  t_.show({small_plan()});
  EXPECT_EQ(register_at(kOfA, 1).version, 2u);
}

TEST_F(StoreDisk, DoesNotAnswerOwnersBeforeItKnowsWhatItHolds) {
  TestStore slow(config(0), 1, /*blocking_delay_us=*/500'000);
  slow.show({});
  slow.show({small_plan()});
  slow.restart();
  auto view = std::make_shared<ClusterState>();
  view->version = 9;
  view->jobs[JobId(1)].id = JobId(1);
  view->jobs[JobId(1)].plan = small_plan();
  auto changed = std::make_unique<ViewChanged>();
  changed->view = view;
  slow.sim.post_from_outside(slow.store, {0, kStoreShardIndex}, std::move(changed));
  slow.open(kOfA, 1, 1);
  EXPECT_TRUE(slow.fake_owner().states.empty() || slow.fake_owner().states.back().entries.empty());
  slow.sim.run_for(3'000'000);
  slow.open(kOfA, 1, 1);
  EXPECT_EQ(slow.fake_owner().states.back().entries.size(), 1u);
}

TEST_F(StoreDisk, ANewestManifestThatIsDamagedLeavesTheOneBefore) {
  t_.show({small_plan()});
  t_.fill(kOfA, {rows_of({"a"})}, kStart);
  written();
  more(kOfA, 3, 2, {"a"});
  written();
  std::vector<std::string> manifests;
  for (const std::string& name : files(kOfA)) {
    if (name.starts_with("manifest-")) manifests.push_back(name);
  }
  ASSERT_GE(manifests.size(), 2u);
  t_.sim.crash(t_.store);
  flip_bit(directory(kOfA) + "/" + manifests.back());
  t_.restart();
  t_.show({small_plan()});
  EXPECT_EQ(register_at(kOfA, 1).version, 2u);
  more(kOfA, 0, 2, {"a", "a"});
  EXPECT_EQ(ask({"a"})["values"], json({3}));
}

// What cannot be read is forgotten and sent again by the owner, at the very stamp that is on disk.
TEST_F(StoreDisk, WhatIsDamagedInUseIsFilledAnew) {
  t_.show({small_plan()});
  t_.fill(kOfA, {rows_of({"a", "a"})}, kStart);
  written();
  t_.restart();
  t_.show({small_plan()});
  register_at(kOfA, 1);
  for (const std::string& name : files(kOfA)) {
    if (!name.starts_with("rows-") && !name.starts_with("base-")) continue;
    flip_bit(directory(kOfA) + "/" + name);
  }
  t_.sim.run_for(3'000'000);  // warms up
  EXPECT_EQ(ask({"a"})["statuses"], json({"NOT_READY"}));
  EXPECT_FALSE(register_at(kOfA, 1).holds_state);
  fill_by_images(kOfA, {"a", "a"}, 2);
  EXPECT_EQ(ask({"a", "none"})["values"].at(0), json(2));
  written();
  EXPECT_EQ(ask({"a"})["values"], json({2}));
  t_.restart();
  t_.show({small_plan()});
  EXPECT_EQ(register_at(kOfA, 1).version, 2u);
}

TEST_F(StoreDisk, RemovesWhatEndedJobsHeld) {
  t_.show({small_plan()});
  t_.fill(kOfA, {rows_of({"a"})}, kStart);
  written();
  EXPECT_FALSE(files(kOfA).empty());
  t_.show({});
  t_.sim.run_for(100'000);
  EXPECT_TRUE(files(kOfA).empty());
}

TEST_F(StoreDisk, RemovesWhatJobsHeldThatEndedMeanwhile) {
  t_.show({small_plan()});
  t_.fill(kOfA, {rows_of({"a"})}, kStart);
  written();
  t_.restart();
  EXPECT_FALSE(files(kOfA).empty());
  t_.show({});
  t_.sim.run_for(100'000);
  EXPECT_TRUE(files(kOfA).empty());
}

TEST_F(StoreDisk, AJobThatComesAgainStartsFromNothing) {
  t_.show({small_plan()});
  t_.fill(kOfA, {rows_of({"a"})}, kStart);
  written();
  t_.show({});
  t_.show({small_plan()});
  EXPECT_FALSE(register_at(kOfA, 1).holds_state);
}

TEST_F(StoreDisk, WarmsUpAfterARestart) {
  t_.show({small_plan()});
  std::vector<std::string> keys;
  for (int i = 0; keys.size() < 502; ++i) {
    if (k_of(std::to_string(i)) == kOfA) keys.push_back(std::to_string(i));
  }
  const std::string none = keys.back();
  keys.pop_back();
  const std::string fresh = keys.back();
  keys.pop_back();
  t_.fill(kOfA, {rows_of(keys)}, kStart);
  written();
  t_.restart();
  t_.show({small_plan()});
  register_at(kOfA, 1);
  more(kOfA, 0, 2, {keys[0], fresh});
  t_.sim.run_for(2'000'000);
  EXPECT_EQ(t_.report().keys(), 501u);
  EXPECT_EQ(t_.report().cold_reads(), 0u);
  EXPECT_EQ(ask({keys[0], keys[1], fresh, none})["values"], json({2, 1, 1, 0}));
  EXPECT_EQ(t_.report().cold_reads(), 0u) << "nothing was left on disk alone";
}

TEST_F(StoreDisk, ReportsWhatTakesMemory) {
  const KeyPartitionId k = k_of("a");
  t_.show({small_plan()});
  t_.open(k, 1, 1);
  const std::vector<std::string> keys(200, "a");
  fill_by_images(k, {"a"}, 5);
  more(k, 2, 5, keys);
  t_.sim.run_for(300'000);
  const MemoryUse use = t_.memory();
  EXPECT_GE(use.at("changes"), rows_of(keys).size());
  EXPECT_EQ(use.at("rows") + use.at("summaries") + use.at("keys"), t_.report().state_bytes());
  EXPECT_GT(use.at("rows"), 0u);
  EXPECT_GT(use.at("keys"), 0u);
  EXPECT_EQ(use.at("staged"), 0u);
  EXPECT_TRUE(use.contains("open_files"));
  written();
  EXPECT_EQ(t_.memory().at("changes"), 0u);
}

TEST_F(StoreDisk, ReadsKeysThatAreOnlyOnDisk) {
  t_.show({small_plan()});
  t_.fill(kOfA, {rows_of({"a", "a"})}, kStart);
  written();
  t_.restart();
  t_.show({small_plan()});
  register_at(kOfA, 1);
  more(kOfA, 0, 2, {"a"});
  EXPECT_EQ(ask({"a", "none of it"})["values"].at(0), json(3));
  const auto keys = t_.call("GET", "/v1/jobs/small/keys?view=customer&limit=3");
  EXPECT_EQ(json::parse(keys->body)["keys"].size(), 1u);
}

class SmallStore : public StoreDisk {
 protected:
  static constexpr int64_t kBudget = 1 << 20;
  SmallStore() : StoreDisk(kBudget) {}
};

// Ten times as much state as there is memory for: the answers are those of a store that has room.
TEST_F(SmallStore, AnswersAlikeWithTenTimesTheState) {
  constexpr int kKeys = 20'000;
  constexpr int kRounds = 8;
  t_.show({small_plan()});
  std::map<KeyPartitionId, std::vector<std::string>> keys;
  for (int i = 0; i < kKeys; ++i) keys[k_of(std::to_string(i))].push_back(std::to_string(i));
  for (const auto& [k, of] : keys) t_.fill(k, {}, kStart);
  uint64_t version = 2;
  std::map<std::string, int> want;
  for (int round = 0; round < kRounds; ++round, ++version) {
    for (const auto& [k, of] : keys) {
      std::vector<std::string> some;
      for (size_t i = 0; i < of.size(); ++i) {
        if ((i + static_cast<size_t>(round)) % 3 == 0) continue;
        some.push_back(of[i]);
        ++want[of[i]];
      }
      more(k, version + 1, version, some);
    }
    t_.sim.run_for(1'500'000);
    const proto::JobReport report = t_.report();
    EXPECT_LE(report.state_bytes() + report.pending_bytes(), kBudget + kBudget / 10) << round;
    std::vector<std::string> asked;
    for (int i = round; i < kKeys; i += kKeys / 300) asked.push_back(std::to_string(i));
    json expected = json::array();
    for (const std::string& key : asked) expected.push_back(want[key]);
    EXPECT_EQ(ask(asked)["values"], expected) << round;
  }
  EXPECT_GT(t_.report().evicted_keys(), 0u);
  EXPECT_GT(t_.report().cold_reads(), 0u);
  EXPECT_GT(t_.report().disk_rows(), 50'000u);
}

// What owners send instead of rows, whole states or what has changed, does not all come into memory
// either.
TEST_F(SmallStore, IsFilledByImagesWithinItsBudget) {
  constexpr int kKeys = 20'000;
  t_.show({small_plan()});
  std::map<KeyPartitionId, std::vector<std::string>> keys;
  for (int i = 0; i < kKeys; ++i) keys[k_of(std::to_string(i))].push_back(std::to_string(i));
  for (const auto& [k, of] : keys) {
    t_.open(k, 1, 1);
    fill_by_images(k, of, 1);
    t_.sim.run_for(300'000);
    const proto::JobReport report = t_.report();
    EXPECT_LE(report.state_bytes() + report.pending_bytes(), kBudget + kBudget / 10) << k.value;
  }
  written();
  const proto::JobReport report = t_.report();
  EXPECT_EQ(report.pending_bytes(), 0u);
  EXPECT_LE(report.state_bytes(), kBudget);
  EXPECT_LT(report.keys(), static_cast<uint64_t>(kKeys));
  std::vector<std::string> asked;
  for (int i = 0; i < kKeys; i += 67) asked.push_back(std::to_string(i));
  EXPECT_EQ(ask(asked)["values"], json(std::vector<int>(asked.size(), 1)));
}

class SlowSmallStore : public StoreDisk {
 protected:
  SlowSmallStore() : StoreDisk(1 << 20, 400'000) {}
};

// What cannot be written as fast as it comes is not acknowledged, so that owners stop sending; one
// goes now and then, so that they do not give the link up.
TEST_F(SlowSmallStore, AcknowledgesNoMoreThanItHasMemoryFor) {
  constexpr uint64_t kParts = 60;
  t_.show({small_plan()});
  t_.fill(kOfA, {}, kStart);
  const size_t filled = t_.fake_owner().acks.size();
  std::vector<std::string> keys;
  for (int i = 0; keys.size() < 500; ++i) {
    if (k_of(std::to_string(i)) == kOfA) keys.push_back(std::to_string(i));
  }
  for (uint64_t i = 0; i < kParts; ++i) more(kOfA, 3 + i, 2 + i, keys);  // in 0.6 s
  const size_t at_once = t_.fake_owner().acks.size() - filled;
  EXPECT_GT(at_once, 0u);
  EXPECT_LT(at_once, kParts / 2);
  t_.sim.run_for(60'000'000);
  EXPECT_EQ(t_.fake_owner().acks.size() - filled, kParts);
  EXPECT_EQ(ask({keys[0]})["values"].at(0), json(kParts));
}

// A store that is read from while it warms up.
class SlowStore : public StoreDisk {
 protected:
  static constexpr uint64_t kParts = 60;
  static constexpr size_t kRows = 10'000;

  SlowStore() : StoreDisk(0, 3'000'000) {
    t_.show({small_plan()});
    t_.fill(kOfA, {rows_of({"a"})}, kStart);
    t_.sim.run_for(60'000'000);
    t_.restart();
    t_.show_until_open({small_plan()});
    register_at(kOfA, 1);
    const std::vector<std::string> rows(kRows, "a");
    before_ = t_.fake_owner().acks.size();
    for (uint64_t i = 0; i < kParts; ++i) more(kOfA, i, 2 + i, rows);  // in 0.6 s, while it is read
  }
  size_t acks() { return t_.fake_owner().acks.size() - before_; }

  size_t before_ = 0;
};

// While a key is read from disk for long, owners stop sending after some: all that has come is
// applied with what was read, in one turn.
TEST_F(SlowStore, AcknowledgesLittleWhileAKeyIsRead) {
  EXPECT_GT(acks(), 10u);
  EXPECT_LT(acks(), kParts / 2);
  t_.sim.run_for(60'000'000);
  EXPECT_EQ(acks(), kParts);
  EXPECT_EQ(ask({"a"})["values"].at(0), json(1 + kParts * kRows));
}

TEST_F(SlowStore, AcknowledgesTheRestOnceAReplicaThatIsReadIsDropped) {
  EXPECT_LT(acks(), kParts / 2);
  t_.show({});
  t_.sim.run_for(500'000);  // less than an acknowledgement now and then would take
  EXPECT_EQ(acks(), kParts);
  t_.sim.run_for(60'000'000);  // what was read comes to nobody
}

}  // namespace
}  // namespace tidemill::test
