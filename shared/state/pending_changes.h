// PendingChanges: the changes of a state that are in no increment on disk yet, oldest first. While
// an increment is written its changes stay, as it may fail, and others may come behind them.
//
// `Entry` has a StateChange `change`, beside what its holder wants to know of it. shard-affine:
// part of the actor that holds it.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "shared/base/assert.h"
#include "shared/base/mutation.h"
#include "shared/state/partition_disk.h"

namespace tidemill {

template <typename Entry>
class PendingChanges {
 public:
  void add(Entry entry) {
    bytes_ += entry.change.bytes.size();
    come_bytes_ += entry.change.bytes.size();
    entries_.push_back(std::move(entry));
  }
  // What is pending counts no longer, also what is being written.
  void clear() {
    entries_.clear();
    bytes_ = 0;
    written_ = 0;
  }

  // Those of the increment that is written now. One at a time.
  std::vector<StateChange> begin_writing() {
    ASSERT(written_ == 0);
    written_ = entries_.size();
    written_until_bytes_ = come_bytes_;
    std::vector<StateChange> out;
    out.reserve(written_);
    for (const Entry& entry : entries_) out.push_back(entry.change);
    return out;
  }
  size_t writing() const { return written_; }
  // As another has begun it: the first `count` are being written.
  void take_over_writing(size_t count) {
    ASSERT(written_ == 0 && count <= entries_.size());
    written_ = count;
    written_until_bytes_ = come_bytes_ - bytes_;
    for (size_t i = 0; i < count; ++i) written_until_bytes_ += entries_[i].change.bytes.size();
  }
  // Drops those, if it was written.
  void end_writing(bool written) {
    if (written && mutated(Mutation::kDropPendingOnSnapshot)) written_ = entries_.size();
    for (; written && written_ > 0; --written_) {
      bytes_ -= entries_.front().change.bytes.size();
      entries_.pop_front();
    }
    written_ = 0;
  }

  const std::deque<Entry>& entries() const { return entries_; }
  uint64_t bytes() const { return bytes_; }
  // Of all changes that ever came; and of those that are on disk by now, or will be once what is
  // being written is.
  uint64_t come_bytes() const { return come_bytes_; }
  uint64_t written_until_bytes() const {
    return written_ > 0 ? written_until_bytes_ : come_bytes_ - bytes_;
  }

 private:
  std::deque<Entry> entries_;
  uint64_t bytes_ = 0;
  uint64_t come_bytes_ = 0;
  size_t written_ = 0;  // the first of them, that are being written
  uint64_t written_until_bytes_ = 0;
};

}  // namespace tidemill
