// The receiving end of standbys: applies what owners on other workers send, and answers them.
// shard-affine: part of the PartitionHost actor.
#pragma once

#include "shared/runtime/runtime.h"
#include "shared/wire/frames.h"
#include "worker/holdings.h"

namespace tidemill {

// `standbys` of the message's job. One that is not restored yet does not answer: its owner asks
// again.
void answer_registration(Runtime& runtime, ActorId self, const ActorAddress& owner,
                         const RegisterReplicas& message, Standbys* standbys);
// Gives the acknowledgement (FrameAck). `own_bytes`: what is kept gets bytes of its own.
Buffer apply_frames(Runtime& runtime, ActorId self, const ActorAddress& owner, Frames message,
                    bool own_bytes, Standbys* standbys);

}  // namespace tidemill
