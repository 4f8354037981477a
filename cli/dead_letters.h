// `tidemill dead-letters`: the records that a job could not use, why, and their bytes.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct DeadLettersCommand {
  std::string job;
  std::string reason;
  std::string view;
  std::string source;
  uint64_t limit = 20;
  bool all = false;     // whatever the limit
  bool raw = false;     // the records' bytes, a line each
  bool counts = false;  // how many there are of each kind, instead

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
