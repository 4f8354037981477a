// Decimals as Avro and others write them: a whole number, big-endian in two's complement, times a
// power of ten.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidemill {

inline constexpr size_t kMaxDecimalBytes = 64;

// "-12.50" for -1250 of scale 2: as many digits behind the point as the scale says, a number of
// JSON. False for no bytes, or more than kMaxDecimalBytes.
bool decimal_text(std::string_view big_endian, uint32_t scale, std::string* out);

}  // namespace tidemill
