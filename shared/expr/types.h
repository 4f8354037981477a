// The types of expressions and their names. What becomes of what: casts.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/plan.pb.h"

namespace tidemill {

// "int64"; the name schemas and canonical texts use.
std::string type_name(proto::ColumnType type);

// A type by any of its names, in any case: int64, bigint, int8, double precision, ...
std::optional<proto::ColumnType> parse_type_name(std::string_view name);

// "bool, int32, ... or json", and those of a schema only.
std::string known_type_names();
std::string column_type_names();

bool is_known_type(proto::ColumnType type);
// Columns of sources, rows and features have these; intervals and local timestamps do not leave an
// expression.
bool is_column_type(proto::ColumnType type);
// Whether = and < are defined: for all but json.
inline bool is_comparable(proto::ColumnType t) { return is_known_type(t) && t != proto::JSON; }
inline bool is_integer(proto::ColumnType t) { return t == proto::INT32 || t == proto::INT64; }
inline bool is_numeric(proto::ColumnType t) { return is_integer(t) || t == proto::DOUBLE; }

// The wider of two numeric types: int32 < int64 < double.
proto::ColumnType wider(proto::ColumnType a, proto::ColumnType b);

}  // namespace tidemill
