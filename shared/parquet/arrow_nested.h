// Decimals, lists, structs and maps as Arrow's arrays. Part of libtidemill_parquet.so.
#pragma once

#include <arrow/array.h>
#include <arrow/result.h>

#include "shared/columns/column.h"
#include "shared/nested/nested_type.h"

namespace tidemill {

// Of a column that holds the bytes of values of the type, which has parts.
arrow::Result<std::shared_ptr<arrow::Array>> nested_array(const Column& column,
                                                          const NestedType& type);

}  // namespace tidemill
