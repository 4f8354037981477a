// Decimals: text, bytes and arithmetic, against PostgreSQL's answers and laws of arithmetic.
#include "shared/base/decimal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace tidemill {
namespace {

Decimal of(const std::string& text) {
  Decimal out;
  EXPECT_EQ(parse_decimal(text, &out), DecimalText::kGood) << text;
  return out;
}

std::string bytes_of(const Decimal& value) {
  char buffer[kMaxDecimalEncoding];
  return {buffer, encode_decimal(value, buffer)};
}

template <typename Operation>
std::string result(Operation operation, const std::string& a, const std::string& b) {
  Decimal out;
  return operation(of(a), of(b), &out) ? decimal_to_string(out) : "none";
}

Decimal random_decimal(std::mt19937_64* random) {
  const auto digits = static_cast<int>((*random)() % 38);
  __int128 unscaled = 0;
  for (int i = 0; i < digits; ++i) unscaled = unscaled * 10 + static_cast<int>((*random)() % 10);
  const auto scale = static_cast<uint8_t>((*random)() % 39);
  return {(*random)() % 2 == 0 ? unscaled : -unscaled, scale};
}

TEST(DecimalText, KeepsTheDigitsAsTheyAreWritten) {
  for (const char* text :
       {"0", "0.00", "1.10", "-2.5", "100", "0.005", "-0.01",
        "99999999999999999999999999999999999999", "-0.00000000000000000000000000000000000001"}) {
    EXPECT_EQ(decimal_to_string(of(text)), text);
  }
  EXPECT_EQ(decimal_to_string(of("+007.50")), "7.50");
  EXPECT_EQ(decimal_to_string(of(".5")), "0.5");
  EXPECT_EQ(decimal_to_string(of("5.")), "5");
  EXPECT_EQ(decimal_to_string(of("1.5e1")), "15");
  EXPECT_EQ(decimal_to_string(of("1.25E-3")), "0.00125");
  EXPECT_EQ(decimal_to_string(of("12e2")), "1200");
  EXPECT_EQ(decimal_to_string(of("-0.0")), "0.0");
}

TEST(DecimalText, RefusesWhatIsNoneOrTooLong) {
  Decimal out;
  for (const char* text : {"", ".", "-", "1e", "1e+", "a", "1,5", "1.2.3", "NaN", "Infinity", " 1",
                           "1 ", "0x10", "1_000"}) {
    EXPECT_EQ(parse_decimal(text, &out), DecimalText::kInvalid) << text;
  }
  for (const char* text : {"100000000000000000000000000000000000000", "1e38", "1e-39",
                           "1e999999999", "1.00000000000000000000000000000000000000"}) {
    EXPECT_EQ(parse_decimal(text, &out), DecimalText::kTooLong) << text;
  }
}

TEST(DecimalText, IsRoundedToAType) {
  const auto rounded = [](const std::string& text, const DecimalType& type) {
    Decimal out;
    switch (parse_decimal(text, type, &out)) {
      case DecimalText::kGood:
        return decimal_to_string(out);
      case DecimalText::kTooLong:
        return std::string("too long");
      case DecimalText::kInvalid:
        break;
    }
    return std::string("invalid");
  };
  EXPECT_EQ(rounded("1", {5, 2}), "1.00");
  EXPECT_EQ(rounded("1.005", {5, 2}), "1.01");
  EXPECT_EQ(rounded("-1.005", {5, 2}), "-1.01");
  EXPECT_EQ(rounded("1.0049999999999999999999999999999999999999999999999", {5, 2}), "1.00");
  EXPECT_EQ(rounded("999.994", {5, 2}), "999.99");
  EXPECT_EQ(rounded("999.995", {5, 2}), "too long");
  EXPECT_EQ(rounded("1000", {5, 2}), "too long");
  EXPECT_EQ(rounded("0.0049", {2, 2}), "0.00");
  EXPECT_EQ(rounded("5e-3", {2, 2}), "0.01");
  EXPECT_EQ(rounded("4e-300", {2, 2}), "0.00");
  EXPECT_EQ(rounded("0e999", {2, 2}), "0.00");
  EXPECT_EQ(rounded("x", {2, 2}), "invalid");
  EXPECT_EQ(rounded("1" + std::string(200, '0'), {38, 0}), "too long");
  EXPECT_EQ(rounded("0." + std::string(200, '9'), {38, 0}), "1");
}

TEST(DecimalBytes, AreInTheOrderOfTheNumbers) {
  std::vector<std::string> texts = {"-99999999999999999999999999999999999999",
                                    "-70000",
                                    "-256",
                                    "-255",
                                    "-2",
                                    "-1",
                                    "0",
                                    "1",
                                    "2",
                                    "127",
                                    "128",
                                    "255",
                                    "256",
                                    "65535",
                                    "65536",
                                    "99999999999999999999999999999999999999"};
  for (size_t i = 0; i + 1 < texts.size(); ++i) {
    EXPECT_LT(bytes_of(of(texts[i])), bytes_of(of(texts[i + 1]))) << texts[i];
  }
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    Decimal a = random_decimal(&random);
    Decimal b = random_decimal(&random);
    b.scale = a.scale;
    const int order = bytes_of(a).compare(bytes_of(b));
    EXPECT_EQ(order < 0, a.unscaled < b.unscaled);
    EXPECT_EQ(order == 0, a.unscaled == b.unscaled);
    const auto back = decode_decimal(bytes_of(a));
    ASSERT_TRUE(back.has_value());
    EXPECT_TRUE(back->unscaled == a.unscaled && back->scale == a.scale);
  }
}

