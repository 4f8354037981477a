#include "worker/standby_link.h"

#include "shared/wire/messages.h"

namespace tidemill {
namespace {

StandbyPartition* find(Standbys* standbys, KeyPartitionId k) {
  const auto it = standbys->find(k);
  return it == standbys->end() || !it->second.follower ? nullptr : &it->second;
}

}  // namespace

void answer_registration(Runtime& runtime, ActorId self, const ActorAddress& owner,
                         const RegisterReplicas& message, Standbys* standbys) {
  ReplicaStates answer{message.job, {}};
  for (const RegisterReplicas::Entry& entry : message.entries) {
    StandbyPartition* standby = find(standbys, entry.key_partition);
    if (standby == nullptr) continue;
    answer.entries.push_back(standby->follower->register_owner(entry));
  }
  if (!answer.entries.empty()) runtime.send(self, owner, kReplicaStates, answer.encode());
}

Buffer apply_frames(Runtime& runtime, ActorId self, const ActorAddress& owner, Frames message,
                    bool own_bytes, Standbys* standbys) {
  FrameAck ack{message.job, message.link_seq, {}};
  ReplicaStates refused{message.job, {}};
  for (FramePart& part : message.parts) {
    StandbyPartition* standby = find(standbys, part.key_partition);
    if (standby == nullptr) continue;
    if (own_bytes) part.own_payload(&standby->changes);
    Follower* const follower = standby->follower.get();
    switch (follower->apply(part)) {
      case Follower::Outcome::kApplied: {
        // While images come in, what is held may be a former owner's, whose versions are others.
        const Stamp stamp = follower->head().stamp();
        ack.entries.push_back(
            {part.key_partition, part.session, stamp.epoch == part.epoch ? stamp.version : 0});
        break;
      }
      case Follower::Outcome::kRefused:
        refused.entries.push_back(follower->state());
        refused.entries.back().session = part.session;
        break;
      case Follower::Outcome::kRepeated:
        break;
    }
  }
  if (!refused.entries.empty()) runtime.send(self, owner, kReplicaStates, refused.encode());
  return ack.encode();
}

}  // namespace tidemill
