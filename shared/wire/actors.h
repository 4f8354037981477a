// Well-known actors: an actor's index says its role, on every shard that has it.
#pragma once

#include "shared/runtime/runtime.h"

namespace tidemill {

inline constexpr NodeId kCoordinatorNode{1};

inline constexpr uint16_t kAgentIndex = 1;          // every process, shard 0
inline constexpr uint16_t kPartitionHostIndex = 2;  // worker, every shard
inline constexpr uint16_t kReaderHostIndex = 3;     // worker, every shard
inline constexpr uint16_t kStoreShardIndex = 4;     // store, every shard
inline constexpr uint16_t kReadGatewayIndex = 5;    // store, shard 0

inline constexpr ActorId kAgent{0, kAgentIndex};
inline constexpr ActorId kReadGateway{0, kReadGatewayIndex};

}  // namespace tidemill
