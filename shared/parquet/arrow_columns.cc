#include "shared/parquet/arrow_columns.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "shared/base/assert.h"
#include "shared/nested/nested_type.h"
#include "shared/parquet/arrow_text.h"
#include "shared/parquet/arrow_types.h"

namespace tidemill {
namespace {

using arrow::Type;

class ColumnReader {
 public:
  ColumnReader(const arrow::Array& array, ColumnType wanted, size_t number, ParquetBatch* batch)
      : array_(array),
        type_(stored_type(*array.type())),
        wanted_(wanted),
        number_(static_cast<uint32_t>(number)),
        batch_(*batch),
        column_(batch->columns[number]) {}

  void read() {
    const auto rows = static_cast<size_t>(array_.length());
    // The caller parses text.
    const bool parsed = (is_text(type_) && wanted_ != ColumnType::kString) ||
                        wanted_ == ColumnType::kDecimal || is_nested(wanted_);
    column_.clear();
    column_.type = parsed ? ColumnType::kString : wanted_;
    column_.nulls.assign(rows, 0);
    reserve(rows);
    for (row_ = 0; row_ < rows; ++row_) {
      const auto row = static_cast<int64_t>(row_);
      if (array_.IsNull(row)) {
        set_null();
        continue;
      }
      const Cell cell = resolve(array_, row);
      if (cell.array->IsNull(cell.row) || cell.array->type_id() == Type::NA) {
        set_null();
      } else {
        set(*cell.array, cell.row);
      }
    }
  }

 private:
  void reserve(size_t rows) {
    switch (storage_of(column_.type)) {
      case Storage::kBits:
        return column_.bools.resize(rows);
      case Storage::kInts:
        return column_.ints.resize(rows);
      case Storage::kDoubles:
        return column_.doubles.resize(rows);
      case Storage::kStrings:
        return column_.strings.resize(rows);
      case Storage::kIntervals:
        break;
    }
    ASSERT(false);  // no schema has them
  }
  void set_null() { column_.nulls[row_] = 1; }
  void fault(std::string value) {
    set_null();
    batch_.faults.push_back({static_cast<uint32_t>(row_), number_, std::move(value)});
  }

  void set(const arrow::Array& array, int64_t row) {
    switch (column_.type) {
      case ColumnType::kBool:
        column_.bools[row_] = static_cast<const arrow::BooleanArray&>(array).Value(row) ? 1 : 0;
        return;
      case ColumnType::kInt32:
      case ColumnType::kInt64:
        return set_whole(array, row);
      case ColumnType::kDouble:
        return set_double(array, row);
      case ColumnType::kTimestamp:
        if (micros_at(array, row, &column_.ints[row_])) return;
        return fault(std::to_string(number_at(array, row)));
      case ColumnType::kDate:
        if (days_at(array, row, &column_.ints[row_])) return;
        return fault(std::to_string(number_at(array, row)));
      case ColumnType::kJson:
        return set_json();
      default:
        return set_string(array, row);
    }
  }

  bool is_decimal() const {
    return type_.id() == Type::DECIMAL32 || type_.id() == Type::DECIMAL64 ||
           type_.id() == Type::DECIMAL128 || type_.id() == Type::DECIMAL256;
  }

  void set_whole(const arrow::Array& array, int64_t row) {
    int64_t value = 0;
    if (is_decimal()) {
      const std::string text = decimal_at(array, row);
      const char* const end = text.data() + text.size();
      const auto [at, ec] = std::from_chars(text.data(), end, value);
      if (ec != std::errc() || at != end) return fault(text);
    } else if (type_.id() == Type::UINT64) {
      const uint64_t number = static_cast<const arrow::UInt64Array&>(array).Value(row);
      if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return fault(std::to_string(number));
      }
      value = static_cast<int64_t>(number);
    } else if (type_.id() == Type::DATE64) {
      if (!days_at(array, row, &value)) return fault(std::to_string(number_at(array, row)));
    } else {
      value = number_at(array, row);
    }
    const bool fits = value >= std::numeric_limits<int32_t>::min() &&
                      value <= std::numeric_limits<int32_t>::max();
    if (wanted_ == ColumnType::kInt32 && !fits) return fault(std::to_string(value));
    column_.ints[row_] = value;
  }

  void set_double(const arrow::Array& array, int64_t row) {
    double& value = column_.doubles[row_];
    if (is_decimal()) {
      const std::string text = decimal_at(array, row);
      std::from_chars(text.data(), text.data() + text.size(), value);  // at most 76 digits: it fits
    } else if (type_.id() == Type::UINT64) {
      value = static_cast<double>(static_cast<const arrow::UInt64Array&>(array).Value(row));
    } else if (type_.id() >= Type::UINT8 && type_.id() <= Type::INT64) {
      value = static_cast<double>(number_at(array, row));
    } else {
      value = real_at(array, row);
    }
  }

  void set_string(const arrow::Array& array, int64_t row) {
    std::string_view& value = column_.strings[row_];
    if (is_nested(wanted_) && !is_text(type_)) {
      scratch_.clear();
      append_json(array_, static_cast<int64_t>(row_), &scratch_, JsonOf::kColumns);
      value = batch_.made.copy(scratch_);
    } else if (is_decimal()) {
      value = batch_.made.copy(decimal_at(array, row));
    } else if (type_.id() == Type::UINT64) {
      value = batch_.made.copy(
          std::to_string(static_cast<const arrow::UInt64Array&>(array).Value(row)));
    } else if (type_.id() >= Type::UINT8 && type_.id() <= Type::INT64) {
      value = batch_.made.copy(std::to_string(number_at(array, row)));
    } else if (wanted_ == ColumnType::kString && is_uuid(*array_.type())) {
      value = batch_.made.copy(uuid_text(bytes_at(array, row)));
    } else {
      value = bytes_at(array, row);
    }
  }

  void set_json() {
    scratch_.clear();
    append_json(array_, static_cast<int64_t>(row_), &scratch_);
    column_.strings[row_] = batch_.made.copy(scratch_);
  }

  const arrow::Array& array_;
  const arrow::DataType& type_;
  const ColumnType wanted_;
  const uint32_t number_;
  ParquetBatch& batch_;
  Column& column_;
  size_t row_ = 0;
  std::string scratch_;
};

}  // namespace

void read_column(const arrow::Array& array, ColumnType wanted, size_t number, ParquetBatch* batch) {
  ColumnReader(array, wanted, number, batch).read();
}

}  // namespace tidemill
