// Join keys of Feast's requests, which come in whatever type the client had. thread-safe
#pragma once

#include "serving/feast_request.h"
#include "shared/base/result.h"

namespace tidemill {

// The column in its join key's type: for a string 5 becomes "5", for an integer "5" and 5.0 become
// 5, a timestamp is RFC 3339 text or seconds since 1970. Nothing is rounded. The error names the
// column and row, and what would be right.
Result<EntityColumn> convert_feast_column(const FeastColumn& column, ColumnType type);

}  // namespace tidemill
