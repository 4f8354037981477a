#include "shared/expr/types.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace tidemill {
namespace {

struct TypeAlias {
  std::string_view name;
  proto::ColumnType type;
};
constexpr std::array<TypeAlias, 28> kAliases{{{"bool", proto::BOOL},
                                              {"boolean", proto::BOOL},
                                              {"int32", proto::INT32},
                                              {"int", proto::INT32},
                                              {"integer", proto::INT32},
                                              {"int4", proto::INT32},
                                              {"int64", proto::INT64},
                                              {"bigint", proto::INT64},
                                              {"int8", proto::INT64},
                                              {"double", proto::DOUBLE},
                                              {"double precision", proto::DOUBLE},
                                              {"float8", proto::DOUBLE},
                                              {"string", proto::STRING},
                                              {"text", proto::STRING},
                                              {"varchar", proto::STRING},
                                              {"character varying", proto::STRING},
                                              {"timestamp", proto::TIMESTAMP},
                                              {"timestamptz", proto::TIMESTAMP},
                                              {"timestamp with time zone", proto::TIMESTAMP},
                                              {"timestamp without time zone", proto::TIMESTAMP},
                                              {"date", proto::DATE},
                                              {"bytes", proto::BYTES},
                                              {"bytea", proto::BYTES},
                                              {"json", proto::JSON},
                                              {"interval", proto::INTERVAL},
                                              {"local_timestamp", proto::LOCAL_TIMESTAMP},
                                              {"decimal", proto::DECIMAL},
                                              {"numeric", proto::DECIMAL}}};

}  // namespace

std::string type_name(proto::ColumnType type) {
  for (const TypeAlias& each : kAliases) {
    if (each.type == type) return std::string(each.name);
  }
  if (type == proto::LIST) return "list";
  if (type == proto::STRUCT) return "struct";
  if (type == proto::MAP) return "map";
  return "unknown type " + std::to_string(static_cast<int>(type));
}

std::optional<proto::ColumnType> parse_type_name(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const TypeAlias& each : kAliases) {
    if (each.name == lower) return each.type;
  }
  return std::nullopt;
}

std::string column_type_names() {
  return "bool, int32, int64, double, decimal(p, s), string, timestamp, date, bytes, json, "
         "list<type>, map<type, type> or struct<name: type, ...>";
}
std::string known_type_names() {
  return "bool, int32, int64, double, decimal, string, timestamp, date, bytes, json, interval, "
         "local_timestamp, list<type>, map<type, type> or struct<name: type, ...>";
}

bool is_known_type(proto::ColumnType type) {
  return type >= proto::BOOL && type <= proto::MAP;
}
bool is_column_type(proto::ColumnType type) {
  return (type >= proto::BOOL && type <= proto::JSON) || has_details(type);
}

bool is_comparable(const proto::Type& type) {
  for (const proto::NestedField& field : type.fields()) {
    if (!is_comparable(field.type())) return false;
  }
  return is_comparable(type.kind());
}

proto::ColumnType wider(proto::ColumnType a, proto::ColumnType b) {
  if (a == proto::DOUBLE || b == proto::DOUBLE) return proto::DOUBLE;
  if (a == proto::DECIMAL || b == proto::DECIMAL) return proto::DECIMAL;
  return a == proto::INT64 || b == proto::INT64 ? proto::INT64 : proto::INT32;
}

}  // namespace tidemill
