// SourceLoad: what a source reader has done on the blocking pool: opens a read position, reads the
// next batch, and writes its dead letters.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "shared/dead_letter/dead_letter.h"
#include "shared/load/batch_loader.h"
#include "shared/runtime/runtime.h"

namespace tidemill {

// The lane of the blocking pool on which a read loads.
inline uint64_t source_lane(JobId job, SourcePartitionId source, bool catch_up) {
  return (static_cast<uint64_t>(job.value) << 32) | (static_cast<uint64_t>(source.value) << 1) |
         static_cast<uint64_t>(catch_up);
}

// What a load on the blocking pool answers with.
struct BatchLoaded : LocalPayload {
  JobId job;
  SourcePartitionId source;
  Epoch epoch;
  bool catch_up = false;
  uint64_t generation = 0;  // of the read position that asked
  std::unique_ptr<BatchLoader> loader;
  std::unique_ptr<LoadedBatch> batch;
  std::string error;             // why it could not be read; empty if it could
  bool source_changed = false;   // and trying again is no use
  bool nothing_to_read = false;  // the log is finished, or finished and not there any more
  SourceCursor::LogInfo log;
  std::optional<DeadLetterCounts> dead_letters;  // of the main read: all that are durable

  uint64_t lane() const { return source_lane(job, source, catch_up); }
};

// Destroys a loader on its lane: a cursor may block in that.
void dispose(Runtime& runtime, ActorId self, uint64_t lane, std::unique_ptr<BatchLoader> loader);

// Where a reader's main read writes dead letters. Used on the lane of that read only.
struct ReaderDeadLetters {
  std::shared_ptr<DeadLetterStorage> storage;
  std::unique_ptr<DeadLetterWriter> writer;  // opened by a main read's first load
  uint64_t generation = 0;                   // of that read
};

// What a load does on the blocking pool.
struct SourceLoad {
  std::shared_ptr<const Plan> plan;
  SourcePosition from;
  LoadLimits limits;
  bool follow = false;
  uint64_t applied = 0;                        // by all key partitions; 0: not known
  std::shared_ptr<ReaderDeadLetters> letters;  // null: of a catch-up read
  std::unique_ptr<BatchLoaded> done;

  Status run(const Runtime& runtime);

 private:
  Status open_letters();
  Status open_loader();
};

}  // namespace tidemill
