// Waiting for something that the coordinator does in the background.
#pragma once

#include <functional>
#include <string>

#include "cli/api.h"

namespace tidemill::cli {

// GETs `path` until `done` says so of the answer, and gives that one; or the first refusal. A
// coordinator that cannot be reached is waited for, up to 30 s.
Reply poll_coordinator(const GlobalOptions& global, const std::string& path,
                       const std::function<bool(const nlohmann::json&)>& done);

}  // namespace tidemill::cli
