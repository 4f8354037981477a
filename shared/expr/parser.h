// SQL text into a typed expression over a source's columns. The language is PostgreSQL's; what of
// it is supported, and where it deviates, is in docs/jobs.md. thread-safe
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill {

struct NamedColumn {
  std::string name;
  proto::ColumnType type{};
  proto::Type details{};  // has a kind if and only if `type` has details
};

inline proto::Type type_of(const NamedColumn& column) {
  proto::Type out = column.details;
  out.set_kind(column.type);
  return out;
}
inline NamedColumn named_column(std::string name, const proto::Type& type) {
  NamedColumn out{std::move(name), type.kind()};
  if (type.kind() >= proto::DECIMAL) out.details = type;
  return out;
}

// The result has passed check_expression(), and `text` is its canonical text (printer.h). Errors
// say at which character of `text` (1-based) the fault is, and what would be right.
Result<proto::Expr> parse_expression(std::string_view text, const std::vector<NamedColumn>& schema);

}  // namespace tidemill
