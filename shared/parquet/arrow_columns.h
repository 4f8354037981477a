// Arrow's arrays into our columns. Part of libtidemill_parquet.so.
#pragma once

#include <arrow/array.h>

#include "shared/parquet/parquet_file.h"

namespace tidemill {

// Column `number` of the batch becomes what `array` is as values of the type `wanted`, which its
// own can be read as. Strings point into the array and batch->made.
void read_column(const arrow::Array& array, ColumnType wanted, size_t number, ParquetBatch* batch);

}  // namespace tidemill
