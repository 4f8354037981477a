#include "shared/window/exact_sum.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/unit/window/any_seed.h"
#include "tests/unit/window/reference.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Sums {
  ExactSum sum, squares;
  uint64_t count = 0;

  void add(double x) {
    sum.add(x);
    squares.add_square(x);
    ++count;
  }
  void merge(const Sums& other) {
    sum.merge(other.sum);
    squares.merge(other.squares);
    count += other.count;
  }
};

bool same(double a, double b) { return same_value(a, b); }

std::string check(const Sums& s, const std::vector<double>& values) {
  const auto differ = [](const char* what, double expected, double actual) {
    return same(expected, actual)
               ? std::string()
               : std::string(what) + ": expected " + show(expected) + ", got " + show(actual);
  };
  std::string out = differ("sum", reference_sum(values), s.sum.rounded());
  const uint64_t n = values.size();
  if (n > 0) {
    out += differ("mean", reference_mean(values), s.sum.mean(n));
    out += differ("var_pop", reference_variance(values, false),
                  ExactSum::variance(s.sum, s.squares, n, n));
    out += differ("stddev_pop", reference_stddev(values, false),
                  ExactSum::stddev(s.sum, s.squares, n, n));
  }
  if (n > 1) {
    out += differ("var_samp", reference_variance(values, true),
                  ExactSum::variance(s.sum, s.squares, n, n - 1));
    out += differ("stddev_samp", reference_stddev(values, true),
                  ExactSum::stddev(s.sum, s.squares, n, n - 1));
  }
  return out;
}

std::string check(const std::vector<double>& values) {
  Sums s;
  for (const double x : values) s.add(x);
  return check(s, values);
}

TEST(ExactSum, HandPickedValues) {
  const double largest = std::numeric_limits<double>::max();
  const double smallest = std::numeric_limits<double>::denorm_min();
  const std::vector<std::vector<double>> table = {
      {},
      {0.0},
      {-0.0},
      {-0.0, -0.0},
      {-0.0, 0.0},
      {1, -1},
      {0.1, 0.2, 0.3},
      {1e16, 1, -1e16},
      {1e300, 1e-300, -1e300},
      {largest, largest},
      {largest, largest, -largest},
      {-largest, -largest},
      {smallest},
      {smallest, smallest, smallest},
      {smallest, largest},
      {0x1p-1022, -smallest},
      {1, 0x1p-53},            // a tie, to even
      {1, 0x1p-53, smallest},  // a hair above the tie
      {1 + 0x1p-52, 0x1p-53},  // a tie, up to even
      {largest, 0x1p969},      // below the tie that overflows
      {largest, 0x1p970},      // the tie: overflows
      {3, 3, 3},
      {1e8 + 1, 1e8 + 2, 1e8 + 3},
      {kInf, 1},
      {-kInf, 1},
      {kInf, -kInf},
      {kNan, 1},
      {kNan, kInf},
      {1e-200, 2e-200},
      {1e200, -1e200, 3},
  };
  for (const auto& values : table) {
    EXPECT_EQ(check(values), "") << ::testing::PrintToString(values);
  }
}

// A number exactly between two doubles, and the same with one bit far below: only what was cut off
// or left over by a division tells the two apart.
TEST(Rounding, WhatLiesFarBelowATieDecidesIt) {
  constexpr uint64_t kHalfway = (uint64_t{1} << 53) + 1;
  constexpr double kDown = 0x1p53, kUp = 0x1p53 + 2;
  const auto square = static_cast<unsigned __int128>(kHalfway) * kHalfway;
  const auto low = static_cast<uint64_t>(square), high = static_cast<uint64_t>(square >> 64);
  for (const uint64_t hair : {0, 1}) {
    const double expected = hair == 0 ? kDown : kUp;
    const uint64_t tie[] = {hair, 0, 0, 0, 0, kHalfway};
    EXPECT_EQ(round_to_double(BigUnsigned(tie), false, -320, false), expected);
    EXPECT_EQ(round_quotient(BigUnsigned(tie), -320, 1, 1, true), -expected);
    const uint64_t fivefold[] = {hair, 0, 0, 0, 0, kHalfway * 5};
    BigUnsigned product(fivefold);
    product.multiply(3);
    EXPECT_EQ(round_quotient(product, -320, 3, 5, false), expected);
    const uint64_t root[] = {hair, 0, 0, 0, low, high};
    EXPECT_EQ(round_sqrt_quotient(BigUnsigned(root), -256, 1, 1), expected);
  }
}

// So far apart that one of the large ones just fits 192 bits beside the small one.
TEST(ExactSum, ManyLargeAddendsOutgrowTheCompactForm) {
  for (const double large : {0x1.fffffffffffffp137, -0x1.fffffffffffffp137}) {
    for (const double scale : {0x1p-2, 0x1p-1, 0x1p0, 0x1p1}) {
      std::vector<double> values = {1.0};
      for (int i = 0; i < 12; ++i) {
        values.push_back(large * scale);
        EXPECT_EQ(check(values), "") << large << " " << scale << " " << i;
      }
    }
  }
}

