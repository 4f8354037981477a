// `tidemill savepoint list|show|delete`: snapshots of whole jobs under a name.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct SavepointListCommand {
  ExitCode run(const GlobalOptions& global) const;
};

struct SavepointShowCommand {
  std::string name;

  ExitCode run(const GlobalOptions& global) const;
};

struct SavepointDeleteCommand {
  std::string name;

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
