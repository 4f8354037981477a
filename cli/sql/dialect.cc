#include "cli/sql/dialect.h"

#include <cmath>
#include <cstdio>

#include "shared/base/time.h"

namespace tidemill::sql {
namespace {

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out += quote;
    out += c;
  }
  return out + quote;
}

// Spark's literals know backslashes, and no doubled quotes.
std::string escaped(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string joined(const std::vector<std::string>& parts, const std::string& suffix) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part + suffix;
  return out;
}

}  // namespace

std::optional<Dialect> dialect_by_name(std::string_view name) {
  if (name == "postgres") return Dialect::kPostgres;
  if (name == "duckdb") return Dialect::kDuckdb;
  if (name == "spark") return Dialect::kSpark;
  return std::nullopt;
}

const char* dialect_name(Dialect dialect) {
  switch (dialect) {
    case Dialect::kPostgres:
      return "postgres";
    case Dialect::kDuckdb:
      return "duckdb";
    case Dialect::kSpark:
      break;
  }
  return "spark";
}

std::string DialectText::name(std::string_view identifier) const {
  return quoted(identifier, dialect_ == Dialect::kSpark ? '`' : '"');
}

std::string DialectText::text(std::string_view value) const {
  return dialect_ == Dialect::kSpark ? escaped(value) : quoted(value, '\'');
}

std::string DialectText::integer(int64_t value, bool wide) const {
  return "cast('" + std::to_string(value) + "' as " + (wide ? "bigint" : "integer") + ")";
}

std::string DialectText::real(double value) const {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.17g", value);
  std::string text = buffer;
  if (std::isnan(value)) text = "NaN";
  if (std::isinf(value)) text = value < 0 ? "-Infinity" : "Infinity";
  return "cast('" + text + "' as " + *type(proto::DOUBLE) + ")";
}

std::string DialectText::timestamp(int64_t micros) const {
  return "cast('" + format_timestamp(micros) + "' as " + *type(proto::TIMESTAMP) + ")";
}

std::optional<std::string> DialectText::type(proto::ColumnType type) const {
  const bool spark = dialect_ == Dialect::kSpark;
  switch (type) {
    case proto::BOOL:
      return "boolean";
    case proto::INT32:
      return "integer";
    case proto::INT64:
      return "bigint";
    case proto::DOUBLE:
      return dialect_ == Dialect::kPostgres ? "double precision" : "double";
    case proto::STRING:
      return spark ? "string" : "text";
    case proto::TIMESTAMP:
      return spark ? "timestamp" : "timestamptz";
    default:
      return std::nullopt;
  }
}

std::optional<std::string> DialectText::type(const proto::Type& full) const {
  if (full.kind() != proto::DECIMAL) return type(full.kind());
  const std::string name = dialect_ == Dialect::kPostgres ? "numeric" : "decimal";
  if (full.precision() != 0) {
    return name + "(" + std::to_string(full.precision()) + ", " + std::to_string(full.scale()) +
           ")";
  }
  if (dialect_ == Dialect::kPostgres) return name;
  return std::nullopt;  // the others have no decimals of any number of digits
}

std::string DialectText::time(const std::string& expression) const {
  switch (dialect_) {
    case Dialect::kPostgres:
      return expression;
    case Dialect::kDuckdb:
      return "epoch_us(" + expression + ")";
    case Dialect::kSpark:
      break;
  }
  return "unix_micros(" + expression + ")";
}

// In PostgreSQL an interval of microseconds alone: one of days would follow the session's time
// zone.
std::string DialectText::earlier(const std::string& time, int64_t micros) const {
  if (micros == 0) return time;
  if (dialect_ == Dialect::kPostgres) {
    return time + " - interval '" + std::to_string(micros) + " microseconds'";
  }
  return time + " - " + std::to_string(micros);
}

std::string DialectText::by_bytes(const std::string& string) const {
  return dialect_ == Dialect::kPostgres ? string + " collate \"C\"" : string;
}

std::string DialectText::filtered(const std::string& aggregate,
                                  const std::string& condition) const {
  return aggregate + " filter (where " + condition + ")";
}

