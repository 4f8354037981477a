// `tidemill job move-reader`: has another worker read a source partition.
#pragma once

#include <cstdint>
#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct JobMoveReaderCommand {
  std::string job;  // name or id
  uint32_t source_partition = 0;
  std::string to;  // node of a worker; empty: the coordinator chooses

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
