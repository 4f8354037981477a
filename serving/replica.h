// Replica: this store's copy of one key partition: what follows its owner (Follower), and the
// window state that features are computed from. Keys may be in memory, or only on this store's disk
// and in the changes that are not there yet.
//
// Invariant: a key in memory has all its rows; the rows of any other key are those on disk at
// follower().on_disk() and those of follower().pending(), in that order. From it follows what every
// way of bringing keys back does: it takes what the disk gives at that very stamp, and then the
// pending changes, in one turn.
//
// shard-affine: part of the StoreShard actor.
#pragma once

#include <span>
#include <vector>

#include "shared/state/follower.h"
#include "shared/window/partition_state.h"

namespace tidemill {

class Replica : private FollowedRows {
 public:
  Replica(TableSchemas tables, KeyPartitionId id);
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;
  // The plan has grown, or other views: its tables stay, but for the features over them, for how
  // long they keep rows, and further ones.
  void set_features(TableSchemas tables);

  Follower& follower() { return follower_; }
  const Follower& follower() const { return follower_; }
  const PartitionState& window() const { return window_; }
  // Until then reads are told "not ready".
  bool current() const { return follower_.current(); }
  // The state that the disk holds is this one; no key is in memory yet.
  void restore(StateHead head);
  // What is held cannot be trusted: the owner will be asked for all of it.
  void forget() { follower_.forget(); }

  // Keys as the disk had them at `at`, by position; empty: no rows. False if the disk has moved on
  // since, which changes nothing: it is to be asked again.
  Result<bool> load(const Stamp& at, std::span<const StateKey> keys,
                    std::span<const std::vector<uint8_t>> images);
  // Key images of a scan of the state at `at`, likewise.
  Result<bool> load_page(const Stamp& at, std::span<const uint8_t> images);
  // A scan at `at` has gone over all keys, and none of them has been evicted since.
  void finish_loading();
  // Whether keys that were not in memory may come into it with what the owner sends. If not, they
  // are found where all changes are kept, and on disk.
  void allow_growth(bool allowed);
  // Frees about `bytes` of keys that are on disk, looking at `slots` keys at most.
  PartitionState::Evicted evict(uint64_t bytes, size_t slots);

  uint64_t rows_applied() const { return rows_applied_; }  // by frames, ever
  uint64_t evicted_keys() const { return evicted_keys_; }  // ever

 private:
  void append(const RowBlockView& block, uint64_t number) override;
  Status replace(bool whole, std::span<const Buffer> images, uint64_t number) override;
  void raise_horizon(TimeUs horizon) override;
  void raise_floors(const TableFloors& floors) override;
  void clear() override;

  Status load_images(std::span<const uint8_t> images, PartitionState::Load which);
  Status load_pending(PartitionState::Load which);

  TableSchemas tables_;
  PartitionState window_;
  Follower follower_;
  bool growth_allowed_ = true;
  uint64_t rows_applied_ = 0;
  uint64_t evicted_keys_ = 0;
};

}  // namespace tidemill
