// `tidemill get`: reads features from the serving store, once or again and again.
#pragma once

#include <string>
#include <vector>

#include "cli/global_options.h"

namespace tidemill::cli {

struct GetCommand {
  std::string job;
  std::vector<std::string> entities;  // "customer_id=596,4961"; one per join key
  std::vector<std::string> features;  // "customer.*"; commas allowed
  std::string service;                // in place of features
  std::string as_of;
  std::string store;     // address; empty: the cluster's
  bool offsets = false;  // in JSON only
  bool watch = false;
  double watch_seconds = 1;
  uint32_t count = 0;  // of refreshes while watching; 0: until interrupted

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
