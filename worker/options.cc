#include "worker/options.h"

#include "worker/memory_bounds.h"

namespace tidemill {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kGiB = 1 << 30;

}  // namespace

void add_options(ProcessConfig* config, WorkerOptions* options) {
  config->text("coordinator", &options->coordinator,
               "endpoint of the coordinator, or of all of them, with commas between");
  config->text("listen", &options->listen, "endpoint to listen at; port 0: any free one");
  config->number("shards", &options->shards, {"threads that hold partitions", "", 1, 256});
  config->number("blocking-threads", &options->blocking_threads,
                 {"threads that read sources, as many that catch up, and half as many that restore",
                  "", 1, 256});
  config->number("background-threads", &options->background_threads,
                 {"threads that write increments, upload them, and restore standbys; more for "
                  "snapshot storage that answers slowly",
                  "", 1, 256});
  config->number("heartbeat-ms", &options->heartbeat_ms,
                 {"between reports to the coordinator", "ms", 10, 60'000});
  config->text(
      "dead-letters", &options->dead_letters,
      "directory, shared by all workers and the coordinator, for records that are no events");
  config->text("data-dir", &options->data_dir,
               "directory of this process alone, for the state of its key partitions");
  config->text("snapshots", &options->snapshots,
               "directory or s3:// location, shared by all workers and the coordinator");
  WorkerConfig& w = options->worker;
  config->number("read-records", &w.read_records, {"in one batch, at most", "", 1, 1 << 20});
  config->number("read-bytes", &w.read_bytes, {"in one batch, about", "bytes", 4096, 256 * kMiB});
  config->number("batch-credit-bytes", &w.batch_credit_bytes,
                 {"in flight to one shard, shared by all readers", "bytes", 4096, kGiB});
  config->number("session-wait-ms", &w.session_wait_ms,
                 {"a new reader waits for its key partitions", "ms", 0, 60'000});
  config->number("poll-interval-ms", &w.poll_interval_ms,
                 {"a log that had nothing new is read again after", "ms", 1, 60'000});
  config->number("mark-interval-ms", &w.mark_interval_ms,
                 {"a silent link gets a progress mark after", "ms", 1, 1'000});
  config->number("session-retry-ms", &w.session_retry_ms,
                 {"an unanswered session opening is repeated after", "ms", 10, 60'000});
  config->number("session-silence-ms", &w.session_silence_ms,
                 {"a silent session is reopened after", "ms", 100, 600'000});
  config->number("publish-interval-ms", &w.publish_interval_ms,
                 {"between frames to the stores", "ms", 1, 10'000});
  config->number("frame-credit-bytes", &w.frame_credit_bytes,
                 {"in flight to one store shard, shared by all senders", "bytes", 4096, kGiB});
  config->number("frame-bytes", &w.frame_bytes, {"of one frame, about", "bytes", 1024, 64 * kMiB});
  config->number(
      "unsent-limit-bytes", &w.unsent_limit_bytes,
      {"rows kept for stores, per shard; beyond it images are sent", "bytes", 4096, 16 * kGiB});
  config->number("replica-retry-ms", &w.replica_retry_ms,
                 {"an unanswered registration at a store is repeated after", "ms", 10, 60'000});
  config->number("keepalive-ms", &w.keepalive_ms,
                 {"an idle key partition tells stores how fresh it is every", "ms", 10, 60'000});
  config->number("snapshot-interval-ms", &w.snapshot_interval_ms,
                 {"between snapshots of one key partition", "ms", 50, 86'400'000});
  config->number("pending-limit-bytes", &w.pending_limit_bytes,
                 {"changes in no snapshot, per shard; beyond it they are written sooner", "bytes",
                  4096, 64 * kGiB});
  config->number(
      "log-limit-bytes", &w.log_limit_bytes,
      {"changes of one key partition on disk that are not sorted by key yet", "bytes", 0, kGiB});
  config->number("memory-budget-bytes", &w.memory_budget_bytes,
                 {"of the process; lowers the bounds in bytes of its parts; 0: no bound", "bytes",
                  0, int64_t{1} << 50});
  config->number("link-stall-ms", &w.link_stall_ms,
                 {"a link without an acknowledgement is given up after", "ms", 100, 600'000});
  config->number("report-interval-ms", &w.report_interval_ms,
                 {"between reports to this worker's agent", "ms", 10, 60'000});
}

Status check(const WorkerOptions& options) {
  const int64_t budget = options.worker.memory_budget_bytes;
  const int64_t least = least_memory_budget(options.shards);
  if (budget == 0 || budget >= least) return {};
  return user_error("--memory-budget-bytes: " + std::to_string(budget) +
                    " is too little; a worker of " + std::to_string(options.shards) +
                    " shards needs " + std::to_string(least) + ", and 0 means no bound");
}

}  // namespace tidemill
