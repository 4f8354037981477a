// RowSpool: rows of many streams that come in any order, kept in memory up to a budget and beyond
// that as runs on disk, and read back stream by stream in the order of their times.
//
// A stream holds rows of one table. Reading a stream needs memory for one block per run.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <vector>

#include "cli/training/row_gather.h"
#include "cli/training/spill_file.h"

namespace tidemill::training {

// Orders blocks and their rows by time. Where they are in order they stay as they are; else their
// rows are gathered anew.
void sort_blocks(std::vector<TimedBlock>* blocks);

// The blocks of one sorted run, in order: in memory, or a stretch of the spill file.
class RunCursor {
 public:
  explicit RunCursor(std::vector<TimedBlock> blocks) : blocks_(std::move(blocks)) {}
  RunCursor(const SpillFile* file, uint64_t begin, uint64_t end)
      : file_(file), at_(begin), end_(end) {}

  Status advance();  // to the first block, then to the next
  const TimedBlock* block() const { return block_ ? &*block_ : nullptr; }

 private:
  std::vector<TimedBlock> blocks_;
  size_t next_ = 0;
  const SpillFile* file_ = nullptr;
  uint64_t at_ = 0;
  uint64_t end_ = 0;
  std::optional<TimedBlock> block_;
};

// Merges the runs of one stream. Either by blocks or by rows, not both.
class RunMerge {
 public:
  explicit RunMerge(std::vector<RunCursor> runs) : runs_(std::move(runs)) {}
  Status start();  // first of all

  // The next block whose first row is known at `until`, in order of first rows; its other rows may
  // be of later. Null: there is none. Valid until the next call.
  Result<const TimedBlock*> next_block(TimeUs until);

  struct Row {
    const TimedBlock* block = nullptr;  // valid until the next call
    uint32_t row = 0;

    TimeUs time() const { return block->times()[row]; }
  };
  // The next row that is known at `until`; a null block: there is none.
  Result<Row> next_row(TimeUs until);

 private:
  struct Head {
    TimeUs time;
    size_t run;
    uint32_t row;
    bool operator<(const Head& other) const {  // the top of a heap is the earliest
      return time != other.time ? time > other.time : run > other.run;
    }
  };
  Status step();  // behind what was given last

  std::vector<RunCursor> runs_;
  std::priority_queue<Head> heads_;
  std::optional<Head> given_;
  bool by_rows_ = false;
};

class RowSpool {
 public:
  // `budget`: bytes of rows in memory. The file is made when it is needed, in `directory`.
  RowSpool(size_t streams, uint64_t budget, std::string directory)
      : streams_(streams), budget_(budget), directory_(std::move(directory)) {}

  // thread-safe
  Status add(size_t stream, TimedBlock block);
  // Once per stream, after all was added. thread-safe
  Result<std::unique_ptr<RunMerge>> open(size_t stream);

  uint64_t spilled_bytes() const { return file_ ? file_->size() : 0; }

 private:
  struct Region {
    uint64_t begin;
    uint64_t end;
  };
  struct Stream {
    std::vector<TimedBlock> blocks;
    std::vector<Region> runs;
  };
  Status spill();
  Status spill_stream(Stream* stream, std::vector<uint8_t>* buffer);

  std::mutex mutex_;
  std::vector<Stream> streams_;
  uint64_t held_ = 0;
  uint64_t budget_;
  std::string directory_;
  std::unique_ptr<SpillFile> file_;
};

}  // namespace tidemill::training
