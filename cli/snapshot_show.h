// `tidemill snapshot show`: what the manifests of a key partition's snapshots name: those that are
// retained of a job, or the one of a savepoint.
#pragma once

#include <cstdint>
#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct SnapshotShowCommand {
  std::string job;        // or
  std::string savepoint;  // one of them
  uint32_t key_partition = 0;

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
