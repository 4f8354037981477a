// JobStatus: how a job is doing, put together from what its members reported last. A pure function
// of the grants and the membership table.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "coordinator/membership.h"

namespace tidemill {

// By (reason, view): how many of a source partition are in storage.
using LetterCounts = std::map<std::pair<std::string, std::string>, uint64_t>;

struct SourceStatus {
  uint32_t partition = 0;
  std::string source;
  uint32_t index = 0;  // within the source
  std::string input;   // a file's path, "topic 0" or "generator 0"
  PartitionGrant grant;
  uint64_t offset = 0;                     // the next record
  std::optional<uint64_t> log_end_offset;  // as last seen by the reader
  std::optional<uint64_t> lag;             // in the unit of offsets, of reading
  bool finished = false;
  bool idle = false;
  uint64_t records = 0;
  LetterCounts dead_letters;
  uint64_t null_keys = 0;
  uint64_t tombstones = 0;
  std::string error;
  std::vector<std::string> bad_samples;
  uint64_t applied = 0;    // by every key partition
  uint64_t published = 0;  // by every key partition, to every store
  TimeUs max_event_time = kMinTime;

  uint64_t bad_records() const;  // dead letters of all reasons
};

struct StageSum {
  uint64_t cpu_ns = 0;
  uint64_t rows = 0;
};

struct JobStatus {
  std::vector<SourceStatus> sources;
  uint32_t key_partitions = 0;
  uint32_t owned = 0;
  std::map<NodeId, uint32_t> owned_by;
  uint32_t store_ready = 0;  // key partitions that every store holds; 0 without a store
  // What the store holds that reports the most rows.
  uint64_t rows = 0;
  uint64_t keys = 0;
  uint64_t state_bytes = 0;
  uint64_t full_chunks = 0;
  uint64_t recut_chunks = 0;
  uint64_t freed_rows = 0;
  uint64_t evicted_keys = 0;  // ever
  uint64_t cold_reads = 0;    // keys read from disk, ever
  uint64_t disk_rows = 0;     // in files, those below the horizon counted
  // Sums over the workers.
  uint64_t rows_applied = 0;
  uint64_t too_late_rows = 0;
  uint64_t restoring = 0;           // key partitions whose state is not there yet
  uint64_t pending_bytes = 0;       // changes that no file on their disks holds yet
  uint64_t snapshot_failures = 0;   // that could not be written or uploaded
  uint64_t refused_snapshots = 0;   // that did not verify when they were to be restored
  uint64_t states_from_stores = 0;  // with which key partitions began without a snapshot
  uint32_t standbys = 0;            // granted
  uint32_t standbys_caught_up = 0;
  uint64_t image_bytes_sent = 0;
  uint64_t session_gaps = 0;
  std::vector<uint64_t> too_late_by_view;  // by number of the view
  TimeUs horizon = kMinTime;               // least over the workers
  std::vector<TimeUs> floors;              // by table, greatest over workers and stores
  // CPU time by stage, over workers and stores.
  std::map<std::string, StageSum> stages;

  // Every source partition is finished, and everything of it is applied and published: said by
  // workers that have applied this view and hold all key partitions granted to them, with at
  // least one store alive.
  bool complete = false;
};

// What readers said `before` is shown of those source partitions that nobody reads now; of those
// whose new reader does not know yet what is in storage, only the dead letters, which are there.
JobStatus job_status(const JobEntry& entry, const MembershipTable& members, uint64_t view_version,
                     const ReadersBefore& before = {});

// By source partition: what the reader that it is granted to reports under this grant; null:
// nothing.
std::vector<const proto::ReaderReport*> current_readers(const JobEntry& entry,
                                                        const MembershipTable& members);

}  // namespace tidemill
