// `tidemill validate`: compiles a job without a cluster, and says everything that is wrong with it,
// or what it means and costs; also what it makes of a sample of events.
#pragma once

#include <cstdint>
#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct ValidateCommand {
  std::string file;
  std::string sample{};  // events of a source, in a file; empty: none
  std::string source{};  // whose they are; empty: of the only one
  uint32_t keys = 3;     // whose features are shown, of each entity

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
