// SnapshotDesk: the coordinator's side of the snapshot registry: takes workers' claims and queries,
// has claims registered by the next draft, answers once that is durable, and removes from storage
// what nothing needs any more.
//
// shard-affine: part of the Coordinator. Storage is used on the blocking pool only.
// Claims are registered against the grants of the very draft that is committed, so a claim cannot
// slip in beside a grant that ends its owner's ownership.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "coordinator/decision.h"
#include "coordinator/probe.h"
#include "coordinator/snapshot_objects.h"
#include "proto/control.pb.h"
#include "shared/runtime/runtime.h"
#include "shared/snapshot/snapshot_storage.h"

namespace tidemill {

// What became of a step of a removal.
struct RemovedStep : LocalPayload {
  RemovalId id;
  Result<RemovedObjects> outcome{RemovedObjects{}};
};

class SnapshotDesk {
 public:
  // `storage`: null: nothing is ever removed. `removal_delay_us`: from a removal's decision to its
  // beginning, so that whoever has not heard of it yet is done.
  SnapshotDesk(Runtime& runtime, std::shared_ptr<SnapshotStorage> storage, int64_t removal_delay_us,
               CoordinatorProbe* probe);

  // SnapshotTaken. What makes no sense is refused with a log line.
  void on_taken(const Message& message);
  // SnapshotQuery, answered at once.
  void on_query(const Message& message, const CoordinatorState& committed);

  // Registers the claims that have come, completes savepoints, forgets finished removals.
  void decide(TimeUs wall_us, Draft* draft);
  // What was decided last is durable, or was nothing new: its claims are answered.
  void answer(const CoordinatorState& committed);

  // Begins the next step of a removal, if there is any to be done.
  void remove_objects(const CoordinatorState& committed);
  void on_removed(const RemovedStep& step, const CoordinatorState& committed);

 private:
  using ClaimId = std::tuple<uint32_t, uint32_t, NodeId>;  // job, key partition, sender
  struct Claim {
    ActorAddress from;
    proto::SnapshotTaken claim;
  };
  struct Removal {
    int64_t not_before_us = 0;
    uint32_t next_k = 0;
    uint64_t kept = 0;                     // in this pass
    std::optional<std::string> referrers;  // when the last pass ended, having left something
    bool finished = false;
  };

  void register_claims(Draft* draft);
  void update_savepoints(TimeUs wall_us, Draft* draft);
  void end_pass(const RemovalId& id, const CoordinatorState& committed);
  Removal* next_removal(const CoordinatorState& committed, RemovalId* id);

  Runtime& runtime_;
  std::shared_ptr<SnapshotStorage> storage_;
  int64_t removal_delay_us_;
  CoordinatorProbe* probe_;

  std::map<ClaimId, Claim> claims_;
  std::vector<Claim> decided_;  // to be answered
  std::map<RemovalId, Removal> removals_;
  bool removing_ = false;
};

}  // namespace tidemill
