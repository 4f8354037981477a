// MetadataStore: the coordinator's durable state in an embedded RocksDB, one lock-protected
// directory. Everything it acknowledges survives a crash of the process and of the machine.
//
// blocking: used on the blocking pool only, by one task at a time (one lane), after open.
// Failure: a directory whose contents are older than what a coordinator has seen there is refused
// as corrupt; RocksDB alone would open a truncated one as an empty database.
// Format: docs/formats/coordinator_metadata.md.
#pragma once

#include <memory>
#include <string>

#include "coordinator/coordinator_state.h"
#include "shared/base/result.h"

namespace tidemill {

// A file system in memory that outlives the stores opened on it. One store at a time.
class MemoryDisk;

class MetadataStore {
 public:
  // Creates the directory if there is none.
  static Result<std::shared_ptr<MetadataStore>> open(const std::string& directory);

  static std::shared_ptr<MemoryDisk> make_memory_disk();
  static Result<std::shared_ptr<MetadataStore>> open_in_memory(std::shared_ptr<MemoryDisk> disk);

  ~MetadataStore();

  // The state as committed last, with the generation raised; that is durable on return.
  Result<CoordinatorState> start_generation();

  // Makes `after` durable in one atomic step. `before` is the state committed last: jobs and
  // grants whose pointers are the same in both are not written again.
  Status commit(const CoordinatorState& before, const CoordinatorState& after);

 private:
  class Impl;
  explicit MetadataStore(std::unique_ptr<Impl> impl);
  static Result<std::shared_ptr<MetadataStore>> open_impl(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemill
