// `tidemill rebalance`: spreads what workers own according to what it costs.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct RebalanceCommand {
  std::string job;      // name or id; empty: all
  bool plan = false;    // show what would be moved, and move nothing
  bool status = false;  // show how far the newest one is

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
