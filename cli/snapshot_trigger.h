// `tidemill snapshot trigger`: has every key partition of a job take a snapshot now; with a name, a
// savepoint is made of them.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct SnapshotTriggerCommand {
  std::string job;
  std::string name;   // of a savepoint; empty: none
  bool wait = false;  // until all have been registered

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
