// Images: the rows of one key in canonical order, as bytes. Equal rows make equal bytes, however
// they arrived. Format: docs/formats/image.md.
#pragma once

#include <string_view>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/base/result.h"
#include "shared/window/chunk.h"

namespace tidemill {

inline constexpr uint8_t kImageVersion = 1;

void encode_key_image(const ChunkLayout& layout, uint16_t table, uint64_t hash,
                      std::string_view key, std::span<const RowRef> rows, ByteWriter* out);

// A decoded image; `key` and the strings point into the reader's bytes.
class KeyImage {
 public:
  // Reads one image and checks all of it; on failure the reader's position means nothing.
  static Result<KeyImage> decode(const std::vector<TableSchema>& schemas, ByteReader* in);

  uint16_t table() const { return table_; }
  uint64_t hash() const { return hash_; }
  std::string_view key() const { return key_; }
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

  uint16_t table_ = 0;
  uint64_t hash_ = 0;
  std::string_view key_;
  std::vector<TimeUs> times_;
  std::vector<Storage> storage_;
  std::vector<RowBlockColumn> columns_;
  std::vector<uint64_t> filters_;  // by row, filter_words_ each
  size_t filter_words_ = 0;
};

}  // namespace tidemill
