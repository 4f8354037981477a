// An owner's session and a replica together, each with its disk, over a channel that loses, repeats
// and delays, while both are replaced and restarted: the replica's state is always that of one V of
// an owner, and in the end the owner's own.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>

#include "serving/replica.h"
#include "shared/base/hash.h"
#include "tests/unit/worker/data_plane_fixture.h"
#include "worker/key_partition.h"
#include "worker/replica_session.h"

namespace tidemill::test {
namespace {

const std::vector<std::string> kKeys{"a", "b", "c", "d"};

class Pair {
 public:
  Pair() {
    new_owner(false);
    restart_replica();
  }

  // A new owner goes on from what the last one wrote, or starts from nothing.
  void new_owner(bool from_disk) {
    scan_.reset();
    owner_.reset();
    if (!from_disk || !owner_disk_) {
      owner_disk_.reset();
      owner_disk_ = open("/owner-" + std::to_string(++directories_));
    }
    StateHead head;
    if (owner_disk_->manifest() != nullptr) head = from_proto(owner_disk_->manifest()->head());
    const uint64_t read_to = head.offsets.empty() ? 0 : head.offsets[0].offset;
    owner_ = std::make_unique<KeyPartition>(plan_, KeyPartitionId(0), Epoch(++epoch_), head);
    for (InboundSession& session : owner_->sessions()) {
      session = {1, 0, Epoch(1), true, false, 0};
    }
    apply(batch_of({.source = 1, .end = {}}, {}));
    session_ = ReplicaSession();
    to_replica_.clear();
    to_owner_.clear();
    acks_.clear();
    next_event_ = read_to;
  }
  // As a crash: it goes on from what it has written.
  void restart_replica() {
    replica_.reset();
    replica_disk_.reset();
    replica_disk_ = open("/replica");
    replica_ = std::make_unique<Replica>(plan_->tables(), KeyPartitionId(0));
    if (replica_disk_->manifest() != nullptr) {
      replica_->restore(from_proto(replica_disk_->manifest()->head()));
    }
    greatest_ = replica_offset();
    check();
  }

