// `tidemill training-set`: the features of a job at the times that a spine names, as the store
// would have answered then. No cluster is needed.
#pragma once

#include <cstdint>
#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct TrainingSetCommand {
  std::string job;  // files
  std::string spine;
  std::string out;
  std::string service;
  std::string time_column = "event_time";
  std::string known_at = "event";  // or "arrival"
  std::string arrival_column;
  uint64_t memory_budget_bytes = uint64_t{1} << 30;
  std::string spill_dir;  // empty: that of `out`
  unsigned threads = 0;   // 0: as many as there are cores
  bool quiet = false;

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
