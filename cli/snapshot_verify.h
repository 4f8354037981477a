// `tidemill snapshot verify`: reads snapshots in storage whole, and says what is wrong with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct SnapshotVerifyCommand {
  std::string job;                        // or
  std::string savepoint;                  // one of them
  std::optional<uint32_t> key_partition;  // of the job; nothing: all

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
