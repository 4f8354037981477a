#include "coordinator/snapshot_codec.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "coordinator/metadata_batch.h"
#include "coordinator/snapshot_registry.h"
#include "tests/unit/coordinator/snapshot_fixture.h"
#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

constexpr JobId kJob{1};

RegisteredSnapshot any_snapshot() {
  RegisteredSnapshot out;
  out.manifest = *rc::gen::container<std::string>(rc::gen::inRange('a', 'z'));
  out.stamp = {Epoch{*rc::gen::arbitrary<uint64_t>()}, *rc::gen::arbitrary<uint64_t>()};
  out.total_bytes = *rc::gen::arbitrary<uint64_t>();
  out.new_bytes = *rc::gen::arbitrary<uint64_t>();
  out.rows = *rc::gen::arbitrary<uint64_t>();
  out.taken_at = *rc::gen::arbitrary<int64_t>();
  out.trigger = *rc::gen::arbitrary<uint64_t>();
  out.offsets = *rc::gen::arbitrary<std::vector<uint64_t>>();
  return out;
}

std::shared_ptr<const JobSnapshots> any_snapshots(uint32_t key_partitions) {
  auto out = std::make_shared<JobSnapshots>();
  out->key_partitions.resize(*rc::gen::inRange<size_t>(0, key_partitions + 1));
  for (auto& each : out->key_partitions) {
    PartitionSnapshots retained;
    const auto count = *rc::gen::inRange<size_t>(0, kRetainedSnapshots + 1);
    for (size_t i = 0; i < count; ++i) retained.push_back(any_snapshot());
    if (count > 0) each = std::make_shared<const PartitionSnapshots>(std::move(retained));
  }
  return out;
}

std::shared_ptr<const Savepoint> any_savepoint(const std::string& name) {
  Savepoint out;
  out.name = name;
  out.job = JobId{*rc::gen::inRange<uint32_t>(1, 100)};
  out.job_name = "payments";
  out.trigger = *rc::gen::inRange<uint64_t>(1, 1000);
  out.made_at = *rc::gen::arbitrary<int64_t>();
  out.complete = *rc::gen::arbitrary<bool>();
  if (out.complete) {
    out.plan = testing::small_plan("payments", 2, 3);
    for (int k = 0; k < 2; ++k) {
      out.snapshots.push_back(any_snapshot());
      out.snapshots.back().offsets.clear();
    }
    out.offsets = {1, 2, 3};
  }
  return std::make_shared<const Savepoint>(std::move(out));
}

// Changes a state as decisions do: some values are replaced, some go, the rest is shared.
void change(CoordinatorState* state) {
  state->jobs.at(kJob).snapshots = *rc::gen::arbitrary<bool>() ? any_snapshots(4) : nullptr;
  for (const char* name : {"a", "b", "c"}) {
    const int what = *rc::gen::inRange(0, 3);
    if (what == 0) state->savepoints.erase(name);
    if (what == 1) state->savepoints[name] = any_savepoint(name);
  }
  for (const uint64_t trigger : {0, 1, 2}) {
    const int what = *rc::gen::inRange(0, 3);
    const RemovalId id{JobId{7}, trigger};
    if (what == 0) state->removals.erase(id);
    if (what != 1) continue;
    SnapshotRemoval removal{JobId{7}, trigger, 2, {}};
    if (trigger != 0) removal.manifests = {"x", "y"};
    state->removals[id] = std::make_shared<const SnapshotRemoval>(removal);
  }
}

void write(const KeyValueBatch& batch, KeyValues* values) {
  for (const auto& [key, value] : batch) {
    if (value) {
      (*values)[key] = *value;
    } else {
      values->erase(key);
    }
  }
}

const JobSnapshots& snapshots_of(const CoordinatorState& state) {
  static const JobSnapshots kNone;
  const auto& snapshots = state.jobs.at(kJob).snapshots;
  return snapshots ? *snapshots : kNone;
}

void assert_same(const CoordinatorState& a, const CoordinatorState& b) {
  for (uint32_t k = 0; k < 4; ++k) RC_ASSERT(snapshots_of(a).of(k) == snapshots_of(b).of(k));
  RC_ASSERT(a.savepoints.size() == b.savepoints.size());
  for (const auto& [name, savepoint] : a.savepoints) {
    RC_ASSERT(encode_savepoint(*savepoint).SerializeAsString() ==
              encode_savepoint(*b.savepoints.at(name)).SerializeAsString());
  }
  RC_ASSERT(a.removals.size() == b.removals.size());
  for (const auto& [id, removal] : a.removals) RC_ASSERT(*removal == *b.removals.at(id));
}

