// Limits and intervals of a worker's data plane. Every one is an option of tidemill-worker
// (config/worker.yaml); the simulation uses small ones.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidemill {

struct WorkerConfig {
  // Readers.
  int64_t read_records = 65'536;           // at most, per batch
  int64_t read_bytes = 8u << 20;           // about, per batch
  int64_t batch_credit_bytes = 16u << 20;  // in flight per (reader, partition host)
  int64_t session_wait_ms = 300;           // for key partitions to open before the first read
  int64_t mark_interval_ms = 100;          // a link that is silent this long gets a progress mark
  // Key partitions.
  int64_t session_retry_ms = 300;      // an unanswered opening is repeated
  int64_t session_silence_ms = 5'000;  // a session that is silent this long is reopened
  // Publishing.
  int64_t publish_interval_ms = 5;
  int64_t frame_credit_bytes = 16u << 20;  // in flight per (partition host, store shard)
  int64_t frame_bytes = 1u << 20;          // about, per message
  int64_t unsent_limit_bytes = 64u << 20;  // rows kept for replicas, per shard; beyond: images
  int64_t replica_retry_ms = 300;          // an unanswered registration is repeated
  int64_t keepalive_ms = 500;  // an idle key partition tells its replicas how fresh it is
  // Links and reports.
  int64_t link_stall_ms = 2'000;  // without an acknowledgement: the link's sessions are closed
  int64_t report_interval_ms = 250;
};

}  // namespace tidemill
