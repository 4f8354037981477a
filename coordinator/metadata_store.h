// MetadataStore: the coordinator's durable state over a KeyValueStore: embedded RocksDB in a
// directory, or etcd. Everything it acknowledges survives a crash.
//
// blocking: used on the blocking pool only, by one task at a time (one lane), after open.
// Failure: as KeyValueStore; contents older than what a coordinator has seen there are refused as
// corrupt.
// Format: docs/formats/coordinator_metadata.md.
#pragma once

#include <memory>
#include <string>

#include "coordinator/coordinator_state.h"
#include "coordinator/key_value_store.h"
#include "shared/base/result.h"
#include "shared/state/disk.h"

namespace tidemill {

class MetadataStore {
 public:
  // In an embedded RocksDB; creates the directory if there is none.
  static Result<std::shared_ptr<MetadataStore>> open_on(std::shared_ptr<Disk> disk,
                                                        const std::string& directory);

  explicit MetadataStore(std::unique_ptr<KeyValueStore> store);

  // The state as committed last, with the generation raised; that is durable on return.
  Result<CoordinatorState> start_generation();

  // Makes `after` durable in one atomic step. `before` is the state committed last: jobs and
  // grants whose pointers are the same in both are not written again.
  Status commit(const CoordinatorState& before, const CoordinatorState& after);

 private:
  std::unique_ptr<KeyValueStore> store_;
};

}  // namespace tidemill
