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
  int64_t snapshot_interval_ms = 10'000;
  int64_t memory_budget_bytes = 0;
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

void add_options(ProcessConfig* config, StoreOptions* options);
Result<HttpServerConfig> http_config(const StoreOptions& options);
StoreConfig store_config(const StoreOptions& options);

}  // namespace tidemill
