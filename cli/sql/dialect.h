// What tells the SQL of PostgreSQL, DuckDB and Spark apart: names, types, times and lists.
// Everything else that is printed is the same text in all of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill::sql {

enum class Dialect { kPostgres, kDuckdb, kSpark };

std::optional<Dialect> dialect_by_name(std::string_view name);  // postgres, duckdb, spark
const char* dialect_name(Dialect dialect);

// How values are collected into a list: in which order, and which rows of them.
struct Ordering {
  std::string value;
  std::vector<std::string> by;  // expressions, each rising, nulls last; empty: by the value itself
  bool descending = false;      // only by the value itself
  std::string condition;        // of the rows
};

class DialectText {
 public:
  explicit DialectText(Dialect dialect) : dialect_(dialect) {}

  Dialect dialect() const { return dialect_; }
  // Always quoted, so that no name is a keyword in some version.
  std::string name(std::string_view identifier) const;
  std::string text(std::string_view value) const;  // a string literal
  std::string integer(int64_t value, bool wide) const;
  std::string real(double value) const;
  std::string timestamp(int64_t micros) const;
  // Nothing: the dialect has no such type.
  std::optional<std::string> type(proto::ColumnType type) const;
  std::optional<std::string> type(const proto::Type& type) const;

  // An event time in what the statement compares times in: PostgreSQL's own type, so that an index
  // serves; elsewhere microseconds.
  std::string time(const std::string& expression) const;
  std::string earlier(const std::string& time, int64_t micros) const;

  // Strings compared byte by byte.
  std::string by_bytes(const std::string& string) const;

  // `aggregate` of the rows for which `condition` holds.
  std::string filtered(const std::string& aggregate, const std::string& condition) const;
  std::string count_distinct(const std::string& value, const std::string& condition) const;
  // A mean, sum, variance of doubles by the dialect's best way to add.
  std::string numeric(std::string_view function, const std::string& value,
                      const std::string& condition) const;

  // An aggregate: the values as a list, null if there are none.
  std::string list(const Ordering& ordering) const;
  // Of such a list, which is an expression without side effects or costs: a column.
  std::string first_of(const std::string& list, uint32_t n) const;
  std::string last_of(const std::string& list, uint32_t n) const;
  std::string first_distinct_of(const std::string& list, uint32_t n) const;
  std::string last_distinct_of(const std::string& list, uint32_t n) const;
  std::string element(const std::string& list, bool last) const;

  // What fails the statement where an event would be a dead letter.
  std::string failure(const std::string& message) const;

 private:
  Dialect dialect_;
};

}  // namespace tidemill::sql
