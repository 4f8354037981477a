// The shared place of dead letters in the simulation: the product's own writers and readers over
// files in memory, which outlive processes. Writes fail half way, and processes crash in the
// middle of one. Says what is wrong with what is there.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "shared/dead_letter/letter_storage.h"
#include "shared/runtime/random.h"
#include "shared/runtime/sim/simulation.h"
#include "tests/simulation/fold.h"
#include "tests/simulation/memory_letter_files.h"

namespace tidemill::test {

class SimLetters {
 public:
  // `crash` ends that process as soon as the handler that runs has returned.
  SimLetters(uint64_t seed, std::function<void(SimProcessId)> crash);

  void set_truth(const Truth& truth, size_t source_partitions);
  // The job that writes from now on. It began in the middle: what is before that may be missing.
  void set_job(const std::string& name);
  // As a process sees it.
  std::shared_ptr<DeadLetterStorage> storage_of(SimProcessId process);
  // Faults strike writes from now on, or no longer.
  void set_faults(bool strike) { faults_ = strike; }

  // What is wrong if all letters below `offset` of the source partition must be durable.
  std::string check_mark(uint32_t source_partition, uint64_t offset);
  // At the end: what is there is all there must be, each once. `job`: the coordinator's answer,
  // whose readers count the same.
  std::string check_end(const nlohmann::json& job);

  uint64_t failed_writes() const { return failed_writes_; }
  uint64_t crashes() const { return crashes_; }

 private:
  using Key = std::pair<uint64_t, std::string>;  // offset, view
  class FilesOfProcess;

  size_t bytes_through(SimProcessId process, size_t bytes);
  Status find_durable(uint32_t source_partition);
  std::string check_counts(const nlohmann::json& source);

  std::shared_ptr<MemoryLetterFiles> files_ = std::make_shared<MemoryLetterFiles>();
  std::function<void(SimProcessId)> crash_;
  Random random_;
  bool faults_ = false;
  std::string job_ = "sim";
  uint32_t job_id_ = 1;
  uint64_t failed_writes_ = 0;
  uint64_t crashes_ = 0;
  std::vector<std::map<Key, BadReason>> wanted_;  // by source partition
  std::vector<std::set<Key>> missing_;            // of them: not durable when last looked
};

}  // namespace tidemill::test
