// Message types on the wire. Numbers are never reused.
#pragma once

#include <cstdint>

namespace tidemill {

// Control plane: the body is a Protobuf message of proto/control.proto.
inline constexpr uint16_t kHeartbeat = 1;    // member -> coordinator
inline constexpr uint16_t kClusterView = 2;  // coordinator -> member
inline constexpr uint16_t kFenced = 3;       // coordinator -> member

// Reader -> key partition (shared/wire/source_batch.h).
inline constexpr uint16_t kOpenSessions = 10;    // partition host -> reader host
inline constexpr uint16_t kSessionsClosed = 11;  // reader host -> partition host
inline constexpr uint16_t kSourceBatch = 12;     // reader host -> partition host
inline constexpr uint16_t kBatchAck = 13;        // partition host -> reader host

// Key partition -> store replica (shared/wire/frames.h).
inline constexpr uint16_t kRegisterReplicas = 20;  // partition host -> store shard
inline constexpr uint16_t kReplicaStates = 21;     // store shard -> partition host
inline constexpr uint16_t kFrames = 22;            // partition host -> store shard
inline constexpr uint16_t kFrameAck = 23;          // store shard -> partition host

}  // namespace tidemill
