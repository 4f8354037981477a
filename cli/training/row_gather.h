// RowGather: rows of row blocks of one table, in an order of one's own, as a block again; each with
// the time from which on it is known.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/columns/column.h"
#include "shared/columns/row_block.h"

namespace tidemill::training {

// A row block with the times at which its rows become known, as bytes that are used in place, in
// memory and in spilled runs alike. Little-endian:
//
//   u64 bytes (of all, a multiple of 8) | i64 first | i64 last | u64 rows | i64 time[rows] | row
//   block
//
// Times rise within a block of a sorted run. Rows that are known when they happen have their event
// times here.
class TimedBlock {
 public:
  static constexpr size_t kHeadBytes = 32;

  // Bytes that were written by this program: asserted, not checked.
  explicit TimedBlock(std::vector<uint8_t> bytes);
  TimedBlock(TimedBlock&&) = default;
  TimedBlock& operator=(TimedBlock&&) = default;
  // The size of a block whose first kHeadBytes these are.
  static uint64_t size_of(std::span<const uint8_t> head);

  const RowBlockView& rows() const { return view_; }
  std::span<const TimeUs> times() const { return times_; }
  TimeUs first() const { return first_; }
  TimeUs last() const { return last_; }
  bool sorted() const;
  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
  RowBlockView view_;
  std::span<const TimeUs> times_;
  TimeUs first_ = 0;
  TimeUs last_ = 0;
};

// Writes the head and times of a TimedBlock to an empty `out`; the row block comes behind, then
// finish_timed_block().
void begin_timed_block(std::span<const TimeUs> times, ByteWriter* out);
std::vector<uint8_t> finish_timed_block(ByteWriter* out);

class RowGather {
 public:
  // What `block` points to stays valid until take() or take_rows().
  void add(const RowBlockView& block, uint32_t row, TimeUs time);

  size_t rows() const { return times_.size(); }
  // About how large a block of these rows is.
  size_t bytes() const { return bytes_; }
  // The rows so far as a TimedBlock's bytes; forgets them.
  std::vector<uint8_t> take();
  // The rows so far as a plain row block; forgets them.
  std::vector<uint8_t> take_rows();

 private:
  void begin(const RowBlockView& block);
  void write(ByteWriter* out) const;
  void clear();

  uint16_t table_ = 0;
  size_t bytes_ = 0;
  std::vector<TimeUs> times_;
  std::vector<TimeUs> event_times_;
  std::vector<uint64_t> hashes_;
  std::vector<std::string_view> keys_;
  std::vector<Column> columns_;
  std::vector<Column> filters_;
};

}  // namespace tidemill::training
