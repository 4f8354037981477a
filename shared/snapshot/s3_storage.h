// SnapshotStorage in a bucket of an S3-compatible server.
//
// Objects up to the size of a part are written in one request, larger ones in parts: what is held
// in memory for an upload, and what is repeated after a failure, has that bound. An object appears
// when its upload is completed. An upload that broke off for good is aborted where the process
// still lives; for others a lifecycle rule of the bucket is the way (docs/snapshots.md).
//
// thread-safe, blocking
#pragma once

#include <algorithm>
#include <memory>

#include "shared/snapshot/s3_client.h"
#include "shared/snapshot/snapshot_storage.h"

namespace tidemill {

inline constexpr uint64_t kS3PartBytes = 16u << 20;
inline constexpr uint64_t kS3LeastPartBytes = 5u << 20;  // by S3's rules
inline constexpr uint64_t kS3MaxParts = 10'000;          // larger files have larger parts

// Of a process that keeps to so much memory; 0: no bound.
constexpr uint64_t s3_part_bytes(uint64_t memory_budget_bytes) {
  constexpr uint64_t kPartsPerBudget = 64;
  if (memory_budget_bytes == 0) return kS3PartBytes;
  return std::clamp(memory_budget_bytes / kPartsPerBudget, kS3LeastPartBytes, kS3PartBytes);
}

std::shared_ptr<SnapshotStorage> s3_storage(S3Location location, S3Credentials credentials,
                                            S3Patience patience,
                                            uint64_t part_bytes = kS3PartBytes);

}  // namespace tidemill
