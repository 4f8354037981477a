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
};

// The result has passed check_expression(), and `text` is its canonical text (printer.h). Errors
// say at which character of `text` (1-based) the fault is, and what would be right.
Result<proto::Expr> parse_expression(std::string_view text, const std::vector<NamedColumn>& schema);

}  // namespace tidemill
