#include "shared/source/decimal_text.h"

#include <algorithm>
#include <array>

namespace tidemill {
namespace {

constexpr size_t kLimbBytes = 4;
constexpr size_t kLimbs = kMaxDecimalBytes / kLimbBytes + 1;
constexpr uint32_t kChunk = 1'000'000'000;  // nine digits at a time
constexpr int kChunkDigits = 9;

// Of least significance first.
using Magnitude = std::array<uint32_t, kLimbs>;

Magnitude magnitude_of(std::string_view big_endian, bool negative) {
  Magnitude out{};
  uint32_t carry = negative ? 1 : 0;  // a negative number's is its complement and one
  for (size_t i = 0; i < big_endian.size(); ++i) {
    uint32_t byte = static_cast<uint8_t>(big_endian[big_endian.size() - 1 - i]);
    if (negative) byte = (byte ^ 0xff) + carry;
    carry = negative ? byte >> 8 : 0;
    out[i / kLimbBytes] |= (byte & 0xff) << (8 * (i % kLimbBytes));
  }
  if (carry != 0)
    out[big_endian.size() / kLimbBytes] |= 1u << (8 * (big_endian.size() % kLimbBytes));
  return out;
}

// The remainder.
uint32_t divide(Magnitude* number, uint32_t by) {
  uint64_t rest = 0;
  for (size_t i = kLimbs; i-- > 0;) {
    rest = (rest << 32) | (*number)[i];
    (*number)[i] = static_cast<uint32_t>(rest / by);
    rest %= by;
  }
  return static_cast<uint32_t>(rest);
}

}  // namespace

bool decimal_text(std::string_view big_endian, uint32_t scale, std::string* out) {
  if (big_endian.empty() || big_endian.size() > kMaxDecimalBytes) return false;
  const bool negative = (static_cast<uint8_t>(big_endian[0]) & 0x80) != 0;
  Magnitude number = magnitude_of(big_endian, negative);
  std::string digits;  // of least significance first
  while (std::any_of(number.begin(), number.end(), [](uint32_t limb) { return limb != 0; })) {
    uint32_t chunk = divide(&number, kChunk);
    for (int i = 0; i < kChunkDigits; ++i, chunk /= 10) {
      digits += static_cast<char>('0' + chunk % 10);
    }
  }
  while (!digits.empty() && digits.back() == '0') digits.pop_back();
  while (digits.size() <= scale) digits += '0';
  std::reverse(digits.begin(), digits.end());
  if (scale > 0) digits.insert(digits.size() - scale, ".");
  *out = (negative ? "-" : "") + digits;
  return true;
}

}  // namespace tidemill
