// What operators do to decimals of one row, as in kernels.h: PostgreSQL's numeric of up to 38
// digits.
#pragma once

#include "shared/base/decimal.h"
#include "shared/expr/call.h"
#include "shared/expr/kernels.h"

namespace tidemill {

inline constexpr RowFault kDecimalRange{"22003", "the result has more than 38 digits"};
inline constexpr RowFault kDecimalOverflow{"22003",
                                           "the number has more digits than the decimal's type"};

const RowFault* decimal_add(const Decimal& a, const Decimal& b, Decimal* out);
const RowFault* decimal_subtract(const Decimal& a, const Decimal& b, Decimal* out);
const RowFault* decimal_multiply(const Decimal& a, const Decimal& b, Decimal* out);
const RowFault* decimal_divide(const Decimal& a, const Decimal& b, Decimal* out);
const RowFault* decimal_modulo(const Decimal& a, const Decimal& b, Decimal* out);
const RowFault* decimal_negate(Decimal* out, const Decimal& x);

// What a cast to decimal(p, s) keeps.
struct DecimalCast : FunctionState {
  DecimalType type;
};

}  // namespace tidemill
