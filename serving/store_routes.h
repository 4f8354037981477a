// Which of the store's routes a request's target names. thread-safe
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidemill {

enum class StoreRoute {
  kFeatures,       // POST /v1/features
  kKeys,           // GET  /v1/jobs/<job>/keys
  kHealth,         // GET  /health and /jobs/<job>/health
  kFeastFeatures,  // POST /get-online-features and /jobs/<job>/get-online-features
};

struct StoreTarget {
  StoreRoute route{};
  std::string path;  // without the query
  std::string job;   // decoded; empty where the path names none
};

// None for a path that there is not. Slashes in a row count as one, and Feast's paths may end in
// one: its SDK puts its own behind a base address that may end in a slash.
std::optional<StoreTarget> parse_target(std::string_view target);

// "GET" or "POST".
const char* method_of(StoreRoute route);

}  // namespace tidemill