RC_GTEST_PROP(ExactSum, AnyDoublesAgreeWithExactArithmetic, ()) {
  Random random(any_seed());
  std::vector<double> values(*rc::gen::inRange<size_t>(0, 40));
  const int spread = *rc::gen::element(3, 60, 400, 1080);
  for (double& x : values) {
    x = std::ldexp(static_cast<double>(static_cast<int64_t>(random())) * 0x1p-63,
                   static_cast<int>(random() % static_cast<uint64_t>(2 * spread)) - spread);
  }
  RC_ASSERT(check(values) == "");
}

RC_GTEST_PROP(ExactSum, AnyBitsAgreeWithExactArithmetic, (const std::vector<uint64_t>& bits)) {
  std::vector<double> values;
  for (const uint64_t b : bits) {
    Random random(b);
    values.push_back(any_double(&random));
  }
  RC_ASSERT(check(values) == "");
}

// Some at a time, as a chunk's values are: of one size, of many, with zeros and what is not finite.
RC_GTEST_PROP(ExactSum, ValuesTogetherAreTheSameAsOneByOne, ()) {
  Random random(any_seed());
  const int mode = *rc::gen::inRange(0, 5);
  const int apart = *rc::gen::element(1, 63, 64, 65, 66, 400);
  const auto one = [&]() -> double {
    if (mode == 0) return static_cast<double>(random() % 100'000) / 100;
    if (mode == 1) return random() % 2 == 0 ? 0.0 : -0.0;
    if (mode == 2)
      return random() % 4 == 0 ? -0.0 : std::ldexp(-1.0, -static_cast<int>(random() % 9));
    if (mode == 3) return any_double(&random);
    const double largest = random() % 2 == 0 ? 0x1.fffffffffffffp0 : -0x1.fffffffffffffp0;
    return std::ldexp(largest, random() % 3 == 0 ? 0 : apart - 1);
  };
  std::vector<double> values(64);
  ExactSum together;
  ExactSum single;
  for (int round = *rc::gen::inRange(1, 4); round > 0; --round) {
    for (double& x : values) x = one();
    const uint64_t mask = random() % 3 == 0 ? ~uint64_t{0} : random() & random();
    together.add(values.data(), mask);
    for (uint32_t i = 0; i < 64; ++i) {
      if ((mask >> i & 1) != 0) single.add(values[i]);
    }
  }
  RC_ASSERT(same(together.rounded(), single.rounded()));
  ByteWriter some;
  ByteWriter each;
  together.encode(&some);
  single.encode(&each);
  RC_ASSERT(std::ranges::equal(some.bytes(), each.bytes()));
}

// The most that fits before values are added up in 128 bits.
TEST(ExactSum, SixtyFourLargestValuesTogether) {
  for (const int apart : {62, 63, 64}) {
    std::vector<double> values(64, std::ldexp(0x1.fffffffffffffp0, apart));
    values[0] = 0x1.0000000000001p0;
    ExactSum together;
    together.add(values.data(), ~uint64_t{0});
    EXPECT_EQ(together.rounded(), reference_sum(values)) << apart;
  }
}

RC_GTEST_PROP(ExactSum, MergingIsExactInAnyTree, ()) {
  Random random(any_seed());
  const auto count = *rc::gen::inRange<size_t>(1, 60);
  const int mode = *rc::gen::inRange(0, 3);
  std::vector<double> values;
  std::vector<Sums> parts(1 + random() % 8);
  for (size_t i = 0; i < count; ++i) {
    const double x = mode == 0   ? static_cast<double>(random() % 100'000) / 100
                     : mode == 1 ? any_double(&random)
                                 : std::ldexp(1.0, static_cast<int>(random() % 2000) - 1000);
    values.push_back(x);
    parts[random() % parts.size()].add(x);
  }
  while (parts.size() > 1) {
    const size_t a = random() % (parts.size() - 1);
    Sums copy = parts.back();
    parts.pop_back();
    copy.merge(parts[a]);
    parts[a] = std::move(copy);
  }
  RC_ASSERT(check(parts[0], values) == "");
}

RC_GTEST_PROP(ExactSum, IntegersAreExact, (const std::vector<int64_t>& small)) {
  ExactSum sum;
  __int128 expected = 0;
  for (const int64_t x : small) {
    for (const int64_t y : {x, x ^ INT64_MAX, x ^ INT64_MIN}) {
      sum.add_integer(y);
      expected += y;
    }
  }
  const bool fits = expected >= INT64_MIN && expected <= INT64_MAX;
  RC_ASSERT(sum.as_int64().has_value() == fits);
  if (fits) RC_ASSERT(*sum.as_int64() == static_cast<int64_t>(expected));
}

TEST(ExactSum, IntegerSumsAtTheLimits) {
  ExactSum least, beyond, most;
  least.add_integer(INT64_MIN);
  EXPECT_EQ(least.as_int64(), INT64_MIN);
  beyond.merge(least);
  beyond.add_integer(-1);
  EXPECT_EQ(beyond.as_int64(), std::nullopt);
  beyond.add_integer(1);
  EXPECT_EQ(beyond.as_int64(), INT64_MIN);
  most.add_integer(INT64_MAX);
  EXPECT_EQ(most.as_int64(), INT64_MAX);
  most.add_integer(1);
  EXPECT_EQ(most.as_int64(), std::nullopt);
}

TEST(ExactSum, OrdinaryDataStaysInPlace) {
  ExactSum sum, squares;
  for (int i = 0; i < 1'000'000; ++i) {
    const double amount = static_cast<double>(i % 100'000) / 100;
    sum.add(amount);
    squares.add_square(amount);
  }
  EXPECT_EQ(sum.heap_bytes(), 0u);
  EXPECT_EQ(squares.heap_bytes(), 0u);
  sum.add(1e-300);
  EXPECT_GT(sum.heap_bytes(), 0u);
}

std::vector<uint8_t> encoded(const ExactSum& sum) {
  ByteWriter out;
  sum.encode(&out);
  return out.take();
}

RC_GTEST_PROP(ExactSum, EqualSumsMakeEqualBytesThatSayTheSame, ()) {
  Random random(any_seed());
  for (int turn = 0; turn < 4; ++turn) {
    std::vector<double> values(1 + random() % 10);
    const uint64_t kind = random() % 3;
    for (double& x : values) {
      x = kind == 0 ? any_double(&random) : static_cast<double>(random() % 100) / 4;
      if (kind == 2 && random() % 2 == 0) x = -0.0;
    }
    Sums in_order, reversed, by_parts;
    for (const double x : values) in_order.add(x);
    // Once as wide as it gets, and back.
    for (const double x : {0x1p1023, 5e-324}) reversed.add(x);
    for (const double x : {-0x1p1023, -5e-324}) reversed.sum.add(x);
    for (size_t i = values.size(); i-- > 0;) {
      reversed.add(values[i]);
      Sums part;
      part.add(values[i]);
      by_parts.merge(part);
    }
    if (kind != 2) RC_ASSERT(encoded(in_order.sum) == encoded(reversed.sum));
    RC_ASSERT(encoded(in_order.sum) == encoded(by_parts.sum));
    RC_ASSERT(encoded(in_order.squares) == encoded(by_parts.squares));
    Sums back;
    back.count = in_order.count;
    const auto sum = encoded(in_order.sum), squares = encoded(in_order.squares);
    ByteReader sum_in(sum), squares_in(squares);
    RC_ASSERT(ExactSum::decode(&sum_in, false, &back.sum));
    RC_ASSERT(ExactSum::decode(&squares_in, true, &back.squares));
    RC_ASSERT(sum_in.remaining() == 0u);
    RC_ASSERT(encoded(back.sum) == sum);
    RC_ASSERT(ExactSum::possible(back.sum, back.squares, back.count));
    RC_ASSERT(check(back, values) == "");
    back.merge(in_order);
    values.insert(values.end(), values.begin(), values.end());
    RC_ASSERT(check(back, values) == "");
  }
}

TEST(ExactSum, BytesThatItDoesNotWriteAreRefused) {
  const auto refused = [](uint8_t flags, int16_t exponent, const std::vector<uint64_t>& words,
                          bool squares = false) {
    ByteWriter bytes;
    bytes.put(flags);
    bytes.put(exponent);
    bytes.put(static_cast<uint8_t>(words.size()));
    for (const uint64_t word : words) bytes.put(word);
    ExactSum out;
    ByteReader in(bytes.bytes());
    return !ExactSum::decode(&in, squares, &out);
  };
  EXPECT_FALSE(refused(24, 0, {}));
  EXPECT_FALSE(refused(24, -1074, {1}));
  EXPECT_FALSE(refused(24 | 64, 0, {3, 1})) << "negative";
  EXPECT_TRUE(refused(24, 1, {})) << "a zero with an exponent";
  EXPECT_TRUE(refused(24 | 64, 0, {})) << "a negative zero";
  EXPECT_TRUE(refused(24, 0, {2})) << "even";
  EXPECT_TRUE(refused(24, 0, {1, 0})) << "a word too many";
  EXPECT_TRUE(refused(24 | 32, 0, {1})) << "an unknown flag";
  EXPECT_TRUE(refused(24, -1075, {1})) << "finer than any double";
  EXPECT_FALSE(refused(24, -2148, {1}, true));
  EXPECT_TRUE(refused(24 | 64, 0, {1}, true)) << "a negative square";
  EXPECT_FALSE(refused(24, 1085, {1}));
  EXPECT_TRUE(refused(24, 1086, {1})) << "more than all rows could make";
  EXPECT_TRUE(refused(24, 0, std::vector<uint64_t>(68, 1)));
}

}  // namespace
}  // namespace tidemill::testing
