// Single values as text and back, as casts do it: PostgreSQL's input and output forms.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "shared/base/decimal.h"

namespace tidemill {

// Each is false for text that is not such a value or out of range. Space around it is ignored.
bool text_to_int(std::string_view text, int64_t* out);
bool text_to_double(std::string_view text, double* out);      // also NaN, Infinity, -inf
bool text_to_bool(std::string_view text, bool* out);          // t, true, yes, on, 1, ...
bool text_to_timestamp(std::string_view text, int64_t* out);  // RFC 3339, or a date alone
bool text_to_date(std::string_view text, int64_t* out);       // 2018-04-01, as days since 1970

// 12.50, or to so many digits if there is a type.
DecimalText text_to_decimal(std::string_view text, const DecimalType* type, Decimal* out);

// A value's text, in place in `buffer`.
using TextBuffer = std::array<char, 48>;
std::string_view int_to_text(int64_t value, TextBuffer* buffer);
std::string_view double_to_text(double value, TextBuffer* buffer);  // shortest that reads back
std::string_view timestamp_to_text(int64_t value, TextBuffer* buffer);
std::string_view local_timestamp_to_text(int64_t value,
                                         TextBuffer* buffer);     // 2018-04-01 00:00:31.5
std::string_view date_to_text(int64_t days, TextBuffer* buffer);  // "0044-03-15 BC" in that era

// What a number's text that is not read is: out of range, or no number at all.
bool is_number_text(std::string_view text);

// The nearest integer, halves to even. False for NaN and for what is outside of [low, high].
bool double_to_int(double value, int64_t low, int64_t high, int64_t* out);

}  // namespace tidemill
