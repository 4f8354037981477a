#include "shared/window/row_codec.h"

#include <algorithm>
#include <limits>

namespace tidemill {
namespace {

size_t bit_bytes(size_t rows) { return (rows + 7) / 8; }

// Appends one bit per row.
template <typename BitAt>
void put_bits(size_t rows, BitAt&& bit_at, ByteWriter* out) {
  uint8_t* bits = out->reserve(bit_bytes(rows));
  for (size_t i = 0; i < rows; ++i) {
    if (bit_at(i)) bits[i / 8] |= static_cast<uint8_t>(1u << (i % 8));
  }
}

// Reads one bit per row into words, without the bits behind the last row.
bool take_bits(ByteReader* in, size_t rows, std::vector<uint64_t>* words) {
  const auto raw = in->take(bit_bytes(rows));
  if (!in->ok()) return false;
  words->assign((rows + 63) / 64, 0);
  if (!raw.empty()) std::memcpy(words->data(), raw.data(), raw.size());
  if (rows % 64 != 0) words->back() &= ~uint64_t{0} >> (64 - rows % 64);
  return true;
}

bool bit_of(const std::vector<uint64_t>& words, size_t at) {
  return (words[at / 64] >> (at % 64) & 1) != 0;
}

void put_times(std::span<const RowRef> rows, ByteWriter* out) {
  const auto time = [&](size_t i) { return rows[i].chunk->time(rows[i].row); };
  const TimeUs first = rows.empty() ? 0 : time(0);
  const __int128 span = rows.empty() ? 0 : static_cast<__int128>(time(rows.size() - 1)) - first;
  auto code = static_cast<int>(TimeCode::kSeconds);
  for (size_t i = 0; i < rows.size() && code != 0; ++i) {
    while (code != 0 && (static_cast<__int128>(time(i)) - first) % kTimeUnitUs[code] != 0) --code;
  }
  if (span / kTimeUnitUs[code] > std::numeric_limits<uint32_t>::max()) {
    code = static_cast<int>(TimeCode::kRaw);
  }
  out->put(static_cast<uint8_t>(code));
  if (code == static_cast<int>(TimeCode::kRaw)) {
    for (size_t i = 0; i < rows.size(); ++i) out->put<int64_t>(time(i));
    return;
  }
  out->put<int64_t>(first);
  for (size_t i = 0; i < rows.size(); ++i) {
    out->put(static_cast<uint32_t>((time(i) - first) / kTimeUnitUs[code]));
  }
}

void put_strings(const ChunkLayout& layout, std::span<const RowRef> rows, uint32_t column,
                 ByteWriter* out) {
  uint32_t end = 0;
  for (const RowRef& row : rows) {
    end += static_cast<uint32_t>(layout.string_at(*row.chunk, column, row.row).size());
    out->put(end);
  }
  for (const RowRef& row : rows) {
    const std::string_view text = layout.string_at(*row.chunk, column, row.row);
    out->put_bytes({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }
}

void put_column(const ChunkLayout& layout, std::span<const RowRef> rows, uint32_t column,
                ByteWriter* out) {
  const auto null_at = [&](size_t i) {
    return (layout.valid_bits(*rows[i].chunk, column) >> rows[i].row & 1) == 0;
  };
  bool nulls = false;
  for (size_t i = 0; i < rows.size() && !nulls; ++i) nulls = null_at(i);
  out->put<uint8_t>(nulls ? 1 : 0);
  if (nulls) put_bits(rows.size(), null_at, out);
  switch (layout.type(column)) {
    case ColumnType::kBool:
      put_bits(
          rows.size(),
          [&](size_t i) {
            return (layout.bool_bits(*rows[i].chunk, column) >> rows[i].row & 1) != 0;
          },
          out);
      break;
    case ColumnType::kDouble:
      for (const RowRef& row : rows) out->put(layout.doubles(*row.chunk, column)[row.row]);
      break;
    case ColumnType::kString:
    case ColumnType::kBytes:
    case ColumnType::kJson:
    case ColumnType::kDecimal:
    case ColumnType::kList:
    case ColumnType::kStruct:
    case ColumnType::kMap:
      put_strings(layout, rows, column, out);
      break;
    case ColumnType::kInt32:
      for (const RowRef& row : rows) {
        out->put(static_cast<int32_t>(layout.int_at(*row.chunk, column, row.row)));
      }
      break;
    default:
      for (const RowRef& row : rows) out->put(layout.int_at(*row.chunk, column, row.row));
  }
}

}  // namespace

void encode_rows(const ChunkLayout& layout, std::span<const RowRef> rows, ByteWriter* out) {
  out->put(static_cast<uint32_t>(rows.size()));
  put_times(rows, out);
  for (uint32_t c = 0; c < layout.columns(); ++c) put_column(layout, rows, c, out);
  for (uint32_t f = 0; f < layout.filters(); ++f) {
    put_bits(
        rows.size(),
        [&](size_t i) { return (layout.filter_bits(*rows[i].chunk, f) >> rows[i].row & 1) != 0; },
        out);
  }
}

bool RowsImage::decode_times(ByteReader* in, uint32_t rows) {
  const auto code = in->get<uint8_t>();
  if (code > static_cast<uint8_t>(TimeCode::kRaw)) return false;
  const bool raw = code == static_cast<uint8_t>(TimeCode::kRaw);
  const TimeUs base = raw ? 0 : in->get<int64_t>();
  if (in->remaining() / (raw ? 8 : 4) < rows) return false;  // before memory is asked for
  times_.resize(rows);
  for (TimeUs& t : times_) {
    if (raw) {
      t = in->get<int64_t>();
    } else if (__builtin_add_overflow(base, in->get<uint32_t>() * kTimeUnitUs[code], &t)) {
      return false;
    }
  }
  return in->ok() && std::is_sorted(times_.begin(), times_.end());
}

bool RowsImage::decode_column(ByteReader* in, ColumnType type, Storage* storage) {
  const size_t rows = times_.size();
  const auto has_nulls = in->get<uint8_t>();
  if (has_nulls > 1) return false;
  RowBlockColumn column;
  column.type = type;
  if (has_nulls == 1) {
    if (!take_bits(in, rows, &storage->nulls)) return false;
    column.null_bits = storage->nulls.data();
  }
  switch (type) {
    case ColumnType::kBool:
      if (!take_bits(in, rows, &storage->bools)) return false;
      column.bool_bits = storage->bools.data();
      break;
    case ColumnType::kDouble: {
      const auto raw = in->take(rows * 8);
      storage->doubles.resize(raw.size() / 8);
      if (!raw.empty()) std::memcpy(storage->doubles.data(), raw.data(), raw.size());
      column.doubles = storage->doubles.data();
      break;
    }
    case ColumnType::kBytes:
    case ColumnType::kJson:
    case ColumnType::kDecimal:
    case ColumnType::kList:
    case ColumnType::kStruct:
    case ColumnType::kMap:
    case ColumnType::kString: {
      uint32_t end = 0;
      for (size_t i = 0; i < rows && in->ok(); ++i) {
        const auto next = in->get<uint32_t>();
        if (next < end) return false;
        storage->ends.push_back(end = next);
      }
      column.string_ends = storage->ends.data();
      column.string_bytes = reinterpret_cast<const char*>(in->take(end).data());
      break;
    }
    default: {
      for (size_t i = 0; i < rows && in->ok(); ++i) {
        storage->ints.push_back(type == ColumnType::kInt32 ? in->get<int32_t>()
                                                           : in->get<int64_t>());
      }
      column.ints = storage->ints.data();
    }
  }
  columns_.push_back(column);
  return in->ok();
}

void RowsImage::decode_filters(ByteReader* in, uint32_t filters) {
  filter_words_ = (filters + 63) / 64;
  filters_.assign(times_.size() * filter_words_, 0);
  std::vector<uint64_t> bits;
  for (uint32_t f = 0; f < filters; ++f) {
    if (!take_bits(in, times_.size(), &bits)) return;
    for (size_t i = 0; i < times_.size(); ++i) {
      if (bit_of(bits, i)) filters_[i * filter_words_ + f / 64] |= uint64_t{1} << (f % 64);
    }
  }
}

Status RowsImage::decode(const TableSchema& schema, ByteReader* in) {
  const auto rows = in->get<uint32_t>();
  if (!in->ok() || !decode_times(in, rows)) {
    return corrupt_error("event times do not fit its length or are out of order");
  }
  storage_.resize(schema.columns.size());
  for (size_t c = 0; c < schema.columns.size(); ++c) {
    if (!decode_column(in, schema.columns[c], &storage_[c])) {
      return corrupt_error("column " + std::to_string(c) + " does not fit its length");
    }
  }
  decode_filters(in, schema.filters);
  if (!in->ok()) return corrupt_error("filters do not fit its length");
  return {};
}

}  // namespace tidemill
