#include "shared/window/row_run.h"

#include <cstring>

namespace tidemill {
namespace {

constexpr size_t kVarintBytes = 10;
constexpr int kHeadBits = 3;
constexpr uint64_t kUnitMask = 3;
constexpr uint64_t kNullsBit = 4;
constexpr uint64_t kRawTime = 3;

uint64_t zigzag(int64_t x) {
  return (static_cast<uint64_t>(x) << 1) ^ static_cast<uint64_t>(x >> 63);
}
int64_t unzigzag(uint64_t x) { return static_cast<int64_t>(x >> 1) ^ -static_cast<int64_t>(x & 1); }

uint8_t* put_varint(uint64_t value, uint8_t* at) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<uint8_t>(value | 0x80);
  *at++ = static_cast<uint8_t>(value);
  return at;
}

}  // namespace

RunLayout::RunLayout(const TableSchema& schema) : types(schema.columns), filters(schema.filters) {
  for (const ColumnType type : types) bools += type == ColumnType::kBool ? 1 : 0;
  bit_bytes = (filters + bools + 7) / 8;
  null_bit_bytes = (filters + bools + types.size() + 7) / 8;
}

uint8_t* RowRunWriter::put_time(TimeUs time, bool nulls, uint8_t* at) {
  const uint64_t flag = nulls ? kNullsBit : 0;
  int64_t delta;
  const bool close = !__builtin_sub_overflow(time, previous_, &delta);
  previous_ = time;
  if (close) {
    const int unit = delta % kTimeUnitUs[2] == 0 ? 2 : delta % kTimeUnitUs[1] == 0 ? 1 : 0;
    const uint64_t coded = zigzag(unit == 2   ? delta / kTimeUnitUs[2]
                                  : unit == 1 ? delta / kTimeUnitUs[1]
                                              : delta);
    if (coded >> (64 - kHeadBits) == 0) {
      return put_varint(coded << kHeadBits | flag | static_cast<uint64_t>(unit), at);
    }
  }
  at = put_varint(flag | kRawTime, at);
  std::memcpy(at, &time, sizeof time);
  return at + sizeof time;
}

uint8_t* RowRunWriter::put_bits(const RowBlockView& block, uint32_t row, bool nulls,
                                uint8_t* at) const {
  const size_t bytes = nulls ? layout_.null_bit_bytes : layout_.bit_bytes;
  std::memset(at, 0, bytes);
  size_t bit = 0;
  const auto put = [&](bool set) {
    at[bit / 8] |= static_cast<uint8_t>(static_cast<unsigned>(set) << (bit % 8));
    ++bit;
  };
  for (uint32_t f = 0; f < layout_.filters; ++f) put(block.passes(f, row));
  for (const RowBlockColumn& column : block.columns()) {
    if (column.type == ColumnType::kBool) put(!column.is_null(row) && column.bool_at(row));
  }
  if (nulls) {
    for (const RowBlockColumn& column : block.columns()) put(column.is_null(row));
  }
  return at + bytes;
}

uint8_t* RowRunWriter::put_columns(const RowBlockView& block, uint32_t row, uint8_t* at) const {
  for (const RowBlockColumn& column : block.columns()) {
    if (column.type == ColumnType::kBool || column.is_null(row)) continue;
    if (column.type == ColumnType::kDouble) {
      std::memcpy(at, &column.doubles[row], sizeof(double));
      at += sizeof(double);
    } else if (storage_of(column.type) == Storage::kStrings) {
      const std::string_view text = column.string_at(row);
      at = put_varint(text.size(), at);
      if (!text.empty()) std::memcpy(at, text.data(), text.size());
      at += text.size();
    } else {
      at = put_varint(zigzag(column.ints[row]), at);
    }
  }
  return at;
}

void RowRunWriter::add(const RowBlockView& block, uint32_t row) {
  bool nulls = false;
  size_t room =
      kVarintBytes + sizeof(TimeUs) + layout_.null_bit_bytes + kVarintBytes * layout_.types.size();
  for (const RowBlockColumn& column : block.columns()) {
    nulls |= column.is_null(row);
    if (storage_of(column.type) == Storage::kStrings) room += column.string_at(row).size();
  }
  if (bytes_.size() < size_ + room) bytes_.resize(2 * (size_ + room));
  uint8_t* at = bytes_.data() + size_;
  at = put_time(block.event_times()[row], nulls, at);
  at = put_bits(block, row, nulls, at);
  at = put_columns(block, row, at);
  size_ = static_cast<size_t>(at - bytes_.data());
}

