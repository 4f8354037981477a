// The types of expressions and their names. What becomes of what: casts.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill {

inline constexpr int kMaxTypeDepth = 8;     // of a list in a list ...
inline constexpr int kMaxStructFields = 256;

// "int64"; the name schemas and canonical texts use.
std::string type_name(proto::ColumnType type);
// "decimal(12, 2)", "map<string, list<double>>", "struct<a: int64, b: bool>"
std::string type_name(const proto::Type& type);

// A type by any of its names, in any case: int64, bigint, int8, double precision, ... Also "decimal",
// but no nested type, as that has no name alone.
std::optional<proto::ColumnType> parse_type_name(std::string_view name);
// Any type: also decimal(12, 2), numeric(12,2), list<string>, string[], map<string, double>,
// struct<a: int64, b: list<double>>. Errors say what would be right.
Result<proto::Type> parse_type(std::string_view text);
// What parse_type() may give, besides a bare decimal: precision, scale, fields, depth.
Status check_type(const proto::Type& type);

// Types with parameters: they are written with their details.
constexpr bool has_details(proto::ColumnType type) {
  return type >= proto::DECIMAL && type <= proto::MAP;
}
constexpr bool is_nested(proto::ColumnType type) {
  return type >= proto::LIST && type <= proto::MAP;
}
bool same_type(const proto::Type& a, const proto::Type& b);

// The type of anything with a `type` and `details`: a field of a source, an expression, a feature.
template <typename Message>
proto::Type full_type(const Message& message) {
  if (message.has_details()) return message.details();
  proto::Type out;
  out.set_kind(message.type());
  return out;
}
template <typename Message>
void set_full_type(const proto::Type& type, Message* message) {
  message->set_type(type.kind());
  if (has_details(type.kind())) {
    *message->mutable_details() = type;
  } else {
    message->clear_details();
  }
}
// Of a column of a table; `index` is one of its column_types.
proto::Type column_type(const proto::Table& table, int index);

// "bool, int32, ... or json", and those of a schema only.
std::string known_type_names();
std::string column_type_names();

bool is_known_type(proto::ColumnType type);
// Columns of sources, rows and features have these; intervals and local timestamps do not leave an
// expression.
bool is_column_type(proto::ColumnType type);
// Whether = and < are defined: for all but json.
inline bool is_comparable(proto::ColumnType t) { return is_known_type(t) && t != proto::JSON; }
bool is_comparable(const proto::Type& type);  // neither it nor anything in it is json
inline bool is_integer(proto::ColumnType t) { return t == proto::INT32 || t == proto::INT64; }
inline bool is_numeric(proto::ColumnType t) {
  return is_integer(t) || t == proto::DOUBLE || t == proto::DECIMAL;
}

// The wider of two numeric types: int32 < int64 < decimal < double.
proto::ColumnType wider(proto::ColumnType a, proto::ColumnType b);

}  // namespace tidemill
