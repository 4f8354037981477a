// What the objects of a key partition are called, below snapshot_prefix():
//
//   job-00000001/k-00017/<owner>/manifest-<owner>-<version>
//   job-00000001/k-00017/<owner>/base-<epoch>-<version>.sst       as the file is called on disk
//   job-00000001/k-00017/<owner>/rows-<epoch>-<from>-<to>.sst or .log
//
// <owner> is the epoch of the grant under which the object was written. What a store has written
// for that owner, of its replica, is below <owner>-<node> instead, with the store's node. The
// numbers are 16 hex digits but for the job's, 8 hex digits, and the key partition's, which is
// decimal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shared/base/ids.h"

namespace tidemill {

// Where the owner of that epoch writes; ends in "/".
std::string owner_prefix(JobId job, KeyPartitionId k, Epoch owner);
// Where that store writes for the owner of that epoch; likewise.
std::string store_prefix(JobId job, KeyPartitionId k, Epoch owner, NodeId store);
// Below it.
std::string manifest_name(Epoch owner, uint64_t version);

struct SnapshotObjectName {
  JobId job;
  KeyPartitionId key_partition;
  Epoch owner;
  NodeId store;          // that wrote it; 0: the owner itself
  uint64_t version = 0;  // of the state that it ends at
  bool manifest = false;
};
// Also of what a broken put has left. Nothing: it is no such name.
std::optional<SnapshotObjectName> parse_snapshot_object(std::string_view name);

}  // namespace tidemill
