// Limits and intervals of a worker's data plane. Every one is an option of tidemill-worker
// (config/worker.yaml); the simulation uses small ones.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tidemill {

struct WorkerConfig {
  // Readers.
  int64_t read_records = 65'536;          // at most, per batch
  int64_t read_bytes = 8u << 20;          // about, per batch
  int64_t batch_credit_bytes = 48 << 20;  // in flight to one shard, shared by all readers
  int64_t session_wait_ms = 300;          // for key partitions to open before the first read
  int64_t poll_interval_ms = 5;           // a log that had nothing new is read again after
  int64_t mark_interval_ms = 100;         // a link that is silent this long gets a progress mark
  // Key partitions.
  int64_t session_retry_ms = 100;      // an unanswered opening is repeated
  int64_t session_silence_ms = 5'000;  // a session that is silent this long is reopened
  // Publishing.
  int64_t publish_interval_ms = 5;
  int64_t frame_credit_bytes = 48 << 20;   // in flight to one store shard, shared by all senders
  int64_t frame_bytes = 1u << 20;          // about, per message
  int64_t unsent_limit_bytes = 64u << 20;  // rows kept for replicas, per shard; beyond: images
  int64_t replica_retry_ms = 100;          // an unanswered registration is repeated
  int64_t keepalive_ms = 500;  // an idle key partition tells its replicas how fresh it is
  // Snapshots.
  int64_t snapshot_interval_ms = 10'000;     // of one key partition
  int64_t pending_limit_bytes = 256u << 20;  // changes in no increment, per shard; beyond: sooner
  int64_t log_limit_bytes = 64u << 20;       // of a key partition on disk, not sorted by key
  // Of the whole process; 0: no bound. Lowers the bounds above (worker/memory_bounds.h).
  int64_t memory_budget_bytes = 0;
  // Links and reports.
  int64_t link_stall_ms = 2'000;  // without an acknowledgement: the link's sessions are closed
  int64_t report_interval_ms = 250;
};

// A sender's share of a receiver's credit, which stays below the receiver's mailbox (64 MiB).
inline int64_t credit_share(int64_t total_bytes, size_t senders) {
  constexpr int64_t kLeast = 8 << 10;
  return std::max(kLeast, total_bytes / static_cast<int64_t>(std::max<size_t>(senders, 1)));
}

}  // namespace tidemill
