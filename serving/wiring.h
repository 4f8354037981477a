// The actors of a store process, for either runtime.
#pragma once

#include "serving/config.h"
#include "shared/member/member_agent.h"
#include "shared/runtime/host.h"

namespace tidemill {

// `member.role` and `member.shards` are set here.
void spawn_store(ProcessHost& process, MemberConfig member, const StoreConfig& config,
                 const StoreResources& resources);

}  // namespace tidemill
