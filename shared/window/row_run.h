// Row runs: rows of one table as bytes, row by row in the order in which they came. What increments
// on disk hold of a key (docs/formats/snapshot.md):
//
//   row    varint head: bits 0-1 unit of the time (0: us, 1: ms, 2: s, 3: 8 bytes follow),
//          bit 2: null bits exist; above: zigzag of the time less the time of the row before, in
//          units (of the first row: less 0) | if unit 3: i64 time (us)
//          bits: filters, BOOL columns, and if they exist the nulls of all columns
//          per column, unless BOOL or null: DOUBLE f64 | STRING varint length, bytes | others:
//          varint of the zigzag
//   run    rows until its bytes end
//
// Varints are LEB128, at most 10 bytes; bits fill bytes from the least significant on.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/columns/row_block.h"
#include "shared/window/chunk.h"
#include "shared/window/table_schema.h"

namespace tidemill {

// Where a table's bits lie in a row.
struct RunLayout {
  explicit RunLayout(const TableSchema& schema);

  std::vector<ColumnType> types;
  uint32_t filters = 0;
  uint32_t bools = 0;
  size_t bit_bytes = 0;       // of a row without nulls
  size_t null_bit_bytes = 0;  // of a row with nulls
};

// Appends rows to a run; reused from run to run, so that it allocates nothing once warm.
class RowRunWriter {
 public:
  explicit RowRunWriter(const TableSchema& schema) : layout_(schema) {}

  // Begins a new run.
  void begin() {
    size_ = 0;
    previous_ = 0;
  }
  // The block fits the table (block_list.h).
  void add(const RowBlockView& block, uint32_t row);
  // Valid until the next call.
  std::span<const uint8_t> bytes() const { return {bytes_.data(), size_}; }

 private:
  uint8_t* put_time(TimeUs time, bool nulls, uint8_t* at);
  uint8_t* put_bits(const RowBlockView& block, uint32_t row, bool nulls, uint8_t* at) const;
  uint8_t* put_columns(const RowBlockView& block, uint32_t row, uint8_t* at) const;

  RunLayout layout_;
  std::vector<uint8_t> bytes_;
  size_t size_ = 0;
  TimeUs previous_ = 0;
};

// Reads the rows of runs.
class RowRunReader {
 public:
  explicit RowRunReader(const TableSchema& schema);
  RowRunReader(RowRunReader&&) = default;
  RowRunReader(const RowRunReader&) = delete;  // columns point at cells
  RowRunReader& operator=(const RowRunReader&) = delete;

  void begin(std::span<const uint8_t> run);
  // False: at the end, or the bytes are no run: see ok(). The row is valid until the next call;
  // its strings point into the run.
  bool next(RowInput* row);
  bool ok() const { return ok_; }

 private:
  bool take_varint(uint64_t* value);
  bool take_time();
  bool take_bits(bool nulls);
  bool take_columns();
  bool fail() {
    ok_ = false;
    return false;
  }

  struct Cell {  // what a column of one row points to
    uint64_t null = 0;
    uint64_t truth = 0;
    int64_t number = 0;
    double real = 0;
    uint32_t end = 0;
  };

  RunLayout layout_;
  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  bool ok_ = true;
  TimeUs time_ = 0;
  bool nulls_ = false;
  std::vector<Cell> cells_;
  std::vector<RowBlockColumn> columns_;
  std::vector<uint64_t> filters_;
};

}  // namespace tidemill
