// The options of a worker's process; config/worker.yaml shows them with their defaults.
#pragma once

#include <string>

#include "shared/net/process_config.h"
#include "worker/config.h"

namespace tidemill {

struct WorkerOptions {
  std::string coordinator = "tcp://127.0.0.1:7071";
  std::string listen = "tcp://127.0.0.1:0";
  int64_t shards = 1;
  int64_t blocking_threads = 4;
  int64_t background_threads = 1;
  int64_t heartbeat_ms = 250;
  std::string dead_letters = "dead-letters";
  std::string data_dir = "worker-data";
  std::string snapshots = "snapshots";
  WorkerConfig worker;
};

void add_options(ProcessConfig* config, WorkerOptions* options);
// What one option alone cannot say.
Status check(const WorkerOptions& options);

}  // namespace tidemill