std::string DialectText::count_distinct(const std::string& value,
                                        const std::string& condition) const {
  return filtered("count(distinct " + value + ")", condition);
}

std::string DialectText::numeric(std::string_view function, const std::string& value,
                                 const std::string& condition) const {
  std::string call(function);
  if (dialect_ == Dialect::kDuckdb && function == "avg") call = "favg";
  if (dialect_ == Dialect::kDuckdb && function == "sum") call = "fsum";
  return filtered(call + "(" + value + ")", condition);
}

std::string DialectText::list(const Ordering& ordering) const {
  const std::string condition = ordering.condition + " and " + ordering.value + " is not null";
  if (dialect_ == Dialect::kSpark) {
    if (ordering.by.empty()) {
      const std::string sorted = "sort_array(" +
                                 filtered("collect_list(" + ordering.value + ")", condition) +
                                 (ordering.descending ? ", false)" : ", true)");
      return "nullif(" + sorted + ", array())";
    }
    std::string key;
    for (const std::string& by : ordering.by) key += "(" + by + ") is null, " + by + ", ";
    const std::string row = "struct(" + key + ordering.value + " as v)";
    return "nullif(transform(array_sort(" + filtered("collect_list(" + row + ")", condition) +
           "), e -> e.v), array())";
  }
  const std::string order = ordering.by.empty()
                                ? ordering.value + (ordering.descending ? " desc" : " asc")
                                : joined(ordering.by, " asc nulls last");
  return filtered("array_agg(" + ordering.value + " order by " + order + ")", condition);
}

std::string DialectText::first_of(const std::string& list, uint32_t n) const {
  const std::string most = std::to_string(n);
  if (dialect_ == Dialect::kSpark) return "slice(" + list + ", 1, " + most + ")";
  return list + "[1:" + most + "]";
}

std::string DialectText::last_of(const std::string& list, uint32_t n) const {
  const std::string most = std::to_string(n);
  switch (dialect_) {
    case Dialect::kPostgres:
      return list + "[greatest(cardinality(" + list + ") - " + most + ", 0) + 1:]";
    case Dialect::kDuckdb:
      return list + "[greatest(len(" + list + ") - " + most + ", 0) + 1:]";
    case Dialect::kSpark:
      break;
  }
  return "slice(" + list + ", greatest(size(" + list + ") - " + most + ", 0) + 1, " + most + ")";
}

std::string DialectText::first_distinct_of(const std::string& list, uint32_t n) const {
  switch (dialect_) {
    case Dialect::kPostgres:
      return "(select array_agg(v order by p) from (select v, min(p) as p from unnest(" + list +
             ") with ordinality as u(v, p) group by v order by p limit " + std::to_string(n) +
             ") d)";
    case Dialect::kDuckdb:
      return first_of("list_filter(" + list + ", lambda v, p: list_position(" + list + ", v) = p)",
                      n);
    case Dialect::kSpark:
      break;
  }
  return first_of("array_distinct(" + list + ")", n);
}

std::string DialectText::last_distinct_of(const std::string& list, uint32_t n) const {
  switch (dialect_) {
    case Dialect::kPostgres:
      return "(select array_agg(v order by p) from (select v, max(p) as p from unnest(" + list +
             ") with ordinality as u(v, p) group by v order by p desc limit " + std::to_string(n) +
             ") d)";
    case Dialect::kDuckdb:
      return "list_reverse(" + first_distinct_of("list_reverse(" + list + ")", n) + ")";
    case Dialect::kSpark:
      break;
  }
  return "reverse(" + first_distinct_of("reverse(" + list + ")", n) + ")";
}

std::string DialectText::element(const std::string& list, bool last) const {
  if (dialect_ == Dialect::kSpark) {
    return "try_element_at(" + list + (last ? ", -1)" : ", 1)");
  }
  if (!last) return list + "[1]";
  return list + (dialect_ == Dialect::kPostgres ? "[cardinality(" + list + ")]" : "[-1]");
}

std::string DialectText::failure(const std::string& message) const {
  return (dialect_ == Dialect::kSpark ? "raise_error(" : "error(") + text(message) + ")";
}

}  // namespace tidemill::sql
