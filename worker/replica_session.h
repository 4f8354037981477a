// ReplicaSession: the sending end towards one replica of one key partition: which changes or images
// come next. Fills frame parts; the Publisher puts them into messages under the link's credit.
// Images come from the owner's disk, page by page, by a scan of the state at one version; rows go
// on from there. shard-affine: part of the PartitionHost actor.
#pragma once

#include <deque>
#include <optional>

#include "shared/wire/frames.h"
#include "worker/key_partition.h"
#include "worker/replica_catch_up.h"

namespace tidemill {

// What a scan on the blocking pool has given.
struct ScanPage {
  uint64_t scan = 0;
  std::string error;  // the scan has failed; empty if it has not
  StateHead head;     // of the state that is walked
  bool whole = false;
  Buffer images;
  bool last = false;
};

class ReplicaSession {
 public:
  enum class Mode {
    kUnregistered,  // to be registered at the replica, or waiting for its answer
    kFenced,        // a newer owner exists
    kWait,          // the replica is ahead of the owner
    kImages,
    kRows,
  };

  Mode mode() const { return mode_; }
  uint64_t id() const { return id_; }

  // Asks (again) under a new id, unless an answer is still awaited.
  bool should_register(int64_t now_us, int64_t retry_us) const;
  RegisterReplicas::Entry begin_registration(KeyPartitionId k, Epoch epoch, uint64_t id,
                                             int64_t now_us);
  void unregister();

  // The replica's answer, or its refusal of a part.
  void on_replica_state(Epoch own, const ReplicaState& state);
  // What the replica holds, once it has answered; null before.
  const ReplicaState* registered_state() const { return replica_ ? &*replica_ : nullptr; }
  // Of the owner's KeyPartition::noted_bytes(), those that it has acknowledged. Nothing: it does
  // not follow the owner (yet). One that rows were dropped of still does, while it gets images
  // instead.
  std::optional<uint64_t> acked_bytes() const;
  // Nobody is missing whose V the readers should know of.
  bool answered() const { return mode_ != Mode::kUnregistered; }
  void on_ack(uint64_t version);

  // The next part, at most about `max_bytes`; false if there is nothing to send now.
  bool next_part(const KeyPartition& owner, size_t max_bytes, int64_t now_us, int64_t keepalive_us,
                 FramePart* part);

  // Images are to be sent. The disk must hold at least this version first (it may have to be
  // written for it), then a scan under `id` is to be begun, or the next page of it to be fetched.
  struct ScanWanted {
    uint64_t scan = 0;
    uint64_t disk_version = 0;
    std::optional<uint64_t> since;
    bool begin = false;
  };
  std::optional<ScanWanted> scan_wanted() const;
  void scan_asked();
  // A walk over the disk has been begun whose images have not all been sent.
  bool walking() const { return images_ && images_->scan_begun; }
  void on_page(ScanPage page);

  // Rows after this version must be kept for this replica; UINT64_MAX: none.
  uint64_t needs_rows_after(const KeyPartition& owner) const;
  // Version and V that the replica has acknowledged; V is empty before the first.
  uint64_t acked_version() const { return acked_version_; }
  const OffsetVector& acked_offsets() const { return acked_offsets_; }
  uint64_t image_bytes() const { return image_bytes_; }
  // How often each way was taken, for reports.
  struct Counts {
    uint64_t resumed = 0, images_since = 0, replaced = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Sent {
    uint64_t version;
    uint64_t noted_bytes;  // up to it
    OffsetVector offsets;
  };
  struct Images {
    uint64_t scan = 0;
    uint64_t disk_version = 0;
    std::optional<uint64_t> since;  // nothing: all keys
    bool scan_begun = false;
    bool asked = false;  // a page is on its way
    bool begun = false;  // kImagesBegin has been sent
    std::deque<ScanPage> pages;
    bool last_seen = false;
    uint64_t version = 0;                 // of the state that is walked; 0: not known yet
    std::optional<uint64_t> noted_bytes;  // up to it
  };

  void resolve(const KeyPartition& owner);
  void begin_images(const KeyPartition& owner, std::optional<uint64_t> since);
  void begin_rows(uint64_t version, uint64_t noted_bytes, const OffsetVector& offsets);
  void start_part(const KeyPartition& owner, PartKind kind, FramePart* part);
  bool next_images(const KeyPartition& owner, FramePart* part);
  void close_images(const KeyPartition& owner, const ScanPage& page, FramePart* part);
  void resume(const KeyPartition& owner, FramePart* part);
  bool next_rows(const KeyPartition& owner, size_t max_bytes, int64_t now_us, int64_t keepalive_us,
                 FramePart* part);
  void take_change(const AppliedChange& change, FramePart* part);
  void note_sent(const KeyPartition& owner, FramePart* part);

  Mode mode_ = Mode::kUnregistered;
  uint64_t id_ = 0;
  uint64_t next_seq_ = 0;
  int64_t asked_us_ = 0;
  int attempts_ = 0;                     // to register, since the last answer
  std::optional<ReplicaState> replica_;  // as last told, under this session
  Stamp held_;                           // of the replica once it has applied what is sent
  bool resuming_ = false;                // the next part resumes from the replica's V
  bool ancestry_sent_ = false;
  int64_t last_sent_us_ = 0;
  uint64_t acked_version_ = 0;
  uint64_t acked_bytes_ = 0;  // noted up to it
  bool followed_ = false;     // rows have been sent under this registration, or are next
  OffsetVector acked_offsets_;
  std::deque<Sent> sent_;
  OffsetVector sent_offsets_;  // after what is sent
  std::optional<Images> images_;
  uint64_t next_scan_ = 1;
  uint64_t image_bytes_ = 0;
  Counts counts_;
};

}  // namespace tidemill
