// Entity keys between JSON and bytes: the key of one row of a request, and a key as JSON.
#pragma once

#include <string>
#include <vector>

#include "serving/features_request.h"
#include "shared/plan/plan.h"

namespace tidemill {

// The bytes of a view's entity key in row `row`. `columns` are the request's columns in the order
// of the view's join keys. An error names the column and row, and the type that would be right.
Result<std::string> encode_entity_key(const ViewSpec& view, const std::vector<ColumnType>& types,
                                      const std::vector<const EntityColumn*>& columns, size_t row);

// {"customer_id":"596"}, with timestamps in RFC 3339.
std::string entity_key_json(const ViewSpec& view, const std::vector<ColumnType>& types,
                            std::string_view key);

}  // namespace tidemill
