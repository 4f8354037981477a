#include "shared/columns/row_block_writer.h"

#include "shared/base/assert.h"

namespace tidemill {
namespace {

constexpr size_t words(size_t rows) { return (rows + 63) / 64; }
constexpr size_t padded(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

template <typename Predicate>
void put_bits(std::span<const uint32_t> rows, ByteWriter* out, Predicate set) {
  auto* at = reinterpret_cast<uint64_t*>(out->reserve(words(rows.size()) * 8));
  for (size_t i = 0; i < rows.size(); ++i) {
    at[i / 64] |= static_cast<uint64_t>(set(rows[i])) << (i % 64);
  }
}

template <typename T>
void put_gathered(std::span<const uint32_t> rows, const T* values, ByteWriter* out) {
  auto* at = reinterpret_cast<T*>(out->reserve(rows.size() * sizeof(T)));
  for (size_t i = 0; i < rows.size(); ++i) at[i] = values[rows[i]];
}

void put_strings(std::span<const uint32_t> rows, const std::string_view* values, ByteWriter* out) {
  uint32_t end = 0;
  auto* ends = reinterpret_cast<uint32_t*>(out->reserve(padded(rows.size() * 4)));
  for (size_t i = 0; i < rows.size(); ++i) {
    end += static_cast<uint32_t>(values[rows[i]].size());
    ends[i] = end;
  }
  uint8_t* at = out->reserve(padded(end));
  for (const uint32_t row : rows) {
    at = std::copy(values[row].begin(), values[row].end(), at);
  }
}

void put_column(std::span<const uint32_t> rows, const Column& column, ByteWriter* out) {
  bool has_nulls = false;
  for (const uint32_t row : rows) has_nulls |= column.nulls[row] != 0;
  out->put(static_cast<uint8_t>(column.type));
  out->put(static_cast<uint8_t>(has_nulls));
  out->reserve(6);
  if (has_nulls) put_bits(rows, out, [&](uint32_t row) { return column.nulls[row] != 0; });
  switch (column.type) {
    case ColumnType::kBool:
      put_bits(rows, out, [&](uint32_t row) { return column.bools[row] != 0; });
      break;
    case ColumnType::kDouble:
      put_gathered(rows, column.doubles.data(), out);
      break;
    case ColumnType::kString:
    case ColumnType::kBytes:
    case ColumnType::kJson:
    case ColumnType::kDecimal:
    case ColumnType::kList:
    case ColumnType::kStruct:
    case ColumnType::kMap:
      put_strings(rows, column.strings.data(), out);
      break;
    default:
      put_gathered(rows, column.ints.data(), out);
  }
}

}  // namespace

void write_row_block(uint16_t table, const BlockRows& rows, ByteWriter* out) {
  ASSERT(rows.rows.size() <= kMaxRowsPerBlock);
  out->align(8);
  const size_t start = out->size();
  out->put(uint32_t{0});  // patched below
  out->put(table);
  out->put(static_cast<uint16_t>(rows.columns.size()));
  out->put(static_cast<uint32_t>(rows.rows.size()));
  out->put(static_cast<uint16_t>(rows.filters.size()));
  out->put(kRowBlockVersion);
  put_gathered(rows.rows, rows.key_hashes.data(), out);
  put_gathered(rows.rows, rows.event_times.data(), out);
  put_strings(rows.rows, rows.keys.data(), out);
  for (const Column* column : rows.columns) put_column(rows.rows, *column, out);
  for (const Column* filter : rows.filters) {
    put_bits(rows.rows, out,
             [&](uint32_t row) { return filter->nulls[row] == 0 && filter->bools[row] != 0; });
  }
  out->patch(start, static_cast<uint32_t>(out->size() - start));
}

}  // namespace tidemill
