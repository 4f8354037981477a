// Decimal: an exact number of up to 38 decimal digits, as PostgreSQL's numeric: a whole number and
// how many of its digits are behind the point, which values of one type may have different numbers
// of. Its bytes: docs/formats/decimal.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidemill {

inline constexpr uint32_t kMaxDecimalDigits = 38;

// unscaled / 10^scale; |unscaled| < 10^38, scale <= 38. 1.5 and 1.50 are equal, but not the same.
struct Decimal {
  __int128 unscaled = 0;
  uint8_t scale = 0;
};

// Digits in all, and behind the point. {0, 0}: not said.
struct DecimalType {
  uint8_t precision = 0;
  uint8_t scale = 0;
  friend bool operator==(const DecimalType&, const DecimalType&) = default;
};

// Bytes compare as numbers do, and equal numbers have equal bytes, where all have one scale. They
// say the scale too.
inline constexpr size_t kMaxDecimalEncoding = 18;
size_t encode_decimal(const Decimal& value, char* out);
// Nothing for bytes that encode_decimal() does not give.
std::optional<Decimal> decode_decimal(std::string_view bytes);

// "-12.50": with all its digits.
using DecimalBuffer = char[48];
std::string_view decimal_to_text(const Decimal& value, DecimalBuffer& buffer);
std::string decimal_to_string(const Decimal& value);
// Of what encode_decimal() gave; "0" of other bytes.
std::string decimal_bytes_to_string(std::string_view bytes);

enum class DecimalText : uint8_t { kGood, kInvalid, kTooLong };
// "12.50", "-.5", "1e-3": as PostgreSQL reads numeric, but without space, NaN and infinity. The
// scale is that of the digits as they are written.
DecimalText parse_decimal(std::string_view text, Decimal* out);
// The same, rounded to `type`; kTooLong: it has more digits before the point than the type.
DecimalText parse_decimal(std::string_view text, const DecimalType& type, Decimal* out);

// Each is false where the result has more than 38 digits.
bool add_decimals(const Decimal& a, const Decimal& b, Decimal* out);
bool subtract_decimals(const Decimal& a, const Decimal& b, Decimal* out);
bool multiply_decimals(const Decimal& a, const Decimal& b, Decimal* out);
// b is not 0. As many digits behind the point as PostgreSQL's select_div_scale() says.
bool divide_decimals(const Decimal& a, const Decimal& b, Decimal* out);
bool decimal_remainder(const Decimal& a, const Decimal& b, Decimal* out);  // has a's sign
// Towards zero, without digits behind the point.
bool integer_quotient(const Decimal& a, const Decimal& b, Decimal* out);

enum class Rounding : uint8_t { kHalfAwayFromZero, kTowardsZero, kDown, kUp };
// `scale` below 0 clears digits before the point; the result then has none behind it.
bool rescale(const Decimal& value, int32_t scale, Rounding rounding, Decimal* out);
// Rounded to the type's scale; false if it has more digits than the type.
bool fit(const Decimal& value, const DecimalType& type, Decimal* out);

int compare_decimals(const Decimal& a, const Decimal& b);  // < 0, 0 or > 0
inline bool operator==(const Decimal& a, const Decimal& b) { return compare_decimals(a, b) == 0; }
inline bool operator<(const Decimal& a, const Decimal& b) { return compare_decimals(a, b) < 0; }

// The double nearest to it.
double decimal_to_double(const Decimal& value);
// With 15 significant digits, as PostgreSQL's cast. False for NaN, infinity and what is too large.
bool decimal_of_double(double value, Decimal* out);
// The nearest integer, halves away from zero.
bool decimal_to_int(const Decimal& value, int64_t low, int64_t high, int64_t* out);
inline Decimal decimal_of_int(int64_t value) { return {value, 0}; }

}  // namespace tidemill
