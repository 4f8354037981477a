// An owner's session and a replica together, over a channel that loses, repeats and delays: the
// replica's state is always that of one V of the owner, and in the end the owner's own.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>

#include "serving/replica.h"
#include "tests/unit/worker/data_plane_fixture.h"
#include "worker/replica_session.h"

namespace tidemill::test {
namespace {

const std::vector<std::string> kKeys{"a", "b", "c", "d"};

class Pair {
 public:
  Pair() { new_owner(); }

  // A new owner starts from nothing, as after a lost worker, and reads again from the beginning.
  void new_owner() {
    owner_ = std::make_unique<KeyPartition>(plan_, KeyPartitionId(0), Epoch(++epoch_));
    owner_->sessions()[0] = {1, 0, Epoch(1), true, false, 0};
    owner_->sessions()[1] = {1, 0, Epoch(1), true, false, 0};
    const SourceBatch mark = batch_of({.source = 1, .end = {}}, {});
    RC_ASSERT(owner_->apply(mark, mark.parts[0], 0, kStart).ok());
    session_ = ReplicaSession();
    to_replica_.clear();
    to_owner_.clear();
    acks_.clear();
    next_event_ = 0;
  }

  // The log is a function of its offset: event i has key i % 4.
  void read_one() {
    const SourcePosition end{next_event_ + 1, kStart, false};
    const bool mark = next_event_ % 5 == 4;
    const std::vector<TestRow> rows{{kKeys[next_event_ % 4], kStart, 1}};
    const SourceBatch batch = batch_of({.seq = owner_->sessions()[0].next_seq, .end = end},
                                       mark ? Buffer() : block_of(rows));
    RC_ASSERT(owner_->apply(batch, batch.parts[0], 0, kStart).ok());
    ++next_event_;
  }

  void send() {
    if (session_.should_register(now_us_, 50)) {
      registering_ = session_.begin_registration(*owner_, next_session_++, now_us_);
      to_replica_.push_back({});
      to_replica_.back().seq = UINT64_MAX;  // stands for the registration
      to_replica_.back().session = registering_.session;
      to_replica_.back().epoch = registering_.epoch;
    }
    FramePart part;
    if (session_.next_part(*owner_, 1, now_us_, 10, &part)) to_replica_.push_back(part);
    now_us_ += 20;
  }

  void deliver(bool lose, bool repeat) {
    if (to_replica_.empty()) return;
    const FramePart part = to_replica_.front();
    if (!repeat) to_replica_.pop_front();
    if (lose) return;
    if (part.seq == UINT64_MAX) {
      to_owner_.push_back(replica_.register_owner({KeyPartitionId(0), part.epoch, part.session}));
    } else if (const auto outcome = replica_.apply(part); outcome == Replica::Outcome::kApplied) {
      acks_.push_back({part.session, replica_.epoch() == part.epoch ? replica_.version() : 0});
    } else if (outcome == Replica::Outcome::kRefused) {
      to_owner_.push_back(replica_.state());
      to_owner_.back().session = part.session;
    }
    check();
  }

  void answer(bool lose) {
    if (!to_owner_.empty()) {
      const ReplicaState state = to_owner_.front();
      to_owner_.pop_front();
      if (!lose) session_.on_replica_state(*owner_, state);
    }
    if (!acks_.empty()) {
      const auto [session, version] = acks_.front();
      acks_.pop_front();
      if (!lose && session == session_.id()) session_.on_ack(version);
    }
    // What is said to be published is held.
    RC_ASSERT(covers(replica_.offsets(), session_.acked_offsets()));
    owner_->drop_unsent(std::min(owner_->version(), session_.needs_rows_after()));
  }

  void drop_all_rows() { owner_->drop_unsent(owner_->version()); }

  void settle() {
    read_one();  // with which source 0 has been reached as well
    for (int i = 0; i < 600; ++i) {
      send();
      deliver(false, false);
      answer(false);
    }
    RC_ASSERT(replica_.ready());
    RC_ASSERT(replica_.version() == owner_->version());
    RC_ASSERT(replica_.offsets() == owner_->offsets());
    RC_ASSERT(session_.acked_offsets() == owner_->offsets());
    RC_ASSERT(owner_->unsent().empty());
    check();
  }
  void catch_up() {
    while (next_event_ < replica_offset()) read_one();
  }

 private:
  uint64_t replica_offset() const {
    return replica_.offsets().empty() ? 0 : replica_.offsets()[0].offset;
  }
  // The replica holds exactly the events below its own V, and never goes back.
  void check() {
    if (!replica_.ready()) return;
    const uint64_t offset = replica_offset();
    RC_ASSERT(offset >= greatest_);
    greatest_ = offset;
    std::vector<int64_t> want(4, 0);
    for (uint64_t e = 0; e < offset; ++e) want[e % 4] += e % 5 != 4;
    for (size_t k = 0; k < 4; ++k) {
      const int64_t got = count_at(*plan_, replica_.window(), kKeys[k], kStart);
      RC_ASSERT(std::max<int64_t>(got, 0) == want[k]);
    }
  }

  std::shared_ptr<const Plan> plan_ = small_plan();
  uint64_t epoch_ = 0;
  std::unique_ptr<KeyPartition> owner_;
  ReplicaSession session_;
  Replica replica_{plan_->tables(), KeyPartitionId(0)};
  RegisterReplicas::Entry registering_;
  std::deque<FramePart> to_replica_;
  std::deque<ReplicaState> to_owner_;
  std::deque<std::pair<uint64_t, uint64_t>> acks_;
  uint64_t next_event_ = 0;
  uint64_t next_session_ = 1;
  uint64_t greatest_ = 0;
  int64_t now_us_ = 0;
};

RC_GTEST_PROP(ReplicaFollowsOwner, WhateverTheChannelDoes, ()) {
  Pair pair;
  for (int step = 0; step < 120; ++step) {
    switch (*rc::gen::weightedElement<int>(
        {{8, 0}, {10, 1}, {10, 2}, {10, 3}, {2, 4}, {2, 5}, {2, 6}, {1, 7}, {1, 8}})) {
      case 0:
        pair.read_one();
        break;
      case 1:
        pair.send();
        break;
      case 2:
        pair.deliver(false, false);
        break;
      case 3:
        pair.answer(false);
        break;
      case 4:
        pair.deliver(true, false);
        break;
      case 5:
        pair.deliver(false, true);
        break;
      case 6:
        pair.answer(true);
        break;
      case 7:
        pair.drop_all_rows();
        break;
      default:
        pair.new_owner();
    }
  }
  pair.catch_up();
  pair.settle();
}

}  // namespace
}  // namespace tidemill::test
