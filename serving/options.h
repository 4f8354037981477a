// The options of a store's process; config/store.yaml shows them with their defaults.
#pragma once

#include <string>

#include "serving/config.h"
#include "shared/net/http_server.h"
#include "shared/net/process_config.h"

namespace tidemill {

struct StoreOptions {
  std::string coordinator = "tcp://127.0.0.1:7071";
  std::string listen = "tcp://127.0.0.1:0";
  std::string http = "127.0.0.1:7080";
  std::string data_dir = "store-data";
  std::string snapshots = "snapshots";
  int64_t snapshot_interval_ms = 10'000;
  int64_t memory_budget_bytes = 0;
  int64_t log_limit_bytes = 64u << 20;
  int64_t shards = 1;
  int64_t heartbeat_ms = 250;
  int64_t max_connections = 1024;
  int64_t read_timeout_ms = 10'000;
  int64_t idle_timeout_ms = 60'000;
  int64_t answer_timeout_ms = 10'000;
  int64_t write_timeout_ms = 10'000;
  int64_t max_request_bytes = 64 << 20;
  int64_t max_request_rows = 100'000;
  int64_t max_request_values = 2'000'000;
};

// The least budget with which a store of so many shards works: what a process takes without any
// state, and room for what is on its way.
constexpr int64_t least_memory_budget(int64_t shards) {
  return 48'000'000 + 16'000'000 * (shards - 1);
}

void add_options(ProcessConfig* config, StoreOptions* options);
Result<HttpServerConfig> http_config(const StoreOptions& options);
StoreConfig store_config(const StoreOptions& options);
// What one option alone cannot say.
Status check(const StoreOptions& options);
// A sixteenth of the memory budget.
std::shared_ptr<SstReaders> open_files(const StoreOptions& options);

}  // namespace tidemill
