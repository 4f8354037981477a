// `tidemill drain`: has everything that a worker owns move to others, so that it can be stopped.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct DrainCommand {
  std::string node;   // of a worker
  bool undo = false;  // it may own things again
  bool wait = false;  // return when it owns nothing

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
