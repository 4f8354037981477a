// SnapshotStorage in a bucket of an S3-compatible server.
//
// Objects up to kS3PartBytes are written in one request, larger ones in parts of that size: what is
// held in memory for an upload, and what is repeated after a failure, has that bound. An object
// appears when its upload is completed. An upload that broke off for good is aborted where the
// process still lives; for others a lifecycle rule of the bucket is the way (docs/snapshots.md).
//
// thread-safe, blocking
#pragma once

#include <memory>

#include "shared/snapshot/s3_client.h"
#include "shared/snapshot/snapshot_storage.h"

namespace tidemill {

inline constexpr uint64_t kS3PartBytes = 16u << 20;  // at least 5 MiB, by S3's rules
inline constexpr uint64_t kS3MaxParts = 10'000;      // larger files have larger parts

std::shared_ptr<SnapshotStorage> s3_storage(S3Location location, S3Credentials credentials,
                                            S3Patience patience);

}  // namespace tidemill
