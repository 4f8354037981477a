#include "shared/window/wide_sum.h"

#include <cmath>
#include <limits>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

using uint128 = unsigned __int128;

constexpr size_t kMostWords = 8;  // of an addend
// Where the first limb of a sum may lie: 2^62 and 2^-62 half-lives from time 0, and more.
constexpr int64_t kFarthestLimb = int64_t{1} << 58;

}  // namespace

// Makes limbs exist at [first, first + count), and one for the sign behind them.
void WideSum::make_room(int64_t first, size_t count) {
  if (limbs_.empty()) {
    first_ = first;
    limbs_.assign(count + 1, 0);
    return;
  }
  if (first < first_) {
    limbs_.insert(limbs_.begin(), static_cast<size_t>(first_ - first), 0);
    first_ = first;
  }
  const size_t end = static_cast<size_t>(first - first_) + count + 1;
  if (end > limbs_.size()) limbs_.resize(end, negative() ? ~uint64_t{0} : 0);
}

void WideSum::add(bool negative, std::span<const uint64_t> magnitude, int64_t exponent) {
  ASSERT(magnitude.size() <= kMostWords);
  const int64_t first = exponent >> 6;
  const int shift = static_cast<int>(exponent & 63);
  uint64_t words[kMostWords + 1] = {};
  size_t count = 0;
  for (size_t i = 0; i < magnitude.size(); ++i) {
    words[i] |= magnitude[i] << shift;
    if (shift != 0) words[i + 1] = magnitude[i] >> (64 - shift);
  }
  for (size_t i = 0; i <= magnitude.size(); ++i) {
    if (words[i] != 0) count = i + 1;
  }
  if (count != 0) add_words(negative, {words, count}, first);
}

void WideSum::add_words(bool negative, std::span<const uint64_t> words, int64_t first) {
  make_room(first, words.size());
  uint64_t carry = 0;
  for (size_t i = 0, at = static_cast<size_t>(first - first_); at < limbs_.size(); ++i, ++at) {
    if (i >= words.size() && carry == 0) break;
    const uint64_t word = i < words.size() ? words[i] : 0;
    const uint128 t = negative ? static_cast<uint128>(limbs_[at]) - word - carry
                               : static_cast<uint128>(limbs_[at]) + word + carry;
    limbs_[at] = static_cast<uint64_t>(t);
    carry = static_cast<uint64_t>(t >> 64) & 1;
  }
  // Before and after an addition the last limb is nothing but sign, so nothing is ever lost.
  const uint64_t sign = this->negative() ? ~uint64_t{0} : 0;
  if (limbs_.back() != sign) limbs_.push_back(sign);
}

void WideSum::note(double x) {
  flags_ |= kAnyAddend;
  if (std::isnan(x)) {
    flags_ |= kNan;
  } else if (std::isinf(x)) {
    flags_ |= x < 0 ? kMinusInfinity : kPlusInfinity;
  } else if (x != 0 || !std::signbit(x)) {
    flags_ |= kNotMinusZero;
  }
}

void WideSum::merge(const WideSum& other) {
  flags_ |= other.flags_;
  if (other.limbs_.empty()) return;
  if (limbs_.empty()) {
    limbs_ = other.limbs_;
    first_ = other.first_;
    return;
  }
  if (!other.negative()) return add_words(false, other.limbs_, other.first_);
  std::vector<uint64_t> words(other.limbs_);
  uint64_t carry = 1;
  for (uint64_t& word : words) {
    word = ~word + carry;
    carry = carry != 0 && word == 0 ? 1 : 0;
  }
  add_words(true, words, other.first_);
}

WideSum::Magnitude WideSum::magnitude() const {
  Magnitude out;
  out.negative = negative();
  std::vector<uint64_t> words(limbs_);
  uint64_t carry = out.negative ? 1 : 0;
  if (out.negative) {
    for (uint64_t& word : words) {
      word = ~word + carry;
      carry = carry != 0 && word == 0 ? 1 : 0;
    }
  }
  size_t low = 0, high = words.size();
  while (low < high && words[low] == 0) ++low;
  while (high > low && words[high - 1] == 0) --high;
  if (low == high) return out;
  out.value = BigUnsigned({words.data() + low, high - low});
  out.exponent = 64 * (first_ + static_cast<int64_t>(low)) + out.value.strip();
  return out;
}

