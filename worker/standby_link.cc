#include "worker/standby_link.h"

#include "shared/wire/messages.h"

namespace tidemill {
namespace {

Follower* follower_of(Standbys* standbys, KeyPartitionId k) {
  const auto it = standbys->find(k);
  return it == standbys->end() ? nullptr : it->second.follower.get();
}

}  // namespace

void answer_registration(Runtime& runtime, ActorId self, const ActorAddress& owner,
                         const RegisterReplicas& message, Standbys* standbys) {
  ReplicaStates answer{message.job, {}};
  for (const RegisterReplicas::Entry& entry : message.entries) {
    Follower* follower = follower_of(standbys, entry.key_partition);
    if (follower != nullptr) answer.entries.push_back(follower->register_owner(entry));
  }
  if (!answer.entries.empty()) runtime.send(self, owner, kReplicaStates, answer.encode());
}

void apply_frames(Runtime& runtime, ActorId self, const ActorAddress& owner, const Frames& message,
                  Standbys* standbys) {
  FrameAck ack{message.job, message.link_seq, {}};
  ReplicaStates refused{message.job, {}};
  for (const FramePart& part : message.parts) {
    Follower* follower = follower_of(standbys, part.key_partition);
    if (follower == nullptr) continue;
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
  runtime.send(self, owner, kFrameAck, ack.encode());
  if (!refused.entries.empty()) runtime.send(self, owner, kReplicaStates, refused.encode());
}

}  // namespace tidemill
