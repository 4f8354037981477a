// How many digits the decimals of an expression have, as far as that follows from the expression
// alone. Private to shared/expr.
#pragma once

#include "proto/plan.pb.h"
#include "shared/base/decimal.h"

namespace tidemill {

// Sets the details of all parts of an expression that are decimals: precision, and the most digits
// behind the point that a row can have; none of both where that differs without bound, as after a
// division.
void complete_decimal_types(proto::Expr* expr);

// Of an expression that is a decimal; {0, 0}: not known.
DecimalType decimal_type_of(const proto::Expr& expr);

}  // namespace tidemill
