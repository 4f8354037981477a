// The types of expressions: their names, which promote to which, and which can be cast to which.
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

// "bool, int32, int64, double, string or timestamp"
std::string known_type_names();

bool is_known_type(proto::ColumnType type);
inline bool is_integer(proto::ColumnType t) { return t == proto::INT32 || t == proto::INT64; }
inline bool is_numeric(proto::ColumnType t) { return is_integer(t) || t == proto::DOUBLE; }

// The wider of two numeric types: int32 < int64 < double.
proto::ColumnType wider(proto::ColumnType a, proto::ColumnType b);

// Whether an explicit cast between two different types exists. As in PostgreSQL, and besides from
// bool to double.
bool can_cast(proto::ColumnType from, proto::ColumnType to);

}  // namespace tidemill
