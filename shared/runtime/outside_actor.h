// The sender of what is injected from outside the runtime (post_from_outside).
#pragma once

#include "shared/runtime/runtime.h"

namespace tidemill {

inline constexpr ActorId kOutsideActor{0xffff, 0xffff};

}  // namespace tidemill
