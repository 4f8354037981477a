// StoreSearch: from which store a new owner that has no snapshot takes the state of its key
// partition, and when it looks no further and reads its sources from their start. Any state of a
// replica will do, as each is exactly that of one V; the best is the one that has applied most.
//
// A store is asked again and again until it answers; one that is silent, or cannot do it now, is
// left alone for a while and another one asked. All of it ends in bounded time.
//
// Pure: it is told what stores have said, and what time it is. shard-affine: part of the
// PartitionHost actor.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "shared/runtime/runtime.h"
#include "shared/wire/frames.h"
#include "shared/wire/take_over.h"

namespace tidemill {

// What the owner knows of a store's replica of its key partition.
struct StoreReplica {
  ActorAddress store;
  bool answered = false;                // to its registration
  const ReplicaState* state = nullptr;  // what it said it holds; null: nothing that can be taken
};

class StoreSearch {
 public:
  // `lost`: there were snapshots, so that much would have to be read again: stores are given more
  // time to answer.
  StoreSearch(int64_t now_us, bool lost);

  struct Step {
    enum class What {
      kWait,
      kAsk,     // `store` for its state, which is of `stamp`
      kGiveUp,  // nobody has it
    };
    What what = What::kWait;
    ActorAddress store;
    Stamp stamp;
  };
  // What is to be done now.
  Step next(std::span<const StoreReplica> stores, int64_t now_us);

  // True if the state that was asked for is in snapshot storage.
  bool on_answer(const ActorAddress& from, const StateWritten& answer, int64_t now_us);
  // The state that was written could not be restored: for good, or it may be asked for again.
  void not_restored(bool damaged, int64_t now_us);

  bool lost() const { return lost_; }
  // That is being asked, or has written its state.
  const ActorAddress& store() const { return asked_->store; }

 private:
  struct Asked {
    ActorAddress store;
    Stamp stamp;
    int64_t asked_us = 0;
    int64_t heard_us = 0;
  };
  struct Tried {
    bool refused = false;
    uint32_t failures = 0;
    int64_t again_us = 0;
  };

  const StoreReplica* best(std::span<const StoreReplica> stores) const;
  Tried tried(const ActorAddress& store) const;
  void failed(int64_t now_us);

  bool lost_;
  int64_t answers_until_us_;
  int64_t until_us_;
  std::optional<Asked> asked_;
  std::map<ActorAddress, Tried> tried_;
};

}  // namespace tidemill
