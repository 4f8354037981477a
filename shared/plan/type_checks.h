// Whether the details of types in a plan, of decimals and nested types, are there, valid, and
// agree.
#pragma once

#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill {

// Of what is kept: details where there must be some, in which nothing is left open.
Status check_details(proto::ColumnType kind, bool has, const proto::Type& details);

// Of a table: one per column, if there are any.
Status check_column_types(const proto::Table& table);

// Of expressions that have been checked, over their source's schema and for the table's columns.
Status check_input_details(const proto::Source& source, const proto::Table& table,
                           const proto::TableInput& input);

}  // namespace tidemill
