// The actors of a worker process, for either runtime.
#pragma once

#include "shared/member/member_agent.h"
#include "shared/runtime/host.h"
#include "worker/config.h"

namespace tidemill {

// `member.role` and `member.shards` are set here.
void spawn_worker(ProcessHost& process, MemberConfig member, const WorkerConfig& config);

}  // namespace tidemill
