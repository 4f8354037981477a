// `tidemill sql`: a job as point-in-time SQL for PostgreSQL, DuckDB or Spark. No cluster is needed.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct SqlCommand {
  std::string job;  // a file
  std::string dialect;
  std::string spine;  // a table
  std::string time_column = "event_time";
  std::string service;

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
