// What one operator does to one row's values. A kernel writes its result and answers null, or
// answers why there is none. Semantics are PostgreSQL's (docs/expressions.md).
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "shared/expr/call.h"

namespace tidemill::kernels {

inline constexpr RowFault kDivisionByZero{"22012", "division by zero"};
inline constexpr RowFault kInt32Range{"22003", "the result is out of the range of int32"};
inline constexpr RowFault kInt64Range{"22003", "the result is out of the range of int64"};
inline constexpr RowFault kDoubleOverflow{"22003", "the result overflows double"};
inline constexpr RowFault kDoubleUnderflow{"22003", "the result underflows double"};

inline bool fits_int32(int64_t v) {
  return v >= std::numeric_limits<int32_t>::min() && v <= std::numeric_limits<int32_t>::max();
}

template <bool k32>
const RowFault* in_range(int64_t v) {
  return !k32 || fits_int32(v) ? nullptr : &kInt32Range;
}

template <bool k32>
const RowFault* add(int64_t a, int64_t b, int64_t* out) {
  return __builtin_add_overflow(a, b, out) ? &kInt64Range : in_range<k32>(*out);
}
template <bool k32>
const RowFault* subtract(int64_t a, int64_t b, int64_t* out) {
  return __builtin_sub_overflow(a, b, out) ? &kInt64Range : in_range<k32>(*out);
}
template <bool k32>
const RowFault* multiply(int64_t a, int64_t b, int64_t* out) {
  return __builtin_mul_overflow(a, b, out) ? &kInt64Range : in_range<k32>(*out);
}
template <bool k32>
const RowFault* divide(int64_t a, int64_t b, int64_t* out) {
  if (b == 0) return &kDivisionByZero;
  if (b == -1) return subtract<k32>(0, a, out);
  *out = a / b;
  return nullptr;
}
inline const RowFault* modulo(int64_t a, int64_t b, int64_t* out) {
  if (b == 0) return &kDivisionByZero;
  *out = b == -1 ? 0 : a % b;
  return nullptr;
}

// Infinity out of finite operands, and zero out of operands that are not, are errors.
inline const RowFault* add(double a, double b, double* out) {
  *out = a + b;
  return std::isinf(*out) && !std::isinf(a) && !std::isinf(b) ? &kDoubleOverflow : nullptr;
}
inline const RowFault* subtract(double a, double b, double* out) { return add(a, -b, out); }
inline const RowFault* multiply(double a, double b, double* out) {
  *out = a * b;
  if (std::isinf(*out) && !std::isinf(a) && !std::isinf(b)) return &kDoubleOverflow;
  return *out == 0 && a != 0 && b != 0 ? &kDoubleUnderflow : nullptr;
}
inline const RowFault* divide(double a, double b, double* out) {
  if (b == 0 && !std::isnan(a)) return &kDivisionByZero;
  *out = a / b;
  if (std::isinf(*out) && !std::isinf(a)) return &kDoubleOverflow;
  return *out == 0 && a != 0 && !std::isinf(b) ? &kDoubleUnderflow : nullptr;
}

// A total order: NaN equals itself and is greater than everything else.
template <typename V>
bool equal(const V& a, const V& b) {
  return a == b;
}
inline bool equal(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }
template <typename V>
bool less(const V& a, const V& b) {
  return a < b;
}
inline bool less(double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; }

// Months of 30 days of 24 hours, as PostgreSQL compares intervals.
inline __int128 span_of(const Interval& i) {
  constexpr int64_t kDay = 86'400'000'000;
  return __int128{i.micros} + (__int128{i.days} + __int128{30} * i.months) * kDay;
}
inline bool equal(const Interval& a, const Interval& b) { return span_of(a) == span_of(b); }
inline bool less(const Interval& a, const Interval& b) { return span_of(a) < span_of(b); }

}  // namespace tidemill::kernels