RowRunReader::RowRunReader(const TableSchema& schema)
    : layout_(schema), cells_(schema.columns.size()), filters_((schema.filters + 63) / 64) {
  for (size_t c = 0; c < cells_.size(); ++c) {
    RowBlockColumn column;
    column.type = layout_.types[c];
    column.null_bits = &cells_[c].null;
    column.ints = &cells_[c].number;
    column.doubles = &cells_[c].real;
    column.bool_bits = &cells_[c].truth;
    column.string_ends = &cells_[c].end;
    columns_.push_back(column);
  }
}

void RowRunReader::begin(std::span<const uint8_t> run) {
  at_ = run.data();
  end_ = at_ + run.size();
  ok_ = true;
  time_ = 0;
}

bool RowRunReader::take_varint(uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (at_ == end_) return fail();
    const uint8_t byte = *at_++;
    if (shift == 63 && byte > 1) return fail();
    *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return fail();
}

bool RowRunReader::take_time() {
  uint64_t head;
  if (!take_varint(&head)) return false;
  nulls_ = (head & kNullsBit) != 0;
  if ((head & kUnitMask) == kRawTime) {
    if (head >> kHeadBits != 0 || static_cast<size_t>(end_ - at_) < sizeof time_) return fail();
    std::memcpy(&time_, at_, sizeof time_);
    at_ += sizeof time_;
    return true;
  }
  int64_t delta;
  if (__builtin_mul_overflow(unzigzag(head >> kHeadBits), kTimeUnitUs[head & kUnitMask], &delta) ||
      __builtin_add_overflow(time_, delta, &time_)) {
    return fail();
  }
  return true;
}

bool RowRunReader::take_bits(bool nulls) {
  const size_t bytes = nulls ? layout_.null_bit_bytes : layout_.bit_bytes;
  if (static_cast<size_t>(end_ - at_) < bytes) return fail();
  const uint8_t* const from = at_;
  at_ += bytes;
  size_t bit = 0;
  const auto take = [&] {
    const bool set = (from[bit / 8] >> (bit % 8) & 1) != 0;
    ++bit;
    return set;
  };
  for (uint64_t& word : filters_) word = 0;
  for (uint32_t f = 0; f < layout_.filters; ++f) {
    if (take()) filters_[f / 64] |= uint64_t{1} << (f % 64);
  }
  for (size_t c = 0; c < cells_.size(); ++c) {
    if (layout_.types[c] == ColumnType::kBool) cells_[c].truth = take() ? 1 : 0;
  }
  for (Cell& cell : cells_) cell.null = nulls && take() ? 1 : 0;
  return true;
}

bool RowRunReader::take_columns() {
  for (size_t c = 0; c < cells_.size(); ++c) {
    Cell& cell = cells_[c];
    const ColumnType type = layout_.types[c];
    if (type == ColumnType::kBool || cell.null != 0) continue;
    if (type == ColumnType::kDouble) {
      if (static_cast<size_t>(end_ - at_) < sizeof cell.real) return fail();
      std::memcpy(&cell.real, at_, sizeof cell.real);
      at_ += sizeof cell.real;
      continue;
    }
    uint64_t coded;
    if (!take_varint(&coded)) return false;
    if (storage_of(type) != Storage::kStrings) {
      cell.number = unzigzag(coded);
      if (type == ColumnType::kInt32 && cell.number != static_cast<int32_t>(cell.number)) {
        return fail();
      }
      continue;
    }
    if (coded > static_cast<size_t>(end_ - at_)) return fail();
    cell.end = static_cast<uint32_t>(coded);
    if (cell.end != coded) return fail();
    columns_[c].string_bytes = reinterpret_cast<const char*>(at_);
    at_ += coded;
  }
  return true;
}

bool RowRunReader::next(RowInput* row) {
  if (!ok_ || at_ == end_) return false;
  if (!take_time() || !take_bits(nulls_) || !take_columns()) return false;
  *row = {time_, columns_.data(), 0, filters_.data()};
  return true;
}

}  // namespace tidemill
