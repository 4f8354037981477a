// Rows of one table as bytes, column by column; a part of key images (docs/formats/image.md).
#pragma once

#include <span>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/base/result.h"
#include "shared/window/chunk.h"

namespace tidemill {

// `rows` rise by time. Equal rows in the same order make equal bytes.
void encode_rows(const ChunkLayout& layout, std::span<const RowRef> rows, ByteWriter* out);

// Decoded rows; strings point into the reader's bytes.
class RowsImage {
 public:
  // Checks all of it; on failure the reader's position means nothing. Once only.
  Status decode(const TableSchema& schema, ByteReader* in);

  uint32_t rows() const { return static_cast<uint32_t>(times_.size()); }
  RowInput row(uint32_t at) const {
    return {times_[at], columns_.data(), at, filters_.data() + at * filter_words_};
  }

 private:
  struct Storage {  // what a RowBlockColumn points to
    std::vector<uint64_t> nulls, bools;
    std::vector<int64_t> ints;
    std::vector<double> doubles;
    std::vector<uint32_t> ends;
  };

  bool decode_times(ByteReader* in, uint32_t rows);
  bool decode_column(ByteReader* in, ColumnType type, Storage* storage);
  void decode_filters(ByteReader* in, uint32_t filters);

  std::vector<TimeUs> times_;
  std::vector<Storage> storage_;
  std::vector<RowBlockColumn> columns_;
  std::vector<uint64_t> filters_;  // by row, filter_words_ each
  size_t filter_words_ = 0;
};

}  // namespace tidemill
