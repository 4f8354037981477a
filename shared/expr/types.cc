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
constexpr std::array<TypeAlias, 26> kAliases{{{"bool", proto::BOOL},
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
                                              {"local_timestamp", proto::LOCAL_TIMESTAMP}}};

}  // namespace

std::string type_name(proto::ColumnType type) {
  for (const TypeAlias& each : kAliases) {
    if (each.type == type) return std::string(each.name);
  }
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
  return "bool, int32, int64, double, string, timestamp, date, bytes or json";
}
std::string known_type_names() {
  return "bool, int32, int64, double, string, timestamp, date, bytes, json, interval or "
         "local_timestamp";
}

bool is_known_type(proto::ColumnType type) {
  return type >= proto::BOOL && type <= proto::LOCAL_TIMESTAMP;
}
bool is_column_type(proto::ColumnType type) { return type >= proto::BOOL && type <= proto::JSON; }

proto::ColumnType wider(proto::ColumnType a, proto::ColumnType b) {
  if (a == proto::DOUBLE || b == proto::DOUBLE) return proto::DOUBLE;
  return a == proto::INT64 || b == proto::INT64 ? proto::INT64 : proto::INT32;
}

}  // namespace tidemill
