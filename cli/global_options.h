// What all commands share: global options and exit codes (docs/cli.md).
#pragma once

#include <string>

namespace tidemill::cli {

enum class ExitCode {
  kOk = 0,
  kFailed = 1,       // the operation was understood and failed
  kUsage = 2,        // bad usage or invalid input
  kUnreachable = 3,  // the coordinator or the store could not be reached
};

struct GlobalOptions {
  std::string coordinator;  // as given by --coordinator or TIDEMILL_COORDINATOR; empty: found out
  bool json = false;        // raw JSON to stdout, for programs
};

// "tidemill: <message>" to stderr; returns `code`.
ExitCode fail(ExitCode code, const std::string& message);

}  // namespace tidemill::cli
