#include "worker/key_partition.h"

#include "shared/base/mutation.h"
#include "shared/window/block_list.h"

namespace tidemill {
namespace {

// An idle source's marks come several times a second; one that is silent may have gone on.
constexpr int64_t kIdleHeardForUs = 2'000'000;

TimeUs minus(TimeUs t, DurationUs d) {
  TimeUs out = 0;
  return __builtin_sub_overflow(t, d, &out) ? kMinTime : out;
}

}  // namespace

TimeUs horizon_of(const Plan& plan, const OffsetVector& offsets, const std::vector<bool>& idle,
                  int64_t wall_us) {
  TimeUs least = kMaxTime;
  for (uint32_t s = 0; s < offsets.size(); ++s) {
    if (offsets[s].finished || idle[s]) continue;
    if (offsets[s].max_event_time == kMinTime) return kMinTime;
    uint32_t index = 0;
    const proto::Source& source = plan.source_of(s, &index);
    least = std::min(least, minus(std::min(offsets[s].max_event_time, wall_us),
                                  source.max_out_of_orderness_us()));
  }
  if (least == kMaxTime) return kMinTime;  // none active
  return minus(least, plan.proto().allowed_lateness_us());
}

KeyPartition::KeyPartition(std::shared_ptr<const Plan> plan, KeyPartitionId id, Epoch epoch)
    : plan_(std::move(plan)), id_(id), epoch_(epoch), state_(plan_->tables()) {
  grow(plan_);
}

void KeyPartition::grow(std::shared_ptr<const Plan> plan) {
  plan_ = std::move(plan);
  if (mutated(Mutation::kForgetGrownOffsets)) offsets_.clear();
  offsets_.resize(plan_->source_partitions());
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
  const bool numbered = part.blocks_bytes > 0 || !mutated(Mutation::kUnnumberedMark);
  if (numbered && part.seq != session.next_seq) {
    if (part.seq < session.next_seq) {
      if (!mutated(Mutation::kApplyTwice)) return PartOutcome::kIgnored;
    } else if (!mutated(Mutation::kIgnoreGap)) {
      return PartOutcome::kGap;
    }
  }
  const Buffer blocks = batch.blocks(part);
  std::vector<RowBlockView> views;
  if (auto parsed = parse_blocks(blocks, state_, &views); !parsed) return parsed.error();
  session.next_seq = std::max(session.next_seq, part.seq + 1);
  if (batch.header.main_read && !reached_main_[s]) {
    reached_main_[s] = true;
    ++caught_up_sources_;
  }

  SourcePosition& position = offsets_[s];
  const bool same_idleness = idle_[s] == batch.header.idle;
  idle_[s] = batch.header.idle;
  if (blocks.empty() && position == batch.header.end && same_idleness) {  // nothing but fresher
    read_wall_us_ = std::max(read_wall_us_, batch.header.read_wall_us);
    return PartOutcome::kApplied;
  }
  ++version_;
  for (const RowBlockView& view : views) {
    if (mutated(Mutation::kDropLateByClock) && view.rows() > 0 &&
        view.event_times()[0] < minus(position.max_event_time, kMicrosPerSecond)) {
      continue;
    }
    state_.append(view, version_);
    rows_applied_ += view.rows();
  }
  position = batch.header.end;
  read_wall_us_ = batch.header.read_wall_us;
  raise_horizon(now_us, wall_us);
  unsent_.push_back(
      {version_, batch.header.source, position, read_wall_us_, state_.horizon(), blocks});
  unsent_bytes_ += blocks.size() + sizeof(AppliedChange);
  return PartOutcome::kApplied;
}

void KeyPartition::raise_horizon(int64_t now_us, int64_t wall_us) {
  std::vector<bool> idle = idle_;
  for (uint32_t s = 0; s < idle.size(); ++s) {
    if (now_us - sessions_[s].last_heard_us > kIdleHeardForUs) idle[s] = false;
  }
  const TimeUs horizon = horizon_of(*plan_, offsets_, idle, wall_us);
  if (horizon > state_.horizon()) state_.raise_horizon(horizon);
}

void KeyPartition::drop_unsent(uint64_t version) {
  while (!unsent_.empty() && unsent_.front().version <= version) {
    unsent_bytes_ -= unsent_.front().blocks.size() + sizeof(AppliedChange);
    unsent_.pop_front();
  }
  unsent_since_ = std::max(unsent_since_, std::min(version, version_));
}

}  // namespace tidemill
