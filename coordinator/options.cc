#include "coordinator/options.h"

namespace tidemill {

void add_options(ProcessConfig* config, CoordinatorOptions* options) {
  auto& c = options->coordinator;
  config->text("data-dir", &options->data_dir,
               "directory of the metadata, created if missing; without --etcd");
  config->text("listen", &options->listen, "where members reach the coordinator; port 0: any");
  config->text("http", &options->http, "address:port of REST and metrics; port 0: any");
  config->text("advertise-http", &options->advertise_http,
               "HOST:PORT at which others reach REST; empty: that of --http");
  config->text("etcd", &options->etcd,
               "etcd's client addresses, with commas between: metadata are kept there, and "
               "coordinators with the same ones stand by for each other");
  config->text("etcd-prefix", &options->etcd_prefix, "what the cluster's keys in etcd begin with");
  config->number("etcd-ttl-s", &options->etcd_ttl_s,
                 {"a leader that could not renew its lease for as long ends", "s", 2, 60});
  config->text("dead-letters", &c.dead_letters, "directory of the workers' dead letters, to read");
  config->text("snapshots", &options->snapshots,
               "where the workers' snapshots are: a directory, or s3://BUCKET/PREFIX?endpoint=URL");
  config->number("lease-ms", &c.lease_ms,
                 {"a member without a heartbeat for as long is dead", "ms", 200, 600'000});
  config->number(
      "broken-link-ms", &c.broken_link_ms,
      {"a member whose connection broke, as when its process has ended, is dead after as "
       "long without a heartbeat; longer than its heartbeat-ms",
       "ms", 50, 600'000});
  config->number("tick-ms", &c.tick_ms, {"how often leases are looked at", "ms", 10, 60'000});
  config->number(
      "join-settle-ms", &c.join_settle_ms,
      {"wait for further workers after the first one, before placing", "ms", 0, 600'000});
  config->flag("auto-rebalance", &c.auto_rebalance,
               "move key partitions by itself when a worker has joined or is not drained any more");
  config->number("max-members", &c.max_members, {"workers and stores alive", "", 1, 10'000});
  config->number("max-jobs", &c.max_jobs, {"jobs that are not stopped", "", 1, 10'000});
  config->number("max-stopped-jobs", &c.max_stopped_jobs,
                 {"stopped jobs remembered, the latest", "", 0, 10'000});
  config->number("max-job-bytes", &c.max_job_bytes,
                 {"length of a submitted job", "bytes", 1'024, 1 << 20});
}

}  // namespace tidemill