RC_GTEST_PROP(SnapshotCodec, WhatBatchesWriteIsReadAgain, ()) {
  CoordinatorState before;
  KeyValues values;
  auto after = testing::state_with_job(4);
  for (int i = 0; i < 4; ++i) {
    change(&after);
    write(metadata_batch(before, after), &values);
    before = after;
    const auto read = metadata_state(values);
    RC_ASSERT(read.ok());
    assert_same(after, *read);
  }
  after.jobs.erase(kJob);
  write(metadata_batch(before, after), &values);
  RC_ASSERT(metadata_state(values).ok());
  for (const auto& [key, value] : values) RC_ASSERT(!key.starts_with("snapshots/"));
}

TEST(SnapshotCodec, ARegistrationWritesItsKeyPartitionOnly) {
  auto before = testing::state_with_job(64);
  for (uint32_t k = 0; k < 64; ++k) {
    ASSERT_EQ(register_snapshot(testing::claim_of(kJob, k, 100 + k, 3), NodeId{10 + k}, &before),
              Registration::kNew);
  }
  auto after = before;
  ASSERT_EQ(register_snapshot(testing::claim_of(kJob, 9, 109, 4), NodeId{19}, &after),
            Registration::kNew);
  const auto batch = metadata_batch(before, after);
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[0].key, "cluster");
  EXPECT_EQ(batch[1].key, "snapshots/00000001/00000009");
}

TEST(SnapshotCodec, KeepsWhatAJobHasOfTriggersAndSavepoints) {
  auto state = testing::state_with_job();
  auto job = *state.jobs.at(kJob).job;
  job.snapshot_trigger = 12;
  job.from_savepoint = "before-upgrade";
  job.origin = JobId{9};
  state.jobs.at(kJob).job = std::make_shared<const JobRecord>(job);
  KeyValues values;
  write(metadata_batch({}, state), &values);
  const auto read = metadata_state(values);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->jobs.at(kJob).job->snapshot_trigger, 12u);
  EXPECT_EQ(read->jobs.at(kJob).job->from_savepoint, "before-upgrade");
  EXPECT_EQ(read->jobs.at(kJob).job->origin, JobId{9});
}

TEST(SnapshotCodec, RefusesWhatCannotBe) {
  auto state = testing::state_with_job();
  ASSERT_EQ(register_snapshot(testing::claim_of(kJob, 0, 100, 3), NodeId{10}, &state),
            Registration::kNew);
  KeyValues good;
  write(metadata_batch({}, state), &good);
  ASSERT_TRUE(metadata_state(good).ok());
  const std::string key = "snapshots/00000001/00000000";
  const std::string value = good.at(key);
  for (const std::string other : {"snapshots/00000001/00000001", "snapshots/00000002/00000000",
                                  "savepoints/a", "removals/00000002/0000000000000000"}) {
    KeyValues bad = good;
    bad[other] = value;
    EXPECT_FALSE(metadata_state(bad).ok()) << other;
  }
  proto::StoredSnapshots stored;
  ASSERT_TRUE(stored.ParseFromString(value));
  auto newer = stored;
  newer.set_format_version(2);
  auto none = stored;
  none.clear_snapshots();
  auto beyond = stored;
  beyond.set_key_partition(4);
  for (const auto& each : {newer, none, beyond}) {
    KeyValues bad = good;
    bad[key] = each.SerializeAsString();
    EXPECT_EQ(metadata_state(bad).error().code(), ErrorCode::kCorrupt);
  }
  proto::StoredSavepoint savepoint;
  savepoint.set_format_version(1);
  savepoint.set_name("s");
  savepoint.set_job(1);
  savepoint.set_trigger(1);
  EXPECT_TRUE(decode_savepoint(savepoint).ok());
  savepoint.set_complete(true);  // and nothing is there
  EXPECT_FALSE(decode_savepoint(savepoint).ok());
  proto::StoredRemoval removal;
  removal.set_format_version(1);
  EXPECT_FALSE(decode_removal(removal).ok());
}

}  // namespace
}  // namespace tidemill
