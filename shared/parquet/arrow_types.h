// Which of our types a column of a file can be read as. Part of libtidemill_parquet.so.
#pragma once

#include <arrow/type.h>

#include <string>
#include <vector>

#include "shared/columns/column.h"
#include "shared/nested/nested_type.h"

namespace tidemill {

// A column of a file in words: "a timestamp in nanoseconds", "a decimal(10, 2)", "a list".
std::string describe(const arrow::DataType& type);

// In the order in which they are offered.
std::vector<ColumnType> readable_as(const arrow::DataType& type);

bool is_text(const arrow::DataType& type);
bool is_uuid(const arrow::DataType& type);
// Of the text type that an extension or dictionary is about.
const arrow::DataType& stored_type(const arrow::DataType& type);

// As a job's schema has it: "double".
std::string column_type_name(ColumnType type);

// What a column of a type of ours is written as.
std::shared_ptr<arrow::DataType> written_type(ColumnType type);
// The same of one that may have parts. JSON within it is text.
std::shared_ptr<arrow::DataType> written_type(const NestedType& type);

}  // namespace tidemill
