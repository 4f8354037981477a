// What tests of followers share: parts of an owner's session, and a state that shows what became of
// the rows.
#pragma once

#include <gtest/gtest.h>

#include "shared/state/follower.h"
#include "shared/window/partition_state.h"
#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill::test {

using Outcome = Follower::Outcome;

// A state beside the follower, which shows what became of the rows.
class Rows : public FollowedRows {
 public:
  explicit Rows(TableSchemas schemas) : schemas_(schemas), state(schemas) {}

  void append(const RowBlockView& block, uint64_t number) override {
    state.append(block, number);
    numbers.push_back(number);
  }
  Status replace(bool whole, std::span<const Buffer> images, uint64_t number) override {
    if (whole) clear();
    numbers.push_back(number);
    for (const Buffer& bytes : images) {
      ByteReader in(bytes.bytes());
      while (in.remaining() > 0) {
        if (Status applied = state.apply_image(&in, number); !applied) return applied;
      }
    }
    return {};
  }
  void raise_horizon(TimeUs horizon) override { state.raise_horizon(horizon); }
  void raise_floors(const TableFloors& floors) override {
    std::vector<TimeUs> times;
    for (const TableFloor& floor : floors) times.push_back(floor.floor);
    state.raise_floors(times);
  }
  void clear() override { state = PartitionState(schemas_); }

 private:
  TableSchemas schemas_;

 public:
  PartitionState state;
  std::vector<uint64_t> numbers;
};

class FollowerTest : public testing::Test {
 protected:
  ReplicaState open(uint64_t epoch, uint64_t session) {
    return follower_.register_owner({KeyPartitionId(2), Epoch(epoch), session});
  }
  FramePart part(PartKind kind, uint64_t seq, uint64_t from = 0, uint64_t to = 0) {
    FramePart p;
    p.key_partition = KeyPartitionId(2);
    p.epoch = Epoch(epoch_);
    p.session = session_;
    p.seq = seq;
    p.kind = kind;
    p.from_epoch = Epoch(from_epoch_ != 0 ? from_epoch_ : epoch_);
    p.from_version = from;
    p.to_version = to;
    return p;
  }
  FramePart rows(uint64_t seq, uint64_t from, uint64_t to, const std::vector<test::TestRow>& rows,
                 uint64_t offset = 0) {
    FramePart p = part(PartKind::kRows, seq, from, to);
    if (!rows.empty()) p.payload.push_back(block_of(rows));
    p.advances.push_back({SourcePartitionId(0), {offset, kStart, false}});
    p.read_wall_us = static_cast<int64_t>(to);
    p.rows_applied = 100 + to;
    return p;
  }
  FramePart begin(uint64_t seq, bool whole, uint64_t from = 0) {
    FramePart p = part(PartKind::kImagesBegin, seq, from);
    p.whole = whole;
    return p;
  }
  // Images of keys that have just these rows.
  FramePart images(PartKind kind, uint64_t seq, uint64_t to,
                   const std::vector<test::TestRow>& rows) {
    PartitionState state(plan_->tables());
    FramePart p = part(kind, seq, 0, to);
    if (!rows.empty()) {
      const Buffer block = block_of(rows);
      state.append(*RowBlockView::parse(block.bytes()), 1);
      ByteWriter out;
      for (size_t slot = 0; slot < state.slot_count(); ++slot) state.encode_image(slot, &out);
      p.payload.push_back(Buffer(out.take()));
    }
    return p;
  }
  // Holds version `to` of the session's owner.
  void load(uint64_t to, const std::vector<test::TestRow>& rows) {
    ASSERT_EQ(follower_.apply(begin(0, true)), Outcome::kApplied);
    FramePart close = images(PartKind::kImagesClose, 1, to, rows);
    close.advances.push_back({SourcePartitionId(0), {10 * to, kStart, false}});
    ASSERT_EQ(follower_.apply(close), Outcome::kApplied);
  }
  int64_t count(const std::string& key) {
    return follower_.holds_state() ? count_at(*plan_, rows_.state, key, kStart) : -2;
  }
  // The session is over and says so each time.
  void expect_over(const FramePart& next) {
    EXPECT_EQ(follower_.apply(next), Outcome::kRefused);
    EXPECT_EQ(follower_.apply(next), Outcome::kRefused);
  }

  std::shared_ptr<const Plan> plan_ = small_plan();
  Rows rows_{plan_->tables()};
  Follower follower_{plan_->tables(), KeyPartitionId(2), &rows_};
  uint64_t epoch_ = 3;
  uint64_t from_epoch_ = 0;  // 0: that of the owner
  uint64_t session_ = 5;
};

}  // namespace tidemill::test