  // The log is a function of its offset: event i has key i % 4, and every fifth is of no view.
  void read_one() {
    const SourcePosition end{next_event_ + 1, kStart, false};
    const bool mark = next_event_ % 5 == 4;
    const std::vector<TestRow> rows{{kKeys[next_event_ % 4], kStart, 1}};
    apply(batch_of({.seq = owner_->sessions()[0].next_seq, .end = end},
                   mark ? Buffer() : block_of(rows)));
    ++next_event_;
    log_end_ = std::max(log_end_, next_event_);
  }
  void write_owner() {
    if (!owner_->changed_since_disk()) return;
    RC_ASSERT(owner_disk_->write(owner_->begin_increment(1)).ok());
    owner_->end_increment(true);
  }
  void write_replica() {
    Follower& follower = replica_->follower();
    if (!follower.changed()) return;
    RC_ASSERT(replica_disk_->write(follower.begin_increment(1)).ok());
    follower.end_increment(true);
  }
  void evict() { replica_->evict(1'000, 8); }

  void send() {
    if (session_.should_register(now_us_, 50)) {
      const auto entry =
          session_.begin_registration(KeyPartitionId(0), owner_->epoch(), next_session_++, now_us_);
      to_replica_.push_back({});
      to_replica_.back().seq = UINT64_MAX;  // stands for the registration
      to_replica_.back().session = entry.session;
      to_replica_.back().epoch = entry.epoch;
    }
    FramePart part;
    if (session_.next_part(*owner_, 1, now_us_, 10, &part)) to_replica_.push_back(part);
    scan();
    now_us_ += 20;
  }

  void deliver(bool lose, bool repeat) {
    if (to_replica_.empty()) return;
    const FramePart part = to_replica_.front();
    if (!repeat) to_replica_.pop_front();
    if (lose) return;
    Follower& follower = replica_->follower();
    if (part.seq == UINT64_MAX) {
      to_owner_.push_back(follower.register_owner({KeyPartitionId(0), part.epoch, part.session}));
    } else if (const auto outcome = follower.apply(part); outcome == Follower::Outcome::kApplied) {
      const Stamp held = follower.head().stamp();
      acks_.push_back({part.session, held.epoch == part.epoch ? held.version : 0});
    } else if (outcome == Follower::Outcome::kRefused) {
      to_owner_.push_back(follower.state());
      to_owner_.back().session = part.session;
    }
    check();
  }

  void answer(bool lose) {
    if (!to_owner_.empty()) {
      const ReplicaState state = to_owner_.front();
      to_owner_.pop_front();
      if (!lose) session_.on_replica_state(owner_->epoch(), state);
    }
    if (!acks_.empty()) {
      const auto [session, version] = acks_.front();
      acks_.pop_front();
      if (!lose && session == session_.id()) session_.on_ack(version);
    }
    owner_->drop_unsent(std::min(owner_->version(), session_.needs_rows_after(*owner_)));
  }

  void drop_all_rows() { owner_->drop_unsent(owner_->version()); }

  void settle() {
    // All that was ever read: the owner may wait to reach what a replica held before a restart.
    while (next_event_ < log_end_) read_one();
    read_one();  // with which source 0 has been reached as well
    for (int i = 0; i < 600; ++i) {
      if (i % 100 == 0) write_owner();  // as it does every few seconds
      send();
      deliver(false, false);
      answer(false);
    }
    RC_ASSERT(replica_->follower().holds_state());
    RC_ASSERT(replica_->current());
    RC_ASSERT(replica_->follower().head().stamp() == owner_->head().stamp());
    RC_ASSERT(replica_->follower().head().ancestry == owner_->head().ancestry);
    RC_ASSERT(padded(replica_->follower().head().offsets) == owner_->offsets());
    RC_ASSERT(padded(session_.acked_offsets()) == owner_->offsets());
    RC_ASSERT(owner_->unsent().empty());
    check();
  }

 private:
  // A source of which nothing is known is at its beginning.
  OffsetVector padded(OffsetVector offsets) const {
    offsets.resize(owner_->offsets().size());
    return offsets;
  }
  std::unique_ptr<PartitionDisk> open(const std::string& directory) {
    PartitionDiskConfig config;
    config.disk = disk_;
    config.directory = directory;
    config.job = JobId(1);
    config.schemas = plan_->tables();
    auto opened = PartitionDisk::open(config);
    RC_ASSERT(opened.ok());
    return std::move(*opened);
  }
  void apply(const SourceBatch& batch) {
    const auto outcome = owner_->apply(batch, batch.parts[0], 0, kStart);
    RC_ASSERT(outcome.ok());
    RC_ASSERT(*outcome == PartOutcome::kApplied);
  }
  // What the blocking pool does for a session that sends images.
  void scan() {
    const auto wanted = session_.scan_wanted();
    if (!wanted) return;
    if (wanted->begin) {
      if (owner_->disk_version() < wanted->disk_version) {
        write_owner();
      }
      auto begun = owner_disk_->scan(wanted->since);
      RC_ASSERT(begun.ok());
      scan_ = std::move(*begun);
    }
    session_.scan_asked();
    ByteWriter images;
    const auto more = scan_->next(50, &images);
    RC_ASSERT(more.ok());
    session_.on_page(
        {wanted->scan, "", scan_->head(), scan_->whole(), Buffer(images.take()), !*more});
  }
  uint64_t replica_offset() const {
    const OffsetVector& offsets = replica_->follower().head().offsets;
    return offsets.empty() ? 0 : offsets[0].offset;
  }
  // The replica holds exactly the events below its own V, and never goes back.
  void check() {
    if (!replica_->follower().holds_state()) return;
    const uint64_t offset = replica_offset();
    RC_ASSERT(offset >= greatest_);
    greatest_ = offset;
    std::vector<int64_t> want(4, 0);
    for (uint64_t e = 0; e < offset; ++e) want[e % 4] += e % 5 != 4;
    for (size_t k = 0; k < 4; ++k) {
      bring(kKeys[k]);
      const int64_t got = count_at(*plan_, replica_->window(), kKeys[k], kStart);
      RC_ASSERT(std::max<int64_t>(got, 0) == want[k]);
    }
  }
  void bring(const std::string& key) {
    const uint64_t hash = hash_entity_key(key, (*plan_->tables())[0].entity_seed);
    if (replica_->window().find(0, key, hash) != PartitionState::Found::kMaybeOnDisk) return;
    const std::vector<StateKey> keys{{0, hash, key}};
    const auto images = replica_disk_->get(keys);
    RC_ASSERT(images.ok());
    const auto loaded = replica_->load(replica_->follower().on_disk(), keys, *images);
    RC_ASSERT(loaded.ok());
    RC_ASSERT(*loaded);
  }

  std::shared_ptr<const Plan> plan_ = small_plan();
  std::shared_ptr<Disk> disk_ = Disk::in_memory();
  uint64_t epoch_ = 0;
  int directories_ = 0;
  std::unique_ptr<PartitionDisk> owner_disk_, replica_disk_;
  std::unique_ptr<StateScan> scan_;  // of the owner's disk
  std::unique_ptr<KeyPartition> owner_;
  ReplicaSession session_;
  std::unique_ptr<Replica> replica_;
  std::deque<FramePart> to_replica_;
  std::deque<ReplicaState> to_owner_;
  std::deque<std::pair<uint64_t, uint64_t>> acks_;
  uint64_t next_event_ = 0;
  uint64_t log_end_ = 0;
  uint64_t next_session_ = 1;
  uint64_t greatest_ = 0;
  int64_t now_us_ = 0;
};

RC_GTEST_PROP(ReplicaFollowsOwner, WhateverTheChannelDoes, ()) {
  Pair pair;
  for (int step = 0; step < 120; ++step) {
    switch (*rc::gen::weightedElement<int>({{8, 0},
                                            {10, 1},
                                            {10, 2},
                                            {10, 3},
                                            {2, 4},
                                            {2, 5},
                                            {2, 6},
                                            {1, 7},
                                            {1, 8},
                                            {1, 9},
                                            {3, 10},
                                            {3, 11},
                                            {1, 12},
                                            {2, 13}})) {
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
      case 8:
        pair.new_owner(false);
        break;
      case 9:
        pair.new_owner(true);
        break;
      case 10:
        pair.write_owner();
        break;
      case 11:
        pair.write_replica();
        break;
      case 12:
        pair.restart_replica();
        break;
      default:
        pair.evict();
    }
  }
  pair.settle();
}

}  // namespace
}  // namespace tidemill::test
