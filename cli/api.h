// Calls of the coordinator's and the store's HTTP APIs, and where those are.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/global_options.h"

namespace tidemill::cli {

// An answer, or why there is none.
struct Reply {
  ExitCode exit = ExitCode::kOk;  // what the command should exit with if it depends on this call
  int status = 0;                 // HTTP's; 0: no answer
  std::string body;               // as received
  nlohmann::json json;            // the body; null if it is not JSON
  std::string message;            // why it failed, and what to do

  bool ok() const { return exit == ExitCode::kOk; }
};

inline constexpr int kCallTimeoutMs = 20'000;

Reply call(const std::string& method, const std::string& url, const std::string& body = "",
           int timeout_ms = kCallTimeoutMs);

// The coordinators' addresses without a slash at their ends: --coordinator, $TIDEMILL_COORDINATOR,
// the cluster of ./run/cluster.json, or http://127.0.0.1:7070. Several have commas between.
std::vector<std::string> coordinator_urls(const GlobalOptions& global);

// GET of the coordinator's `path`, of the one that leads where there are several; a failure says
// how to name the coordinator.
Reply get_coordinator(const GlobalOptions& global, const std::string& path);
Reply post_coordinator(const GlobalOptions& global, const std::string& path,
                       const std::string& body);
Reply delete_coordinator(const GlobalOptions& global, const std::string& path);

// The address of a store that is alive, from the coordinator's view of the cluster, in `message` of
// an ok reply.
Reply find_store(const GlobalOptions& global);

// A path segment or query value with everything but unreserved characters as %XX (RFC 3986).

// Members of an answer, with a default where one is missing, null or of another type.
std::string text_of(const nlohmann::json& object, const char* name);
uint64_t number_of(const nlohmann::json& object, const char* name);
bool flag_of(const nlohmann::json& object, const char* name);
const nlohmann::json& list_of(const nlohmann::json& object, const char* name);

}  // namespace tidemill::cli
