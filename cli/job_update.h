// `tidemill job update`: what a changed job file makes of the running job, and that made of it.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct JobUpdateCommand {
  std::string file;
  std::string job{};  // name or id; empty: the name in the file
  bool plan = false;  // say what would happen, and change nothing

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
