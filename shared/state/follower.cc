#include "shared/state/follower.h"

#include <algorithm>

#include "shared/base/assert.h"
#include "shared/base/mutation.h"
#include "shared/plan/limits.h"
#include "shared/state/floors.h"
#include "shared/window/block_list.h"

namespace tidemill {
namespace {

bool well_formed(const Ancestry& ancestry) {
  for (size_t i = 1; i < ancestry.size(); ++i) {
    const bool rises =
        ancestry[i - 1].epoch < ancestry[i].epoch && ancestry[i - 1].version <= ancestry[i].version;
    if (!rises) return false;
  }
  return true;
}

// The ancestry after a part that is applied to a state of ancestry `held`. False if the part's
// stamp cannot follow.
bool ancestry_after(const FramePart& part, const Ancestry& held, Ancestry* out) {
  const Stamp stamp{part.epoch, part.to_version};
  *out = part.ancestry.empty() ? held : part.ancestry;
  const bool follows = well_formed(*out) &&
                       (out->empty() || out->back().epoch < stamp.epoch ||
                        (out->back().epoch == stamp.epoch && out->back().version <= stamp.version));
  if (follows) {
    advance(out, stamp);
    return true;
  }
  *out = {stamp};
  return mutated(Mutation::kAcceptOldEpoch) || mutated(Mutation::kFrameOnWrongVersion);
}

}  // namespace

Follower::Follower(TableSchemas schemas, KeyPartitionId id, FollowedRows* rows)
    : schemas_(std::move(schemas)), id_(id), rows_(rows) {
  keep_as_of(*schemas_, &head_);
}

void Follower::set_schemas(TableSchemas schemas) {
  schemas_ = std::move(schemas);
  keep_as_of(*schemas_, &head_);
  tell_rows();
}

void Follower::restore(StateHead head) {
  ASSERT(session_ == 0 && !holds_state_);
  head_ = std::move(head);
  if (mutated(Mutation::kHorizonFallsOnRecovery)) head_.horizon = kMinTime;
  on_disk_ = head_.stamp();
  holds_state_ = !head_.ancestry.empty();
  // Owners before the one whose state this is are of the past.
  registered_ = std::max(registered_, on_disk_.epoch);
  keep_as_of(*schemas_, &head_);
  tell_rows();
}

ReplicaState Follower::state() const {
  ReplicaState out;
  out.key_partition = id_;
  out.registered = registered_;
  out.session = session_;
  out.holds_state = holds_state_;
  out.epoch = head_.stamp().epoch;
  out.version = head_.stamp().version;
  out.offsets = head_.offsets;
  return out;
}

ReplicaState Follower::register_owner(const RegisterReplicas::Entry& entry) {
  if (mutated(Mutation::kReadVBeforeRegistering) && entry.epoch > registered_) {
    ReplicaState before = state();  // the former owner goes on until the first part comes
    before.registered = entry.epoch;
    before.session = entry.session;
    return before;
  }
  const bool accept_any = mutated(Mutation::kAcceptOldEpoch);
  const bool repeated = entry.epoch == registered_ && entry.session <= session_ && session_ != 0;
  if ((entry.epoch < registered_ && !accept_any) || repeated) {
    ReplicaState unchanged = state();
    unchanged.session = entry.session;  // says to which asking this answers
    return unchanged;
  }
  open_session(accept_any ? entry.epoch : std::max(registered_, entry.epoch), entry.session);
  return state();
}

void Follower::open_session(Epoch epoch, uint64_t session) {
  registered_ = epoch;
  session_ = session;
  next_seq_ = 0;
  session_open_ = true;
  staging_.reset();
}

Follower::Outcome Follower::apply(const FramePart& part) {
  if (mutated(Mutation::kReadVBeforeRegistering) && part.epoch > registered_) {
    open_session(part.epoch, part.session);
  }
  const bool of_owner = part.epoch == registered_ || mutated(Mutation::kAcceptOldEpoch);
  if (!session_open_ || part.session != session_ || !of_owner) return Outcome::kRefused;
  if (part.seq < next_seq_ && !mutated(Mutation::kApplyTwice)) return Outcome::kRepeated;
  const bool in_sequence = part.seq <= next_seq_ || mutated(Mutation::kIgnoreGap) ||
                           mutated(Mutation::kFrameOnWrongVersion);
  if (in_sequence) next_seq_ = std::max(next_seq_, part.seq + 1);
  if (in_sequence && apply_next(part)) return Outcome::kApplied;
  session_open_ = false;
  staging_.reset();
  return Outcome::kRefused;
}

bool Follower::apply_next(const FramePart& part) {
  switch (part.kind) {
    case PartKind::kRows:
      return apply_rows(part);
    case PartKind::kImagesBegin:
      // Without a whole replacement the images build on what is held, at that very version.
      if (!part.whole && !starts_here(part)) return false;
      staging_ = Staging{part.whole, {}, 0};
      return true;
    case PartKind::kImages:
      if (!staging_) return false;
      staging_->images.insert(staging_->images.end(), part.payload.begin(), part.payload.end());
      staging_->bytes += part.payload_bytes();
      return true;
    case PartKind::kImagesClose:
      return close_images(part);
  }
  return false;
}

bool Follower::starts_here(const FramePart& part) const {
  if (!holds_state_) return false;
  const Stamp held = head_.stamp();
  if (mutated(Mutation::kReadVBeforeRegistering)) return true;
  return (held.epoch == part.from_epoch || mutated(Mutation::kAcceptOldEpoch)) &&
         held.version == part.from_version;
}

bool Follower::apply_rows(const FramePart& part) {
  if (!holds_state_) return false;
  if (!starts_here(part) && !mutated(Mutation::kFrameOnWrongVersion)) return false;
  Ancestry ancestry;
  if (!ancestry_after(part, head_.ancestry, &ancestry)) return false;
  std::vector<RowBlockView> views;
  for (const Buffer& bytes : part.payload) {
    if (!parse_blocks(bytes, *schemas_, &views)) return false;
  }
  if (!part.payload.empty()) ++changes_;
  for (const Buffer& bytes : part.payload) keep(part, StateChange::Kind::kRows, bytes);
  if (rows_ != nullptr) {
    for (const RowBlockView& view : views) rows_->append(view, changes_);
  }
  head_.ancestry = std::move(ancestry);
  advance_head(part);
  return true;
}

// Everything staged takes effect in this one turn, or nothing does.
bool Follower::close_images(const FramePart& part) {
  if (!staging_) return false;
  Ancestry ancestry;
  if (!ancestry_after(part, staging_->whole ? Ancestry() : head_.ancestry, &ancestry)) return false;
  const Staging staged = std::move(*staging_);
  staging_.reset();
  std::vector<Buffer> images = staged.images;
  images.insert(images.end(), part.payload.begin(), part.payload.end());
  if (staged.whole) {
    forget_changes();
    head_.offsets.clear();
  }
  ++changes_;
  if (rows_ != nullptr && !rows_->replace(staged.whole, images, changes_)) {
    forget_all();  // half-applied: no answer is better than a wrong one
    return false;
  }
  for (const Buffer& bytes : images) keep(part, StateChange::Kind::kImages, bytes);
  holds_state_ = true;
  head_.ancestry = std::move(ancestry);
  advance_head(part);
  return true;
}

void Follower::advance_head(const FramePart& part) {
  for (const FramePart::Advance& a : part.advances) {
    if (a.source.value >= limits::kSourcePartitions) continue;  // of no plan
    if (a.source.value >= head_.offsets.size()) {
      if (mutated(Mutation::kIgnoreGrownOffsets) && part.kind == PartKind::kRows) continue;
      head_.offsets.resize(a.source.value + 1);
    }
    head_.offsets[a.source.value] = a.position;
  }
  head_.read_wall_us = part.read_wall_us;
  head_.rows_applied = part.rows_applied;
  head_.horizon = std::max(head_.horizon, part.horizon);
  if (part.kind == PartKind::kRows) {
    take_floors_of_rows(*schemas_, part.floors, &head_);
  } else if (!mutated(Mutation::kImagesWithoutFloors)) {
    take_floors_of_images(*schemas_, part.floors, part.horizon, &head_);
  }
  if (part.current) current_ = true;
  tell_rows();
}

void Follower::tell_rows() {
  if (rows_ == nullptr) return;
  rows_->raise_horizon(head_.horizon);
  rows_->raise_floors(head_.floors);
}

void Follower::keep(const FramePart& part, StateChange::Kind kind, const Buffer& bytes) {
  if (bytes.empty()) return;
  pending_.add({part.to_version, changes_, {kind, bytes}});
}

// What was held is to be replaced, on disk as well.
void Follower::forget_changes() {
  pending_.clear();
  on_disk_ = {};
  if (writing_) writing_->outdated = true;
}

void Follower::forget_all() {
  forget_changes();
  holds_state_ = false;
  if (current()) reached_ = head_.offsets;
  current_ = false;
  head_ = {};
  keep_as_of(*schemas_, &head_);
  if (rows_ != nullptr) rows_->clear();
}

void Follower::forget() {
  session_open_ = false;
  staging_.reset();
  forget_all();
}

TimeUs Follower::max_event_time() const {
  TimeUs largest = kMinTime;
  for (const SourcePosition& p : head_.offsets) largest = std::max(largest, p.max_event_time);
  return largest;
}

Increment Follower::begin_increment(int64_t wall_us) {
  ASSERT(!writing_ && holds_state_);
  Increment out;
  out.head = head_;
  out.from_version = on_disk_.version;
  out.whole = on_disk_ == Stamp{};
  out.taken_at_us = wall_us;
  out.changes = pending_.begin_writing();
  writing_ = Writing{head_.stamp(), changes_, false};
  return out;
}

// Changes made while the increment was written stay for the next one.
void Follower::end_increment(bool written) {
  ASSERT(writing_);
  const Writing ended = *writing_;
  writing_.reset();
  pending_.end_writing(written && !ended.outdated);
  if (!written || ended.outdated) return;
  on_disk_ = ended.stamp;
  covered_ = ended.number;
}

}  // namespace tidemill
