// The values of the coordinator's metadata as Protobuf messages, and back. Decoding is strict:
// what is read are bytes from a disk. docs/formats/coordinator_metadata.md
#pragma once

#include "coordinator/coordinator_state.h"
#include "proto/metadata.pb.h"
#include "shared/base/result.h"

namespace tidemill {

inline constexpr uint32_t kMetadataFormatVersion = 1;

proto::StoredCluster encode_cluster(const CoordinatorState& state);
proto::StoredJob encode_job(const JobRecord& job);
proto::StoredGrants encode_grants(JobId job, const JobGrants& grants);

// All but the jobs.
Result<CoordinatorState> decode_cluster(const proto::StoredCluster& stored);
Result<JobRecord> decode_job(proto::StoredJob stored);
Result<JobGrants> decode_grants(const proto::StoredGrants& stored);

}  // namespace tidemill