TEST(DecimalBytes, AreOneFormOnly) {
  const std::string good = bytes_of(of("12.50"));
  ASSERT_TRUE(decode_decimal(good).has_value());
  EXPECT_FALSE(decode_decimal("").has_value());
  EXPECT_FALSE(decode_decimal(good.substr(1)).has_value());
  EXPECT_FALSE(decode_decimal(good + '\0').has_value());
  EXPECT_FALSE(decode_decimal(std::string("\x82\x00\x05\x00", 4)).has_value());  // leading zero
  EXPECT_FALSE(decode_decimal(std::string("\x81\x05\x27", 3)).has_value());      // scale 39
  EXPECT_FALSE(decode_decimal("\x90" + std::string(16, '\xff') + std::string(1, '\0')).has_value());
  EXPECT_EQ(decimal_bytes_to_string(good), "12.50");
  EXPECT_EQ(decimal_bytes_to_string("nonsense"), "0");
}

TEST(DecimalArithmetic, IsPostgresqls) {
  EXPECT_EQ(result(add_decimals, "1.10", "2.5"), "3.60");
  EXPECT_EQ(result(subtract_decimals, "1", "0.25"), "0.75");
  EXPECT_EQ(result(multiply_decimals, "1.10", "2.5"), "2.750");
  EXPECT_EQ(result(divide_decimals, "1", "3"), "0.33333333333333333333");
  EXPECT_EQ(result(divide_decimals, "10", "3"), "3.3333333333333333");
  EXPECT_EQ(result(divide_decimals, "1", "7.00"), "0.14285714285714285714");
  EXPECT_EQ(result(divide_decimals, "12345.678", "0.01"), "1234567.800000000000");
  EXPECT_EQ(result(divide_decimals, "-2", "3"), "-0.66666666666666666667");
  EXPECT_EQ(result(divide_decimals, "0", "3"), "0.00000000000000000000");
  EXPECT_EQ(result(divide_decimals, "1000000", "7"), "142857.142857142857");
  EXPECT_EQ(result(decimal_remainder, "5.5", "2.2"), "1.1");
  EXPECT_EQ(result(decimal_remainder, "-5.5", "2"), "-1.5");
  EXPECT_EQ(result(decimal_remainder, "7", "0.3"), "0.1");
  EXPECT_EQ(result(decimal_remainder, "99999999999999999999999999999999999999", "0.7"), "0.3");
  EXPECT_EQ(result(decimal_remainder, "0.7", "99999999999999999999999999999999999999"), "0.7");
  EXPECT_EQ(result(integer_quotient, "7.5", "2"), "3");
  EXPECT_EQ(result(integer_quotient, "-7.5", "0.02"), "-375");
}

TEST(DecimalArithmetic, HasAtMost38Digits) {
  const std::string most(38, '9');
  EXPECT_EQ(result(add_decimals, most, "1"), "none");
  EXPECT_EQ(result(add_decimals, most, "0.1"), "none");
  EXPECT_EQ(result(subtract_decimals, most, "1"), std::string(37, '9') + "8");
  EXPECT_EQ(result(multiply_decimals, most, "10"), "none");
  EXPECT_EQ(result(multiply_decimals, "0.00000000000000000001", "0.0000000000000000001"), "none");
  EXPECT_EQ(result(divide_decimals, most, "0.1"), "none");
  EXPECT_EQ(result(integer_quotient, most, "0.1"), "none");
}

