// The actors of a store process, for either runtime.
#pragma once

#include "serving/features_request.h"
#include "shared/member/member_agent.h"
#include "shared/runtime/host.h"

namespace tidemill {

// `member.role` and `member.shards` are set here.
void spawn_store(ProcessHost& process, MemberConfig member, ReadLimits limits = {});

}  // namespace tidemill
