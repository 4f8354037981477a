#include "serving/options.h"

#include "shared/state/sst_readers.h"

namespace tidemill {

void add_options(ProcessConfig* config, StoreOptions* options) {
  config->text("coordinator", &options->coordinator,
               "endpoint of the coordinator, or of all of them, with commas between");
  config->text("listen", &options->listen, "endpoint to listen at; port 0: any free one");
  config->text("http", &options->http, "host:port of the HTTP API; port 0: any free one");
  config->number("shards", &options->shards, {"threads that hold replicas", "", 1, 256});
  config->text("data-dir", &options->data_dir,
               "directory of this process alone, for what it holds");
  config->text("snapshots", &options->snapshots,
               "snapshot storage: a directory or s3://..., the same as the workers'");
  config->number("snapshot-interval-ms", &options->snapshot_interval_ms,
                 {"between writes of one key partition to disk", "ms", 50, 86'400'000});
  config->number("log-limit-bytes", &options->log_limit_bytes,
                 {"changes of one key partition on disk that are not sorted by key yet", "bytes", 0,
                  int64_t{1} << 30});
  config->number("memory-budget-bytes", &options->memory_budget_bytes,
                 {"of the process; keys beyond it are on disk only; 0: no bound", "bytes", 0,
                  int64_t{1} << 50});
  config->number("heartbeat-ms", &options->heartbeat_ms,
                 {"between reports to the coordinator", "ms", 10, 60'000});
  config->number("max-connections", &options->max_connections,
                 {"HTTP connections at once; more are refused", "", 1, 100'000});
  config->number("read-timeout-ms", &options->read_timeout_ms,
                 {"for one whole request to arrive", "ms", 10, 600'000});
  config->number("idle-timeout-ms", &options->idle_timeout_ms,
                 {"between requests of a connection", "ms", 10, 3'600'000});
  config->number("answer-timeout-ms", &options->answer_timeout_ms,
                 {"for an answer to be found; then 503", "ms", 10, 600'000});
  config->number("write-timeout-ms", &options->write_timeout_ms,
                 {"for an answer to be taken", "ms", 10, 600'000});
  config->number("max-request-bytes", &options->max_request_bytes,
                 {"of a request's body; larger ones are refused", "bytes", 1'024, 1 << 30});
  config->number("max-request-rows", &options->max_request_rows,
                 {"entities that one request may ask for", "", 1, 10'000'000});
  config->number(
      "max-request-values", &options->max_request_values,
      {"entities times features of one request; some 150 bytes each", "", 1, 100'000'000});
}

Result<HttpServerConfig> http_config(const StoreOptions& options) {
  auto address = parse_host_port(options.http);
  if (!address) return address.error().within("--http");
  HttpServerConfig out;
  out.address = address->host;
  out.port = address->port;
  out.max_body_bytes = static_cast<size_t>(options.max_request_bytes);
  out.max_connections = static_cast<size_t>(options.max_connections);
  out.read_timeout_ms = static_cast<int>(options.read_timeout_ms);
  out.idle_timeout_ms = static_cast<int>(options.idle_timeout_ms);
  out.answer_timeout_ms = static_cast<int>(options.answer_timeout_ms);
  out.write_timeout_ms = static_cast<int>(options.write_timeout_ms);
  return out;
}

StoreConfig store_config(const StoreOptions& options) {
  StoreConfig out;
  out.limits = {static_cast<size_t>(options.max_request_rows),
                static_cast<size_t>(options.max_request_values)};
  out.snapshot_interval_ms = options.snapshot_interval_ms;
  out.memory_budget_bytes = options.memory_budget_bytes;
  out.log_limit_bytes = options.log_limit_bytes;
  return out;
}

Status check(const StoreOptions& options) {
  const int64_t least = least_memory_budget(options.shards);
  if (options.memory_budget_bytes == 0 || options.memory_budget_bytes >= least) return {};
  return user_error("--memory-budget-bytes: " + std::to_string(options.memory_budget_bytes) +
                    " is too little; a store of " + std::to_string(options.shards) +
                    " shards needs " + std::to_string(least) + ", and 0 means no bound");
}

std::shared_ptr<SstReaders> open_files(const StoreOptions& options) {
  if (options.memory_budget_bytes == 0) return std::make_shared<SstReaders>();
  return std::make_shared<SstReaders>(static_cast<uint64_t>(options.memory_budget_bytes) / 16);
}

}  // namespace tidemill
