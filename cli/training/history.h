// The history of a job, read into a spool: the rows that its features are computed of, as workers
// read them, from the first record to the last.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "cli/training/feature_choice.h"
#include "cli/training/row_spool.h"
#include "cli/training/streams.h"
#include "shared/dead_letter/dead_letter.h"
#include "shared/load/batch_loader.h"

namespace tidemill::training {

// When an event counts as known.
struct KnownAt {
  bool arrival = false;  // from its arrival on; else from its event time on
  std::string column;    // of the sources, which says when; empty: the log's own timestamps
};

// Records of history that could not be used, of one kind.
struct UnusedRecords {
  std::string where;  // the file, or "source[partition]"
  BadReason reason{};
  std::string view;  // in whose expressions they failed; empty for other reasons
  uint64_t count = 0;
  uint64_t first_offset = 0;
  std::string first_message;
};

struct HistoryReport {
  uint64_t records = 0;     // events that were read
  uint64_t no_key = 0;      // rows without a key, over all tables
  uint64_t no_arrival = 0;  // events that do not say when they arrived: not used
  std::vector<UnusedRecords> unused;
};

class HistoryReader {
 public:
  // `filters`: by chosen table. `progress`: told of bytes of files, records of a generator.
  HistoryReader(const FeatureChoice* choice, const std::vector<KeyFilter>* filters,
                const KnownAt* known_at, RowSpool* spool, std::function<void(uint64_t)> progress)
      : choice_(choice),
        filters_(filters),
        known_at_(known_at),
        spool_(spool),
        progress_(std::move(progress)) {}

  // Reads one source partition to its end, which `length` bytes or records are told of. thread-safe
  Status read(uint32_t source_partition, uint64_t length);
  HistoryReport report() const;

 private:
  struct Reading;
  Status add_batch(const LoadedBatch& batch, Reading* reading);
  Status add_table(const LoadedBatch& batch, const TableRows& rows,
                   const std::vector<TimeUs>& known, Reading* reading);

  const FeatureChoice* choice_;
  const std::vector<KeyFilter>* filters_;
  const KnownAt* known_at_;
  RowSpool* spool_;
  std::function<void(uint64_t)> progress_;
  mutable std::mutex mutex_;
  HistoryReport report_;
};

// Whether the sources that are needed can be read as history, and know what `known_at` asks.
Status check_history(const FeatureChoice& choice, const KnownAt& known_at);

}  // namespace tidemill::training
