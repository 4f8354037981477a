// Expressions of a plan as SQL of a dialect that gives the same values, or none: what a dialect
// cannot say, or says otherwise, is refused with the reason. Where an event would be a dead letter
// the statement fails, rather than going on with another value.
#pragma once

#include <string>
#include <vector>

#include "cli/sql/dialect.h"

namespace tidemill::sql {

// `columns`: the source's columns as SQL text, by their index.
Result<std::string> expression_sql(const proto::Expr& expr, const std::vector<std::string>& columns,
                                   const DialectText& text);

// A literal of the type, for defaults.
Result<std::string> literal_sql(const proto::Expr& expr, const DialectText& text);

}  // namespace tidemill::sql
