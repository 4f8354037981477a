// Powers from nothing but IEEE 754 additions, multiplications and divisions, each of which is
// correctly rounded everywhere: the same bits on every machine, which libm's pow does not
// promise. Accurate to about 1e-13, which is plenty for tables of weights.
#pragma once

namespace tidemill {

// base to the power of `exponent`. base is positive and finite; the result is a normal number.
double exact_pow(double base, double exponent);

}  // namespace tidemill
