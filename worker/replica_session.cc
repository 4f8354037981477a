#include "worker/replica_session.h"

#include "shared/base/mutation.h"

namespace tidemill {
namespace {

// Passes over the keys before the last one is made in a single turn; each is smaller than the one
// before as long as images go out faster than keys change.
constexpr int kMaxPasses = 4;
constexpr size_t kCloseBytes = 256u << 10;

void add_all_advances(const OffsetVector& offsets, FramePart* part) {
  for (uint32_t s = 0; s < offsets.size(); ++s) {
    part->advances.push_back({SourcePartitionId(s), offsets[s]});
  }
}

}  // namespace

bool ReplicaSession::should_register(int64_t now_us, int64_t retry_us) const {
  if (mode_ != Mode::kUnregistered) return false;
  // Each attempt waits twice as long: an answer to an older one is of no use.
  return attempts_ == 0 || now_us - asked_us_ >= retry_us << std::min(attempts_, 5);
}

RegisterReplicas::Entry ReplicaSession::begin_registration(const KeyPartition& owner, uint64_t id,
                                                           int64_t now_us) {
  id_ = id;
  next_seq_ = 0;
  asked_us_ = now_us;
  ++attempts_;
  sent_.clear();
  return {owner.id(), owner.epoch(), id};
}

void ReplicaSession::on_replica_state(const KeyPartition& owner, const ReplicaState& state) {
  if (state.session != id_) return;
  attempts_ = 0;
  if (mode_ == Mode::kUnregistered) {
    replica_ = state;
    if (!state.holds_state) acked_offsets_.clear();
    resolve(owner);
  } else if (state.registered > owner.epoch()) {
    mode_ = Mode::kFenced;
  } else {
    unregister();  // a part did not fit
  }
}

void ReplicaSession::resolve(const KeyPartition& owner) {
  const OwnerState state{owner.epoch(), owner.version(), owner.unsent_since(), owner.caught_up()};
  switch (plan_catch_up(state, owner.offsets(), replica_)) {
    case CatchUp::kFenced:
      mode_ = Mode::kFenced;
      break;
    case CatchUp::kWait:
      mode_ = Mode::kWait;
      break;
    case CatchUp::kRows:
      mode_ = Mode::kRows;
      sent_version_ = acked_version_ = replica_.version;
      acked_offsets_ = replica_.offsets;
      break;
    case CatchUp::kImagesSince:
      begin_images(owner, replica_.version, false);
      break;
    case CatchUp::kReplaceAll:
      begin_images(owner, 0, true);
      break;
  }
}

void ReplicaSession::begin_images(const KeyPartition& owner, uint64_t since, bool whole) {
  mode_ = Mode::kImages;
  begun_ = false;
  whole_ = whole;
  since_ = since;
  pass_version_ = owner.version();
  slot_ = 0;
  pass_bytes_ = 0;
  passes_ = 0;
}

void ReplicaSession::start_part(const KeyPartition& owner, PartKind kind, FramePart* part) {
  part->key_partition = owner.id();
  part->epoch = owner.epoch();
  part->session = id_;
  part->seq = next_seq_++;
  part->kind = kind;
  part->horizon = owner.horizon();
  part->read_wall_us = owner.read_wall_us();
}

bool ReplicaSession::next_part(const KeyPartition& owner, size_t max_bytes, int64_t now_us,
                               int64_t keepalive_us, FramePart* part) {
  if (mode_ == Mode::kWait) resolve(owner);
  if (mode_ == Mode::kRows && owner.version() > sent_version_ &&
      sent_version_ < owner.unsent_since()) {
    begin_images(owner, sent_version_, false);  // the rows are no longer at hand
  }
  bool any = false;
  if (mode_ == Mode::kImages) {
    next_images(owner, max_bytes, part);
    any = true;
  } else if (mode_ == Mode::kRows) {
    any = next_rows(owner, max_bytes, now_us, keepalive_us, part);
  }
  if (any) last_sent_us_ = now_us;
  return any;
}

void ReplicaSession::next_images(const KeyPartition& owner, size_t max_bytes, FramePart* part) {
  if (!begun_) {
    start_part(owner, PartKind::kImagesBegin, part);
    part->from_version = since_;
    part->whole = whole_;
    begun_ = true;
    return;
  }
  const PartitionState& state = owner.state();
  ByteWriter images;
  for (; slot_ < state.slot_count() && images.size() < max_bytes; ++slot_) {
    if (!state.slot_changed_since(slot_, since_)) continue;
    state.encode_image(slot_, &images);
    ++images_sent_;
  }
  pass_bytes_ += images.size();
  if (images.size() > 0) {
    start_part(owner, PartKind::kImages, part);
    part->payload.push_back(Buffer(images.take()));
    return;
  }
  // The pass is over: what changed during it is sent by the next, the last one in this turn.
  ++passes_;
  const bool last = passes_ >= kMaxPasses || pass_bytes_ <= kCloseBytes;
  since_ = pass_version_;
  pass_version_ = owner.version();
  slot_ = 0;
  pass_bytes_ = 0;
  if (last) return close_images(owner, part);
  start_part(owner, PartKind::kImages, part);  // empty: keeps the link moving
}

void ReplicaSession::close_images(const KeyPartition& owner, FramePart* part) {
  const PartitionState& state = owner.state();
  ByteWriter images;
  for (size_t slot = 0; slot < state.slot_count(); ++slot) {
    if (mutated(Mutation::kCloseImagesEarly)) break;
    if (!state.slot_changed_since(slot, since_)) continue;
    state.encode_image(slot, &images);
    ++images_sent_;
  }
  start_part(owner, PartKind::kImagesClose, part);
  part->to_version = owner.version();
  if (images.size() > 0) part->payload.push_back(Buffer(images.take()));
  add_all_advances(owner.offsets(), part);
  mode_ = Mode::kRows;
  sent_version_ = acked_version_ = owner.version();
  note_sent(owner.version(), owner.offsets());
}

bool ReplicaSession::next_rows(const KeyPartition& owner, size_t max_bytes, int64_t now_us,
                               int64_t keepalive_us, FramePart* part) {
  const bool new_rows = owner.version() > sent_version_;
  if (!new_rows && now_us - last_sent_us_ < keepalive_us) return false;
  start_part(owner, PartKind::kRows, part);
  part->from_version = sent_version_;
  part->to_version = sent_version_;
  if (!new_rows) return true;
  const auto& unsent = owner.unsent();
  ASSERT(!unsent.empty() && unsent.front().version <= sent_version_ + 1);
  size_t bytes = 0;
  size_t i = sent_version_ + 1 - unsent.front().version;
  for (; i < unsent.size() && bytes < max_bytes; ++i) {
    const AppliedChange& change = unsent[i];
    if (!change.blocks.empty()) part->payload.push_back(change.blocks);
    bytes += change.blocks.size();
    part->to_version = change.version;
    part->read_wall_us = change.read_wall_us;
    part->horizon = change.horizon;  // of that version, not the owner's newest
    auto same = std::find_if(part->advances.begin(), part->advances.end(),
                             [&](const auto& a) { return a.source == change.source; });
    if (same == part->advances.end()) {
      part->advances.push_back({change.source, change.position});
    } else {
      same->position = change.position;
    }
  }
  sent_version_ = part->to_version;
  OffsetVector offsets = sent_.empty() ? acked_offsets_ : sent_.back().offsets;
  offsets.resize(owner.offsets().size());
  for (const auto& a : part->advances) offsets[a.source.value] = a.position;
  note_sent(sent_version_, offsets);
  return true;
}

void ReplicaSession::note_sent(uint64_t version, const OffsetVector& offsets) {
  sent_.push_back({version, offsets});
}

void ReplicaSession::on_ack(uint64_t version) {
  while (!sent_.empty() && sent_.front().version <= version) {
    acked_offsets_ = std::move(sent_.front().offsets);
    sent_.pop_front();
  }
  if (mode_ == Mode::kRows) acked_version_ = std::max(acked_version_, version);
}

uint64_t ReplicaSession::needs_rows_after() const {
  const bool may_resume = mode_ == Mode::kUnregistered && !acked_offsets_.empty();
  return mode_ == Mode::kRows || may_resume ? acked_version_ : UINT64_MAX;
}

}  // namespace tidemill