TEST(DecimalArithmetic, HoldsItsLaws) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 20'000; ++i) {
    const Decimal a = random_decimal(&random);
    const Decimal b = random_decimal(&random);
    Decimal sum, back, quotient, rest, product;
    if (add_decimals(a, b, &sum) && subtract_decimals(sum, b, &back)) {
      EXPECT_EQ(compare_decimals(a, back), 0);
    }
    EXPECT_EQ(compare_decimals(a, b), -compare_decimals(b, a));
    if (b.unscaled == 0) continue;
    // a = b × q + r, with r of a's sign and smaller than b.
    if (integer_quotient(a, b, &quotient) && decimal_remainder(a, b, &rest) &&
        multiply_decimals(b, quotient, &product) && add_decimals(product, rest, &back)) {
      EXPECT_EQ(compare_decimals(a, back), 0)
          << decimal_to_string(a) << " " << decimal_to_string(b);
    }
    ASSERT_TRUE(decimal_remainder(a, b, &rest));
    EXPECT_TRUE(rest.unscaled == 0 || (rest.unscaled < 0) == (a.unscaled < 0));
    const Decimal size_of_rest{rest.unscaled < 0 ? -rest.unscaled : rest.unscaled, rest.scale};
    const Decimal size_of_b{b.unscaled < 0 ? -b.unscaled : b.unscaled, b.scale};
    EXPECT_LT(compare_decimals(size_of_rest, size_of_b), 0);
  }
}

TEST(DecimalArithmetic, QuotientsAreTheNearest) {
  std::mt19937_64 random(13);
  for (int i = 0; i < 20'000; ++i) {
    const Decimal a{static_cast<int64_t>(random()) / 1000, static_cast<uint8_t>(random() % 6)};
    const Decimal b{static_cast<int64_t>(random() % 2'000'000) - 1'000'000,
                    static_cast<uint8_t>(random() % 6)};
    Decimal quotient, product, error, bound;
    if (b.unscaled == 0 || !divide_decimals(a, b, &quotient)) continue;
    ASSERT_TRUE(multiply_decimals(quotient, b, &product));
    ASSERT_TRUE(subtract_decimals(a, product, &error));
    // Twice the error is at most b units of the last digit.
    bound = {b.unscaled < 0 ? -b.unscaled : b.unscaled,
             static_cast<uint8_t>(b.scale + quotient.scale)};
    const __int128 twice = 2 * (error.unscaled < 0 ? -error.unscaled : error.unscaled);
    EXPECT_LE(compare_decimals({twice, error.scale}, bound), 0)
        << decimal_to_string(a) << " / " << decimal_to_string(b);
  }
}

TEST(DecimalRounding, OfEachKind) {
  const auto at = [](const std::string& text, int32_t scale, Rounding rounding) {
    Decimal out;
    return rescale(of(text), scale, rounding, &out) ? decimal_to_string(out) : "none";
  };
  constexpr auto kHalf = Rounding::kHalfAwayFromZero;
  EXPECT_EQ(at("2.5", 0, kHalf), "3");
  EXPECT_EQ(at("-2.5", 0, kHalf), "-3");
  EXPECT_EQ(at("2.45", 1, kHalf), "2.5");
  EXPECT_EQ(at("1.5", 3, kHalf), "1.500");
  EXPECT_EQ(at("1250", -2, kHalf), "1300");
  EXPECT_EQ(at("49", -2, kHalf), "0");
  EXPECT_EQ(at("50", -2, kHalf), "100");
  EXPECT_EQ(at("1", -60, kHalf), "0");
  EXPECT_EQ(at("-2.7", 0, Rounding::kTowardsZero), "-2");
  EXPECT_EQ(at("-2.1", 0, Rounding::kDown), "-3");
  EXPECT_EQ(at("2.9", 0, Rounding::kDown), "2");
  EXPECT_EQ(at("2.1", 0, Rounding::kUp), "3");
  EXPECT_EQ(at("-2.9", 0, Rounding::kUp), "-2");
  EXPECT_EQ(at(std::string(38, '9'), -1, kHalf), "none");
  EXPECT_EQ(at("1", 38, kHalf), "none");
}

TEST(DecimalConversions, OfDoublesAndIntegers) {
  EXPECT_EQ(decimal_to_double(of("0.1")), 0.1);
  EXPECT_EQ(decimal_to_double(of("12345678901234567890.123456789")),
            12345678901234567890.123456789);
  EXPECT_EQ(decimal_to_double(of("9007199254740993")), 9007199254740992.0);
  Decimal out;
  ASSERT_TRUE(decimal_of_double(0.1, &out));
  EXPECT_EQ(decimal_to_string(out), "0.1");
  ASSERT_TRUE(decimal_of_double(1.0 / 3, &out));
  EXPECT_EQ(decimal_to_string(out), "0.333333333333333");
  EXPECT_FALSE(decimal_of_double(std::nan(""), &out));
  EXPECT_FALSE(decimal_of_double(1e300, &out));
  int64_t whole = 0;
  ASSERT_TRUE(decimal_to_int(of("-2.5"), -10, 10, &whole));
  EXPECT_EQ(whole, -3);
  EXPECT_FALSE(decimal_to_int(of("10.5"), -10, 10, &whole));
  EXPECT_FALSE(decimal_to_int(of("9223372036854775808"), INT64_MIN, INT64_MAX, &whole));
}

}  // namespace
}  // namespace tidemill
