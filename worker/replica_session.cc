#include "worker/replica_session.h"

#include <algorithm>

#include "shared/base/assert.h"
#include "shared/base/mutation.h"

namespace tidemill {

bool ReplicaSession::should_register(int64_t now_us, int64_t retry_us) const {
  if (mode_ != Mode::kUnregistered || replica_) return false;
  // Each attempt waits twice as long: an answer to an older one is of no use.
  return attempts_ == 0 || now_us - asked_us_ >= retry_us << std::min(attempts_, 5);
}

RegisterReplicas::Entry ReplicaSession::begin_registration(KeyPartitionId k, Epoch epoch,
                                                           uint64_t id, int64_t now_us) {
  id_ = id;
  next_seq_ = 0;
  asked_us_ = now_us;
  ++attempts_;
  sent_.clear();
  return {k, epoch, id};
}

void ReplicaSession::unregister() {
  mode_ = Mode::kUnregistered;
  replica_.reset();
  images_.reset();
  resuming_ = false;
  followed_ = false;
  ancestry_sent_ = false;
  attempts_ = 0;
  sent_.clear();
}

void ReplicaSession::on_replica_state(Epoch own, const ReplicaState& state) {
  if (state.session != id_) return;
  const bool awaited = attempts_ > 0;
  attempts_ = 0;
  if (state.registered > own) {
    mode_ = Mode::kFenced;
  } else if (mode_ == Mode::kUnregistered) {
    if (!awaited) return;  // one more part of the session that was given up did not fit
    replica_ = state;
    mode_ = Mode::kWait;
    if (!state.holds_state) acked_offsets_.clear();
  } else {
    unregister();  // a part did not fit
  }
}

// What is to be sent is decided when there is a part to be made, from what the owner holds then.
void ReplicaSession::resolve(const KeyPartition& owner) {
  const CatchUpPlan plan = plan_catch_up(owner.owner_state(replica_->offsets), *replica_);
  held_ = {replica_->epoch, replica_->version};
  switch (plan.what) {
    case CatchUp::kFenced:
      mode_ = Mode::kFenced;
      break;
    case CatchUp::kWait:
      break;
    case CatchUp::kRows:
      begin_rows(replica_->version, owner.noted_bytes_up_to(replica_->version).value_or(0),
                 replica_->offsets);
      break;
    case CatchUp::kResume:  // from a version of a former owner's
      begin_rows(replica_->version, 0, replica_->offsets);
      resuming_ = true;
      ++counts_.resumed;
      break;
    case CatchUp::kFromStart:
      begin_images(owner, std::nullopt);
      images_->version = owner.first_version();
      images_->pages.push_back({0, {}, owner.first(), true, {}, true});
      images_->last_seen = true;
      break;
    case CatchUp::kImages:
      begin_images(owner, plan.images_since);
      ++counts_.images_since;
      break;
    case CatchUp::kReplaceAll:
      begin_images(owner, std::nullopt);
      ++counts_.replaced;
      break;
  }
}

void ReplicaSession::begin_rows(uint64_t version, uint64_t noted_bytes,
                                const OffsetVector& offsets) {
  mode_ = Mode::kRows;
  images_.reset();
  followed_ = true;
  acked_version_ = version;
  acked_bytes_ = noted_bytes;
  acked_offsets_ = sent_offsets_ = offsets;
  sent_.clear();
}

// The state that is walked must not be older than what the replica may hold already, and rows must
// be at hand from there on.
void ReplicaSession::begin_images(const KeyPartition& owner, std::optional<uint64_t> since) {
  mode_ = Mode::kImages;
  images_.emplace();
  images_->scan = id_ << 16 | (next_scan_++ & 0xffff);
  images_->since = since;
  const bool holds_nothing = !replica_->holds_state && held_ == Stamp{};
  images_->disk_version =
      holds_nothing ? std::max<uint64_t>(owner.unsent_since(), 1) : owner.version();
}

std::optional<ReplicaSession::ScanWanted> ReplicaSession::scan_wanted() const {
  // One page is fetched while another one is being sent.
  if (!images_ || images_->last_seen || images_->asked || images_->pages.size() > 1) return {};
  return ScanWanted{images_->scan, images_->disk_version, images_->since, images_->version == 0};
}

void ReplicaSession::scan_asked() {
  images_->asked = true;
  images_->scan_begun = true;
}

void ReplicaSession::on_page(ScanPage page) {
  if (!images_ || images_->scan != page.scan) return;
  images_->asked = false;
  if (!page.error.empty()) return unregister();
  images_->version = page.head.stamp().version;
  images_->last_seen = page.last;
  images_->pages.push_back(std::move(page));
}

void ReplicaSession::start_part(const KeyPartition& owner, PartKind kind, FramePart* part) {
  part->key_partition = owner.id();
  part->epoch = owner.epoch();
  part->session = id_;
  part->seq = next_seq_++;
  part->kind = kind;
  part->horizon = owner.horizon();
  part->floors = owner.head().floors;
  part->read_wall_us = owner.read_wall_us();
  part->rows_applied = owner.head().rows_applied;
}

bool ReplicaSession::next_part(const KeyPartition& owner, size_t max_bytes, int64_t now_us,
                               int64_t keepalive_us, FramePart* part) {
  if (mode_ == Mode::kWait) resolve(owner);
  if (mode_ == Mode::kRows && !resuming_ && held_.version < owner.unsent_since()) {
    begin_images(owner, held_.version);  // the rows that it needs next have been dropped
    ++counts_.images_since;
  }
  bool made = false;
  if (mode_ == Mode::kImages) {
    made = next_images(owner, part);
  } else if (mode_ == Mode::kRows) {
    made = next_rows(owner, max_bytes, now_us, keepalive_us, part);
  }
  if (made) last_sent_us_ = now_us;
  return made;
}

bool ReplicaSession::next_images(const KeyPartition& owner, FramePart* part) {
  if (images_->pages.empty()) return false;
  if (!images_->begun) {
    start_part(owner, PartKind::kImagesBegin, part);
    part->whole = images_->pages.front().whole;
    part->from_epoch = held_.epoch;
    part->from_version = held_.version;
    images_->begun = true;
    images_->noted_bytes = owner.noted_bytes_up_to(images_->version);
    return true;
  }
  const ScanPage page = std::move(images_->pages.front());
  images_->pages.pop_front();
  image_bytes_ += page.images.size();
  if (page.last) {
    close_images(owner, page, part);
  } else {
    start_part(owner, PartKind::kImages, part);
    if (!page.images.empty()) part->payload.push_back(page.images);
  }
  return true;
}

void ReplicaSession::close_images(const KeyPartition& owner, const ScanPage& page,
                                  FramePart* part) {
  start_part(owner, PartKind::kImagesClose, part);
  part->to_version = page.head.stamp().version;
  if (mutated(Mutation::kCloseImagesEarly)) part->to_version = owner.version();
  part->horizon = page.head.horizon;
  part->floors = page.head.floors;
  part->read_wall_us = page.head.read_wall_us;
  part->rows_applied = page.head.rows_applied;
  part->ancestry = page.head.ancestry;
  part->current = owner.caught_up() && part->to_version == owner.version();
  for (uint32_t s = 0; s < page.head.offsets.size(); ++s) {
    part->advances.push_back({SourcePartitionId(s), page.head.offsets[s]});
  }
  if (!page.images.empty()) part->payload.push_back(page.images);
  // Rows since may have been dropped meanwhile: then it is at least as far as when it began.
  const uint64_t noted = owner.noted_bytes_up_to(part->to_version)
                             .value_or(images_->noted_bytes.value_or(acked_bytes_));
  begin_rows(part->to_version, noted, page.head.offsets);
  held_ = {owner.epoch(), part->to_version};
  sent_.push_back({held_.version, noted, sent_offsets_});
}

void ReplicaSession::take_change(const AppliedChange& change, FramePart* part) {
  part->to_version = change.version;
  part->read_wall_us = change.read_wall_us;
  part->horizon = change.horizon;  // of that version, not the owner's newest
  part->floors = *change.floors;   // likewise
  part->rows_applied = change.rows_applied;
  if (!change.blocks.empty()) part->payload.push_back(change.blocks);
  if (change.source == AppliedChange::kNoSource) return;
  const auto same = std::find_if(part->advances.begin(), part->advances.end(),
                                 [&](const auto& a) { return a.source == change.source; });
  if (same == part->advances.end()) {
    part->advances.push_back({change.source, change.position});
  } else {
    same->position = change.position;
  }
}

// What the owner has read again is in the replica already: of the changes since the owner began
// only those go on that begin at or past the replica's V, up to where the owner has reached it.
void ReplicaSession::resume(const KeyPartition& owner, FramePart* part) {
  const OffsetVector& had = replica_->offsets;
  const uint64_t to = std::max(owner.version_covering(had), owner.first_version() + 1);
  for (const AppliedChange& change : owner.unsent()) {
    if (change.version > to) break;
    part->horizon = change.horizon;
    part->floors = *change.floors;
    part->read_wall_us = change.read_wall_us;
    part->rows_applied = change.rows_applied;
    const bool fresh = change.source == AppliedChange::kNoSource ||
                       change.source.value >= had.size() ||
                       change.begin_offset >= had[change.source.value].offset;
    if (fresh) take_change(change, part);
  }
  part->to_version = to;
  resuming_ = false;
}

bool ReplicaSession::next_rows(const KeyPartition& owner, size_t max_bytes, int64_t now_us,
                               int64_t keepalive_us, FramePart* part) {
  const bool new_rows = resuming_ || owner.version() > held_.version;
  if (!new_rows && now_us - last_sent_us_ < keepalive_us) return false;
  start_part(owner, PartKind::kRows, part);
  part->from_epoch = held_.epoch;
  part->from_version = held_.version;
  part->to_version = held_.version;
  if (resuming_) {
    resume(owner, part);
  } else if (new_rows) {
    const auto& unsent = owner.unsent();
    ASSERT(!unsent.empty() && unsent.front().version <= held_.version + 1);
    size_t bytes = 0;
    for (size_t i = held_.version + 1 - unsent.front().version;
         i < unsent.size() && bytes < max_bytes; ++i) {
      take_change(unsent[i], part);
      bytes += unsent[i].blocks.size();
    }
  }
  note_sent(owner, part);
  return true;
}

void ReplicaSession::note_sent(const KeyPartition& owner, FramePart* part) {
  part->current = owner.caught_up() && part->to_version == owner.version();
  if (!ancestry_sent_) {
    part->ancestry = owner.head().ancestry;
    part->ancestry.back().version = part->to_version;
    ancestry_sent_ = true;
  }
  held_ = {owner.epoch(), part->to_version};
  sent_offsets_.resize(std::max(sent_offsets_.size(), owner.offsets().size()));
  for (const auto& a : part->advances) sent_offsets_[a.source.value] = a.position;
  const uint64_t noted = owner.noted_bytes_up_to(held_.version).value_or(acked_bytes_);
  sent_.push_back({held_.version, noted, sent_offsets_});
}

void ReplicaSession::on_ack(uint64_t version) {
  while (!sent_.empty() && sent_.front().version <= version) {
    acked_version_ = sent_.front().version;
    acked_bytes_ = sent_.front().noted_bytes;
    acked_offsets_ = std::move(sent_.front().offsets);
    sent_.pop_front();
  }
}

std::optional<uint64_t> ReplicaSession::acked_bytes() const {
  const bool follows = mode_ == Mode::kRows ? !resuming_ : mode_ == Mode::kImages && followed_;
  if (!follows) return {};
  return acked_bytes_;
}

uint64_t ReplicaSession::needs_rows_after(const KeyPartition& owner) const {
  switch (mode_) {
    case Mode::kFenced:
      return UINT64_MAX;
    case Mode::kUnregistered:
      // It may go on from what it has acknowledged, or resume from where this owner began.
      return acked_offsets_.empty() ? owner.first_version() : acked_version_;
    case Mode::kWait:
      return owner.first_version();
    case Mode::kImages:
      return images_->version == 0 ? owner.disk_version() : images_->version;
    case Mode::kRows:
      return resuming_ ? owner.first_version() : acked_version_;
  }
  return UINT64_MAX;
}

}  // namespace tidemill
