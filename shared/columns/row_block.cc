#include "shared/columns/row_block.h"

namespace tidemill {
namespace {

// Walks a block's arrays in place; sticky failure as in ByteReader, but keeps 8-byte alignment.
class Arrays {
 public:
  Arrays(const uint8_t* at, size_t bytes) : at_(at), left_(bytes) {}

  template <typename T>
  const T* take(size_t count) {
    const size_t bytes = (count * sizeof(T) + 7) & ~size_t{7};
    if (bytes > left_) {
      left_ = 0;
      ok_ = false;
      return nullptr;
    }
    const auto* out = reinterpret_cast<const T*>(at_);
    at_ += bytes;
    left_ -= bytes;
    return out;
  }

  // Ends that never fall, then as many bytes as the last one says.
  bool take_strings(size_t rows, const uint32_t** ends, const char** bytes) {
    *ends = take<uint32_t>(rows);
    if (!ok_) return false;
    uint32_t previous = 0;
    for (size_t i = 0; i < rows; ++i) {
      if ((*ends)[i] < previous) return false;
      previous = (*ends)[i];
    }
    *bytes = take<char>(previous);
    return ok_;
  }

  bool ok() const { return ok_; }
  bool at_end() const { return left_ == 0; }

 private:
  const uint8_t* at_;
  size_t left_;
  bool ok_ = true;
};

constexpr size_t words(size_t rows) { return (rows + 63) / 64; }

bool take_column(Arrays* in, uint32_t rows, RowBlockColumn* column) {
  const uint8_t* head = in->take<uint8_t>(8);
  if (head == nullptr || !is_stored_type(static_cast<ColumnType>(head[0])) || head[1] > 1)
    return false;
  column->type = static_cast<ColumnType>(head[0]);
  if (head[1] == 1) column->null_bits = in->take<uint64_t>(words(rows));
  switch (column->type) {
    case ColumnType::kBool:
      column->bool_bits = in->take<uint64_t>(words(rows));
      break;
    case ColumnType::kDouble:
      column->doubles = in->take<double>(rows);
      break;
    case ColumnType::kString:
    case ColumnType::kBytes:
    case ColumnType::kJson:
    case ColumnType::kDecimal:
    case ColumnType::kList:
    case ColumnType::kStruct:
    case ColumnType::kMap:
      return in->take_strings(rows, &column->string_ends, &column->string_bytes);
    default:
      column->ints = in->take<int64_t>(rows);
  }
  return in->ok();
}

}  // namespace

Result<RowBlockView> RowBlockView::parse(std::span<const uint8_t> bytes) {
  struct Header {
    uint32_t bytes;
    uint16_t table, columns;
    uint32_t rows;
    uint16_t filters, version;
  };
  if (reinterpret_cast<uintptr_t>(bytes.data()) % 8 != 0) {
    return corrupt_error("row block: not at a multiple of 8 bytes");
  }
  if (bytes.size() < sizeof(Header)) return corrupt_error("row block: shorter than its header");
  Header header;
  __builtin_memcpy(&header, bytes.data(), sizeof header);
  if (header.version != kRowBlockVersion) {
    return corrupt_error("row block: version " + std::to_string(header.version) +
                         ", this build reads " + std::to_string(kRowBlockVersion));
  }
  if (header.bytes < sizeof(Header) || header.bytes > bytes.size() || header.bytes % 8 != 0 ||
      header.rows > kMaxRowsPerBlock) {
    return corrupt_error("row block: length or row count out of range");
  }
  RowBlockView view;
  view.table_ = header.table;
  view.rows_ = header.rows;
  view.byte_size_ = header.bytes;
  Arrays in(bytes.data() + sizeof(Header), header.bytes - sizeof(Header));
  view.key_hashes_ = in.take<uint64_t>(header.rows);
  view.event_times_ = in.take<int64_t>(header.rows);
  if (!in.ok() || !in.take_strings(header.rows, &view.key_ends_, &view.key_bytes_)) {
    return corrupt_error("row block: keys do not fit its length");
  }
  if (header.columns > header.bytes / 8 || header.filters > header.bytes / 8) {
    return corrupt_error("row block: more columns than bytes");
  }
  view.columns_.resize(header.columns);
  for (RowBlockColumn& column : view.columns_) {
    if (!take_column(&in, header.rows, &column)) {
      return corrupt_error("row block: a column does not fit its length");
    }
  }
  for (uint16_t i = 0; i < header.filters; ++i) {
    view.filters_.push_back(in.take<uint64_t>(words(header.rows)));
  }
  if (!in.ok() || !in.at_end()) return corrupt_error("row block: length does not match contents");
  return view;
}

void RowBlockView::fetch_fixed(uint32_t row) const {
  __builtin_prefetch(event_times_ + row);
  __builtin_prefetch(key_ends_ + row);
  for (const RowBlockColumn& column : columns_) {
    switch (storage_of(column.type)) {
      case Storage::kInts:
        __builtin_prefetch(column.ints + row);
        break;
      case Storage::kDoubles:
        __builtin_prefetch(column.doubles + row);
        break;
      case Storage::kStrings:
        __builtin_prefetch(column.string_ends + row);
        break;
      case Storage::kBits:
      case Storage::kIntervals:
        break;  // bits of 64 rows are one word; intervals are in no block
    }
  }
}

void RowBlockView::fetch_strings(uint32_t row) const {
  __builtin_prefetch(key(row).data());
  for (const RowBlockColumn& column : columns_) {
    if (storage_of(column.type) == Storage::kStrings) {
      __builtin_prefetch(column.string_at(row).data());
    }
  }
}

}  // namespace tidemill
