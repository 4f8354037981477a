// The canonical SQL text of a typed expression: parsing it again gives the same expression.
#pragma once

#include <string>
#include <vector>

#include "proto/plan.pb.h"

namespace tidemill {

// `columns` are the names of the source's columns. The expression must have passed
// check_expression() against their types.
std::string to_sql(const proto::Expr& expr, const std::vector<std::string>& columns);

// A name as SQL text: in double quotes where it would not read back without.
std::string quote_identifier(const std::string& name);

}  // namespace tidemill
