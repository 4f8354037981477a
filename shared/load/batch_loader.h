// BatchLoader: one read position in a source partition: reads the next records, evaluates every
// table's keys, columns and filters, and groups the rows by key partition. A pure function of the
// log and the plan. Blocking; used by one task at a time.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/base/memory_account.h"
#include "shared/columns/column.h"
#include "shared/dead_letter/dead_letter.h"
#include "shared/expr/evaluator.h"
#include "shared/plan/plan.h"
#include "shared/runtime/stage_cost.h"
#include "shared/source/source_cursor.h"
#include "shared/wire/offset_vector.h"

namespace tidemill {

// The rows of one table in a loaded batch, grouped by key partition.
struct TableRows {
  uint16_t table = 0;
  std::vector<uint32_t> order;         // row indexes, by key partition, then by offset
  std::vector<uint32_t> group_begin;   // per key partition, into order; one more at the end
  std::vector<uint64_t> key_hashes;    // per row of the batch
  std::vector<std::string_view> keys;  // per row of the batch
  std::vector<const Column*> columns;
  std::vector<const Column*> filters;
  std::string key_bytes;  // composite and converted keys
};

struct LoadedBatch {
  SourcePosition begin;
  SourcePosition end;
  EventBatch events;
  std::vector<TableRows> tables;  // by input over this source; a table may have several
  uint64_t records = 0;           // accepted
  uint64_t null_keys = 0;         // rows not routed for a null key, over all tables
  std::vector<BadRecord> failed;  // rows that failed in an expression; not in their table
  bool at_end = false;            // the log has nothing behind it now, confirmed by the log
  int64_t read_wall_us = 0;
  StageCost read_cost;
  StageCost evaluate_cost;
  uint32_t event_time_field = 0;
  uint32_t known_tables = 0;  // of the plan
  HeldMemory memory{MemoryConsumer::kReads};

  const std::vector<TimeUs>& event_times() const { return events.columns[event_time_field].ints; }
  // Leaves out what lies at or past `earlier`, a position on the way to `end`.
  void cut(const SourcePosition& earlier) { end = earlier; }
  // Appends the blocks of one key partition, its rows with from <= offset < end; says how many.
  size_t write_blocks(uint32_t key_partition, uint64_t from, ByteWriter* out) const;
};

struct LoadLimits {
  size_t records = 0;                     // at most
  size_t bytes = 0;                       // about
  uint64_t until = SourceCursor::kNoEnd;  // the batch ends there, unless it begins there or behind
};

// What time it is for a load, and how its cost is measured.
struct LoadClock {
  TimeUs wall_us = 0;
  std::function<int64_t()> thread_cpu_ns;
};

class BatchLoader {
 public:
  static Result<std::unique_ptr<BatchLoader>> open(std::shared_ptr<const Plan> plan,
                                                   uint32_t source_partition,
                                                   const SourcePosition& from);
  // Replaces `batch` by the next records. `begin == end`: nothing new now. The batch is valid until
  // the second load() after this one or the loader's end, so that one can be sent while the next
  // is loaded. Its dead letters are durable when it returns, unless `letters` is null.
  Status load(const LoadClock& clock, const LoadLimits& limits, DeadLetterWriter* letters,
              LoadedBatch* batch);

  SourceCursor::LogInfo log_info() const { return cursor_->info(); }
  // Every key partition has applied everything before `offset`.
  void commit(uint64_t offset) { cursor_->commit(offset); }

 private:
  // What makes rows of a table of this source's events.
  struct InputProgram {
    uint16_t table = 0;
    bool has_view = false;        // what fails in it is a dead letter
    uint32_t filters_needed = 0;  // how many filters decide whether a row is kept; 0: every row is
    std::optional<Evaluator> where;
    std::vector<Evaluator> keys;
    std::vector<Evaluator> columns;
    std::vector<Evaluator> filters;
  };

  BatchLoader(std::shared_ptr<const Plan> plan, uint32_t source_partition, SourcePosition from)
      : plan_(std::move(plan)), source_partition_(source_partition), position_(from) {}
  Result<std::vector<InputProgram>> compile(uint32_t source_index) const;
  void evaluate(InputProgram* program, LoadedBatch* batch, TableRows* rows);
  void find_keys(InputProgram* program, LoadedBatch* batch, TableRows* rows,
                 std::vector<uint8_t>* keep);
  void drop_failed(const InputProgram& program, LoadedBatch* batch, std::vector<uint8_t>* keep);
  void advance(LoadedBatch* batch);
  Status write_dead_letters(const LoadedBatch& batch, DeadLetterWriter* letters) const;
  DeadLetter dead_letter(const BadRecord& bad) const;

  std::shared_ptr<const Plan> plan_;
  uint32_t source_partition_;
  SourcePosition position_;
  uint32_t event_time_field_ = 0;
  std::unique_ptr<SourceCursor> cursor_;
  // Twice, because a batch points into the scratch columns of the evaluators that made it.
  std::array<std::vector<InputProgram>, 2> programs_;
  size_t turn_ = 0;
  std::vector<RowError> errors_;
};

}  // namespace tidemill
