#include "worker/key_partition.h"

#include <algorithm>

#include "shared/base/assert.h"
#include "shared/base/mutation.h"
#include "shared/state/floors.h"
#include "shared/state/follower.h"
#include "shared/window/block_list.h"

namespace tidemill {
namespace {

// An idle source's marks come several times a second; one that is silent may have gone on.
constexpr int64_t kIdleHeardForUs = 2'000'000;

}  // namespace

TimeUs horizon_of(const Plan& plan, const OffsetVector& offsets, const std::vector<bool>& idle,
                  int64_t wall_us) {
  TimeUs least = kMaxTime;
  for (uint32_t s = 0; s < offsets.size(); ++s) {
    if (offsets[s].finished || idle[s]) continue;
    if (offsets[s].max_event_time == kMinTime) return kMinTime;
    uint32_t index = 0;
    const proto::Source& source = plan.source_of(s, &index);
    least = std::min(least, saturating_subtract(std::min(offsets[s].max_event_time, wall_us),
                                  source.max_out_of_orderness_us()));
  }
  if (least == kMaxTime) return kMinTime;  // none active
  return saturating_subtract(least, plan.proto().allowed_lateness_us());
}

KeyPartition::KeyPartition(std::shared_ptr<const Plan> plan, KeyPartitionId id, Epoch epoch,
                           StateHead head)
    : plan_(std::move(plan)),
      id_(id),
      epoch_(epoch),
      head_(std::move(head)),
      late_(plan_->tables()),
      on_disk_(head_.stamp()),
      disk_version_(on_disk_.version) {
  begin_epoch();
}

KeyPartition::KeyPartition(std::shared_ptr<const Plan> plan, KeyPartitionId id, Epoch epoch,
                           const Follower& standby)
    : plan_(std::move(plan)),
      id_(id),
      epoch_(epoch),
      head_(standby.head()),
      late_(plan_->tables()),
      on_disk_(standby.on_disk()),
      // Of a former owner's after the two parted, it is no point of the owner's history.
      disk_version_(lies_in(head_.ancestry, on_disk_) ? on_disk_.version : 0) {
  for (const Follower::Pending& p : standby.pending()) {
    pending_.add({0, p.change});
  }
  writing_ = standby.writes();
  if (writing_) pending_.take_over_writing(standby.pending_in_writing());
  if (mutated(Mutation::kForgetFloorOnPromotion)) {
    for (TableFloor& floor : head_.floors) floor.floor = kMinTime;
  }
  begin_epoch();
}

// The grant itself is the first change: so the newest stamp is always one of this epoch, and what a
// former owner did after the state that this one began with is no part of its ancestry.
void KeyPartition::begin_epoch() {
  first_ = head_;
  late_.restore(head_.too_late_rows, head_.too_late_by_view);
  unsent_since_ = version();
  grow(plan_);
  AppliedChange grant;
  grant.version = version() + 1;
  grant.read_wall_us = head_.read_wall_us;
  grant.horizon = head_.horizon;
  note_change(std::move(grant), 0);
}

void KeyPartition::grow(std::shared_ptr<const Plan> plan) {
  if (plan_ != plan) {
    LateRows counted(plan->tables());
    counted.restore(late_.dropped(), late_.by_view());
    late_ = std::move(counted);
  }
  plan_ = std::move(plan);
  if (mutated(Mutation::kForgetGrownOffsets)) head_.offsets.clear();
  head_.offsets.resize(std::max<size_t>(head_.offsets.size(), plan_->source_partitions()));
  keep_as_of(*plan_->tables(), &head_);
  sessions_.resize(plan_->source_partitions());
  reached_main_.resize(plan_->source_partitions());
  idle_.resize(plan_->source_partitions());
}

Result<PartOutcome> KeyPartition::apply(const SourceBatch& batch, const SourceBatchPart& part,
                                        int64_t now_us, int64_t wall_us) {
  const uint32_t s = batch.header.source.value;
  InboundSession& session = sessions_[s];
  if (!session.open || part.session != session.id ||
      batch.header.reader_epoch != session.reader_epoch) {
    return PartOutcome::kIgnored;
  }
  session.answered = true;
  session.last_heard_us = now_us;
  // The reader goes by a plan that is on its way here.
  if (batch.header.tables > plan_->tables()->size()) return PartOutcome::kGap;
  const bool numbered = part.blocks_bytes > 0 || !mutated(Mutation::kUnnumberedMark);
  if (numbered && part.seq != session.next_seq) {
    if (part.seq < session.next_seq) {
      if (!mutated(Mutation::kApplyTwice)) return PartOutcome::kIgnored;
    } else if (!mutated(Mutation::kIgnoreGap)) {
      return PartOutcome::kGap;
    }
  }
  Buffer blocks = batch.blocks(part);
  if (own_bytes_) blocks = arena_.copy(blocks.bytes());
  std::vector<RowBlockView> views;
  if (auto parsed = parse_blocks(blocks, *plan_->tables(), &views); !parsed) return parsed.error();
  session.next_seq = std::max(session.next_seq, part.seq + 1);
  if (batch.header.main_read && !reached_main_[s]) {
    reached_main_[s] = true;
    ++caught_up_sources_;
  }

  SourcePosition& position = head_.offsets[s];
  const bool same_idleness = idle_[s] == batch.header.idle;
  idle_[s] = batch.header.idle;
  if (blocks.empty() && position == batch.header.end && same_idleness) {  // nothing but fresher
    head_.read_wall_us = std::max(head_.read_wall_us, batch.header.read_wall_us);
    return PartOutcome::kApplied;
  }
  AppliedChange change;
  change.version = version() + 1;
  change.source = batch.header.source;
  change.begin_offset = position.offset;
  change.blocks = blocks;
  for (const RowBlockView& view : views) {
    if (mutated(Mutation::kDropLateByClock) && view.rows() > 0 &&
        view.event_times()[0] < saturating_subtract(position.max_event_time, kMicrosPerSecond)) {
      change.blocks = Buffer();
      continue;
    }
    late_.count(view, head_.horizon);
    head_.rows_applied += view.rows();
  }
  position = batch.header.end;
  raise_floors_of_unknown(*plan_->tables(), batch.header.tables, &head_);
  head_.read_wall_us = batch.header.read_wall_us;
  raise_horizon(now_us, wall_us);
  change.position = position;
  change.read_wall_us = head_.read_wall_us;
  change.horizon = head_.horizon;
  note_change(std::move(change), now_us);
  return PartOutcome::kApplied;
}

void KeyPartition::note_change(AppliedChange change, int64_t now_us) {
  advance(&head_.ancestry, {epoch_, change.version});
  change.rows_applied = head_.rows_applied;
  if (floors_ == nullptr || *floors_ != head_.floors) {
    floors_ = std::make_shared<const TableFloors>(head_.floors);
  }
  change.floors = floors_;
  if (!change.blocks.empty()) {
    pending_.add({now_us, {StateChange::Kind::kRows, change.blocks}});
  }
  noted_bytes_ += change.blocks.size() + sizeof(AppliedChange);
  change.noted_bytes = noted_bytes_;
  unsent_.push_back(std::move(change));
}

void KeyPartition::raise_horizon(int64_t now_us, int64_t wall_us) {
  std::vector<bool> idle = idle_;
  for (uint32_t s = 0; s < idle.size(); ++s) {
    if (now_us - sessions_[s].last_heard_us > kIdleHeardForUs) idle[s] = false;
  }
  head_.horizon = std::max(head_.horizon, horizon_of(*plan_, head_.offsets, idle, wall_us));
}

OwnerState KeyPartition::owner_state(const OffsetVector& offsets) const {
  OwnerState out;
  out.epoch = epoch_;
  out.ancestry = &head_.ancestry;
  out.offsets = &head_.offsets;
  out.rows_since_version = unsent_since_;
  out.first_version = first_version();
  out.first_offsets = &first_.offsets;
  out.began_empty = first_.ancestry.empty();
  out.aligned = std::all_of(unsent_.begin(), unsent_.end(), [&](const AppliedChange& c) {
    if (mutated(Mutation::kIgnoreCuts)) return true;
    if (c.source == AppliedChange::kNoSource || c.source.value >= offsets.size()) return true;
    const uint64_t at = offsets[c.source.value].offset;
    return c.position.offset <= at || c.begin_offset >= at;
  });
  return out;
}

uint64_t KeyPartition::version_covering(const OffsetVector& offsets) const {
  OffsetVector reached = first_.offsets;
  reached.resize(std::max(reached.size(), head_.offsets.size()));
  for (const AppliedChange& change : unsent_) {
    if (change.source != AppliedChange::kNoSource) reached[change.source.value] = change.position;
    if (covers(reached, offsets)) return change.version;
  }
  return version();
}

std::optional<uint64_t> KeyPartition::noted_bytes_up_to(uint64_t version) const {
  if (version <= first_version()) return 0;
  if (version >= this->version()) return noted_bytes_;
  if (version < unsent_since_) return {};
  if (version == unsent_since_) return dropped_bytes_;
  return unsent_[version - unsent_.front().version].noted_bytes;
}

void KeyPartition::drop_unsent(uint64_t version) {
  while (!unsent_.empty() && unsent_.front().version <= version) {
    dropped_bytes_ = unsent_.front().noted_bytes;
    unsent_.pop_front();
  }
  unsent_since_ = std::max(unsent_since_, std::min(version, this->version()));
}

int64_t KeyPartition::oldest_pending_us() const {
  return pending_.entries().empty() ? INT64_MAX : pending_.entries().front().since_us;
}

Increment KeyPartition::begin_increment(int64_t wall_us) {
  ASSERT(!writing());
  Increment out;
  out.head = head_;
  out.head.too_late_rows = late_.dropped();
  out.head.too_late_by_view = late_.by_view();
  out.from_version = on_disk_.version;
  out.whole = on_disk_ == Stamp{};
  out.changes = pending_.begin_writing();
  arena_.cut();
  out.taken_at_us = wall_us;
  writing_ = head_.stamp();
  return out;
}

void KeyPartition::end_increment(bool written) {
  ASSERT(writing());
  pending_.end_writing(written);
  if (written) {
    on_disk_ = *writing_;
    disk_version_ = on_disk_.version;
  }
  writing_.reset();
}

}  // namespace tidemill
