// Single values of Arrow's arrays, and any of them as JSON text (docs/formats/parquet.md). Part of
// libtidemill_parquet.so.
#pragma once

#include <arrow/array.h>

#include <string>
#include <string_view>

namespace tidemill {

// Of any text or binary type.
std::string_view bytes_at(const arrow::Array& array, int64_t row);
// Of any integer type but uint64, of dates, times and timestamps: the number as it is in the file.
int64_t number_at(const arrow::Array& array, int64_t row);
double real_at(const arrow::Array& array, int64_t row);  // of any floating-point type
// "-12.50": with all digits of its scale.
std::string decimal_at(const arrow::Array& array, int64_t row);
std::string uuid_text(std::string_view bytes);
// Microseconds, rounded down; false if the time is outside of the years 0001 to 9999.
bool micros_at(const arrow::Array& array, int64_t row, int64_t* micros);
bool days_at(const arrow::Array& array, int64_t row, int64_t* days);

// A value of a dictionary's index, or of an extension's storage, is in another array: where it is.
struct Cell {
  const arrow::Array* array;
  int64_t row;
};
Cell resolve(const arrow::Array& array, int64_t row);

// Values as they are in the file, or as columns of ours would have them: floats as doubles, times
// in microseconds.
enum class JsonOf : uint8_t { kFile, kColumns };

// Ends early, with text that is no JSON, once there is more than kMaxParquetJson of it.
void append_json(const arrow::Array& array, int64_t row, std::string* out,
                 JsonOf of = JsonOf::kFile);

}  // namespace tidemill
