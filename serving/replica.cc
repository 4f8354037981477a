#include "serving/replica.h"

#include "shared/base/mutation.h"
#include "shared/plan/limits.h"
#include "shared/window/block_list.h"

namespace tidemill {

ReplicaState Replica::state() const {
  ReplicaState out;
  out.key_partition = id_;
  out.registered = registered_;
  out.session = session_;
  out.holds_state = ready();
  out.epoch = epoch_;
  out.version = version_;
  out.offsets = offsets_;
  return out;
}

ReplicaState Replica::register_owner(const RegisterReplicas::Entry& entry) {
  if (entry.epoch < registered_ && !mutated(Mutation::kAcceptOldEpoch)) {
    ReplicaState refused = state();
    refused.session = entry.session;
    return refused;
  }
  const bool repeated = entry.epoch == registered_ && entry.session <= session_ && session_ != 0;
  if (repeated) {  // overtaken by a later one, or heard already
    ReplicaState again = state();
    again.session = entry.session;
    return again;
  }
  registered_ =
      mutated(Mutation::kAcceptOldEpoch) ? entry.epoch : std::max(registered_, entry.epoch);
  session_ = entry.session;
  next_seq_ = 0;
  session_open_ = true;
  staging_.reset();
  return state();
}

Replica::Outcome Replica::apply(const FramePart& part) {
  const bool of_owner = part.epoch == registered_ || mutated(Mutation::kAcceptOldEpoch);
  if (!session_open_ || part.session != session_ || !of_owner) return Outcome::kRefused;
  if (part.seq < next_seq_) {
    if (!mutated(Mutation::kApplyTwice)) return Outcome::kRepeated;
  }
  bool fits = part.seq <= next_seq_ || mutated(Mutation::kIgnoreGap) ||
              mutated(Mutation::kFrameOnWrongVersion);
  if (fits) {
    next_seq_ = std::max(next_seq_, part.seq + 1);
    switch (part.kind) {
      case PartKind::kRows:
        fits = apply_rows(part);
        break;
      case PartKind::kImagesBegin:
        // Without a whole replacement the images build on what is held, at that very version.
        fits = part.whole || (ready() && epoch_ == part.epoch && version_ >= part.from_version);
        if (fits) staging_ = Staging{part.whole, {}};
        break;
      case PartKind::kImages:
        fits = staging_.has_value();
        if (fits) {
          staging_->images.insert(staging_->images.end(), part.payload.begin(), part.payload.end());
        }
        break;
      case PartKind::kImagesClose:
        fits = close_images(part);
        break;
    }
  }
  if (fits) return Outcome::kApplied;
  session_open_ = false;
  staging_.reset();
  return Outcome::kRefused;
}

bool Replica::apply_rows(const FramePart& part) {
  const bool same_epoch = epoch_ == part.epoch || mutated(Mutation::kAcceptOldEpoch);
  const bool at_version = same_epoch && version_ == part.from_version;
  if (!ready() || (!at_version && !mutated(Mutation::kFrameOnWrongVersion))) return false;
  std::vector<RowBlockView> views;
  for (const Buffer& bytes : part.payload) {
    if (!parse_blocks(bytes, *window_, &views)) return false;
  }
  for (const RowBlockView& view : views) {
    window_->append(view, part.to_version);
    rows_applied_ += view.rows();
  }
  advance(part);
  return true;
}

// Everything staged takes effect in this one turn, or nothing does.
bool Replica::close_images(const FramePart& part) {
  if (!staging_) return false;
  staging_->images.insert(staging_->images.end(), part.payload.begin(), part.payload.end());
  if (staging_->whole) {
    const TimeUs horizon = this->horizon();
    window_.emplace(tables_);
    window_->raise_horizon(horizon);
    offsets_.clear();
  }
  for (const Buffer& images : staging_->images) {
    ByteReader in(images.bytes());
    while (in.remaining() > 0) {
      if (!window_->apply_image(&in, part.to_version)) {
        window_.reset();  // half-applied: no answer is better than a wrong one
        offsets_.clear();
        return false;
      }
    }
  }
  staging_.reset();
  epoch_ = part.epoch;
  advance(part);
  return true;
}

void Replica::advance(const FramePart& part) {
  version_ = part.to_version;
  for (const FramePart::Advance& a : part.advances) {
    if (a.source.value >= limits::kSourcePartitions) continue;  // of no plan
    if (a.source.value >= offsets_.size()) {
      if (mutated(Mutation::kIgnoreGrownOffsets) && part.kind == PartKind::kRows) continue;
      offsets_.resize(a.source.value + 1);
    }
    offsets_[a.source.value] = a.position;
  }
  read_wall_us_ = part.read_wall_us;
  window_->raise_horizon(part.horizon);
}

TimeUs Replica::max_event_time() const {
  TimeUs largest = kMinTime;
  for (const SourcePosition& p : offsets_) largest = std::max(largest, p.max_event_time);
  return largest;
}

}  // namespace tidemill
