// ReplicaSet: gives an owner that has no snapshot a replica's state to begin with, by writing it to
// snapshot storage.
//
// The owner has registered: former owners are refused, and it sends nothing itself before it has
// begun. So the replica stands still at the stamp that the owner asks for, until it is wanted no
// more. What is on disk at that stamp is the whole state.
#include "serving/replica_set.h"
#include "shared/obs/log.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr size_t kUploadsAtOnce = 1;  // per shard: cold reads want the blocking pool too

}  // namespace

void ReplicaSet::hand_over(HeldReplica* held, const ActorAddress& owner,
                           const StateWanted& wanted) {
  const bool same = held->hand_over && held->hand_over->owner == owner &&
                    held->hand_over->epoch == wanted.epoch &&
                    held->hand_over->stamp == wanted.stamp;
  if (!same) held->hand_over = HandOver{owner, wanted.epoch, wanted.stamp, false};
  answer(*held, *held->hand_over, StateWritten::Outcome::kWorking, "");
  go_on_handing_over(held);
}

void ReplicaSet::go_on_handing_over() {
  for (auto& [id, held] : held_) go_on_handing_over(&held);
}

void ReplicaSet::go_on_handing_over(HeldReplica* held) {
  if (!held->hand_over || held->hand_over->uploading) return;
  const Follower& follower = held->replica->follower();
  if (follower.registered() != held->hand_over->epoch) {
    return end_hand_over(
        held, StateWritten::Outcome::kRefused,
        "another owner is registered, of epoch " + std::to_string(follower.registered().value));
  }
  if (!follower.holds_state() || follower.head().stamp() != held->hand_over->stamp) {
    return end_hand_over(held, StateWritten::Outcome::kRefused, "that state is not held any more");
  }
  if (resources_.snapshots == nullptr || held->disk == nullptr) {
    return end_hand_over(held, StateWritten::Outcome::kFailed, "the disk cannot be used now");
  }
  if (follower.changed()) {
    held->next_write_us = 0;  // first
  } else if (uploading_ < kUploadsAtOnce) {
    begin_upload(held);
  }
}

void ReplicaSet::begin_upload(HeldReplica* held) {
  ++uploading_;
  held->hand_over->uploading = true;
  on_disk(*held,
          [this, of = *held->hand_over, storage = resources_.snapshots,
           node = runtime_.node()](PartitionDisk& disk) -> Then {
            auto taken = upload_snapshot_of_store(&disk, storage.get(), of.epoch, node);
            return [this, of, taken = std::move(taken)](HeldReplica* found) {
              --uploading_;
              if (found != nullptr) end_upload(found, of, taken);
            };
          });
}

void ReplicaSet::end_upload(HeldReplica* held, const HandOver& of,
                            const Result<TakenSnapshot>& taken) {
  // Bytes that are not what was written: as wherever else they are found.
  const bool damaged = !taken && taken.error().code() == ErrorCode::kCorrupt;
  if (damaged) failed(held, "upload", taken.error());
  const bool wanted = held->hand_over && held->hand_over->epoch == of.epoch &&
                      held->hand_over->stamp == of.stamp && held->hand_over->owner == of.owner;
  if (!wanted) return;  // by a newer owner, from whom more is heard
  if (!taken) {
    end_hand_over(held, damaged ? StateWritten::Outcome::kRefused : StateWritten::Outcome::kFailed,
                  taken.error().message());
  } else if (taken->stamp != of.stamp) {
    end_hand_over(held, StateWritten::Outcome::kRefused, "that state is not held any more");
  } else {
    log_event(LogLevel::kInfo, "state_handed_over",
              {{"job", held->id.job.value},
               {"key_partition", held->id.key_partition.value},
               {"epoch", of.epoch.value},
               {"version", of.stamp.version},
               {"bytes", taken->new_bytes}});
    end_hand_over(held, StateWritten::Outcome::kWritten, taken->manifest);
  }
}

void ReplicaSet::end_hand_over(HeldReplica* held, StateWritten::Outcome outcome,
                               const std::string& text) {
  const HandOver of = *held->hand_over;
  held->hand_over.reset();
  answer(*held, of, outcome, text);
}

void ReplicaSet::answer(const HeldReplica& held, const HandOver& of, StateWritten::Outcome outcome,
                        const std::string& text) {
  runtime_.send(
      actor_, of.owner, kStateWritten,
      StateWritten{held.id.job, held.id.key_partition, of.epoch, of.stamp, outcome, text}.encode());
}

}  // namespace tidemill
