// The actors of a worker process, for either runtime.
#pragma once

#include <memory>

#include "shared/dead_letter/dead_letter.h"
#include "shared/member/member_agent.h"
#include "shared/runtime/host.h"
#include "worker/config.h"

namespace tidemill {

// `member.role` and `member.shards` are set here. `dead_letters` is where all workers put them.
void spawn_worker(ProcessHost& process, MemberConfig member, const WorkerConfig& config,
                  std::shared_ptr<DeadLetterStorage> dead_letters);

}  // namespace tidemill