double WideSum::scaled(uint64_t factor, int64_t exponent, uint32_t scale) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool both = (flags_ & kPlusInfinity) != 0 && (flags_ & kMinusInfinity) != 0;
  if ((flags_ & kNan) != 0 || both) return std::numeric_limits<double>::quiet_NaN();
  if ((flags_ & kPlusInfinity) != 0) return kInfinity;
  if ((flags_ & kMinusInfinity) != 0) return -kInfinity;
  Magnitude m = magnitude();
  if (m.value.is_zero()) {
    return (flags_ & kAnyAddend) != 0 && (flags_ & kNotMinusZero) == 0 ? -0.0 : 0.0;
  }
  m.value.multiply(factor);
  if (scale != 0) {
    const uint64_t one = 1;
    BigUnsigned by({&one, 1});
    for (uint32_t i = 0; i < scale; ++i) by.multiply(10);
    return round_ratio(m.value, by, static_cast<int>(m.exponent - exponent), m.negative);
  }
  return round_to_double(m.value, false, static_cast<int>(m.exponent - exponent), m.negative);
}

void WideSum::encode(ByteWriter* out) const {
  const Magnitude m = magnitude();
  const int words = (m.value.bits() + 63) / 64;
  out->put(static_cast<uint8_t>(words != 0 && m.negative ? kEncodedNegative : 0));
  out->put(static_cast<int16_t>(m.exponent));
  out->put(static_cast<uint8_t>(words));
  for (int i = 0; i < words; ++i) out->put(m.value.word_at(64 * i));
}

bool WideSum::decode(ByteReader* in, int power, WideSum* out) {
  constexpr int kMostRowBits = 62;
  const auto flags = in->get<uint8_t>();
  const auto exponent = in->get<int16_t>();
  const auto words = in->get<uint8_t>();
  *out = WideSum();
  const bool negative = flags == kEncodedNegative;
  if ((flags != 0 && !negative) || (negative && power % 2 == 0)) return false;
  if (words == 0) return in->ok() && exponent == 0 && !negative;
  if (exponent < -1074 * power) return false;
  uint64_t word = 0;
  for (int i = 0; i < words; ++i) {
    word = in->get<uint64_t>();
    if (!in->ok() || (i == 0 && (word & 1) == 0)) return false;
    const int bits = 64 - std::countl_zero(word);
    if (exponent + 64 * i + bits > 1024 * power + kMostRowBits) return false;
    out->add(negative, {&word, 1}, exponent + 64 * i);
  }
  return word != 0;
}

bool WideSum::lies_within(int64_t low, int64_t high) const {
  return limbs_.empty() ||
         ((low >> 6) <= first_ && first_ + static_cast<int64_t>(limbs_.size()) <= (high >> 6) + 2);
}

// Without limbs that say nothing: those of value 0 at the low end, repeated signs at the high end.
void WideSum::encode_limbs(ByteWriter* out) const {
  size_t low = 0, high = limbs_.size();
  while (low < high && limbs_[low] == 0) ++low;
  while (high > low + 1 && limbs_[high - 1] == limbs_[high - 2] &&
         (limbs_[high - 1] == 0 || limbs_[high - 1] == ~uint64_t{0})) {
    --high;
  }
  const bool zero = low == high;
  out->put(flags_);
  out->put(zero ? int64_t{0} : first_ + static_cast<int64_t>(low));
  out->put(static_cast<uint32_t>(high - low));
  for (size_t i = low; i < high; ++i) out->put(limbs_[i]);
}

bool WideSum::decode_limbs(ByteReader* in, WideSum* out) {
  constexpr uint8_t kAll = kNan | kPlusInfinity | kMinusInfinity | kNotMinusZero | kAnyAddend;
  *out = WideSum();
  out->flags_ = in->get<uint8_t>();
  out->first_ = in->get<int64_t>();
  const auto count = in->get<uint32_t>();
  if (!in->ok() || (out->flags_ & ~kAll) != 0 || in->remaining() / sizeof(uint64_t) < count) {
    return false;
  }
  if (count == 0) return out->first_ == 0;
  if (out->first_ < -kFarthestLimb || out->first_ > kFarthestLimb) return false;
  for (uint32_t i = 0; i < count; ++i) out->limbs_.push_back(in->get<uint64_t>());
  const std::vector<uint64_t>& limbs = out->limbs_;
  const bool sign_only = limbs.back() == 0 || limbs.back() == ~uint64_t{0};
  if (limbs.front() == 0 || !sign_only) return false;
  return count < 2 || limbs[count - 2] != limbs.back();
}

}  // namespace tidemill
