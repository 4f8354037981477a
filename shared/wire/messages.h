// Message types on the wire. Numbers are never reused.
#pragma once

#include <cstdint>

namespace tidemill {

// Control plane: the body is a Protobuf message of proto/control.proto.
inline constexpr uint16_t kHeartbeat = 1;     // member -> coordinator
inline constexpr uint16_t kClusterView = 2;   // coordinator -> member
inline constexpr uint16_t kFenced = 3;        // coordinator -> member
inline constexpr uint16_t kHeartbeatAck = 8;  // coordinator -> member

// Snapshot registry, likewise.
inline constexpr uint16_t kSnapshotQuery = 4;       // partition host -> coordinator
inline constexpr uint16_t kSnapshotsKnown = 5;      // coordinator -> partition host
inline constexpr uint16_t kSnapshotTaken = 6;       // partition host -> coordinator
inline constexpr uint16_t kSnapshotRegistered = 7;  // coordinator -> partition host

// Reader -> key partition (shared/wire/source_batch.h).
inline constexpr uint16_t kOpenSessions = 10;    // partition host -> reader host
inline constexpr uint16_t kSessionsClosed = 11;  // reader host -> partition host
inline constexpr uint16_t kSourceBatch = 12;     // reader host -> partition host
inline constexpr uint16_t kBatchAck = 13;        // partition host -> reader host

// Key partition -> replica (shared/wire/frames.h): a store's, or a standby of another worker, which
// is a partition host too.
inline constexpr uint16_t kRegisterReplicas = 20;  // partition host -> replica
inline constexpr uint16_t kReplicaStates = 21;     // replica -> partition host
inline constexpr uint16_t kFrames = 22;            // partition host -> replica
inline constexpr uint16_t kFrameAck = 23;          // replica -> partition host
// A state that is taken from a store's replica (shared/wire/take_over.h).
inline constexpr uint16_t kStateWanted = 24;   // partition host -> store
inline constexpr uint16_t kStateWritten = 25;  // store -> partition host

}  // namespace tidemill
