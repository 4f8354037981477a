// Well-known actors: an actor's index says its role, on every shard that has it.
#pragma once

#include "shared/runtime/runtime.h"

namespace tidemill {

// Of every coordinator, of which one at a time leads. A member numbers those that it knows
// kCoordinatorNode, kCoordinatorNode + 1, ..: each takes messages for all of these.
inline constexpr NodeId kCoordinatorNode{1};
inline constexpr uint64_t kCoordinatorsMax = 16;

inline constexpr uint16_t kAgentIndex = 1;          // every process, shard 0
inline constexpr uint16_t kPartitionHostIndex = 2;  // worker, every shard
inline constexpr uint16_t kReaderHostIndex = 3;     // worker, every shard
inline constexpr uint16_t kStoreShardIndex = 4;     // store, every shard
inline constexpr uint16_t kReadGatewayIndex = 5;    // store, shard 0

inline constexpr ActorId kAgent{0, kAgentIndex};
inline constexpr ActorId kReadGateway{0, kReadGatewayIndex};

}  // namespace tidemill
