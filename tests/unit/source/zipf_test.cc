#include "shared/source/zipf.h"

#include <gtest/gtest.h>

#include <cmath>

#include "shared/source/exact_math.h"

namespace tidemill {
namespace {

// Shares of evenly spread hashes, against sums by libm.
TEST(ZipfTable, RanksHaveTheirProbability) {
  constexpr uint64_t kDraws = 1 << 20;
  for (const double exponent : {0.5, 1.0, 1.5}) {
    constexpr uint64_t kRanks = 100'000;
    const ZipfTable table(kRanks, exponent);
    std::vector<uint64_t> drawn(kRanks + 1);
    for (uint64_t i = 0; i < kDraws; ++i) {
      const uint64_t rank = table.rank(i << 44, i * 0x9E3779B97F4A7C15);
      ASSERT_GE(rank, 1U);
      ASSERT_LE(rank, kRanks);
      ++drawn[rank];
    }
    double total = 0;
    for (uint64_t k = 1; k <= kRanks; ++k) total += std::pow(k, -exponent);
    double expected = 0;
    uint64_t got = 0;
    for (uint64_t k = 1; k <= kRanks; ++k) {
      expected += std::pow(k, -exponent) / total;
      got += drawn[k];
      if (k != 1 && k != 10 && k != 1000 && k != 4096 && k != 20'000 && k != kRanks) continue;
      EXPECT_NEAR(static_cast<double>(got) / kDraws, expected, 0.002) << exponent << " " << k;
    }
  }
}

TEST(ZipfTable, ExponentZeroIsUniformAndOneRankIsAlone) {
  const ZipfTable uniform(10, 0);
  std::vector<int> drawn(11);
  for (uint64_t i = 0; i < 10'000; ++i) ++drawn[uniform.rank(i, i * (UINT64_MAX / 10'000))];
  for (size_t k = 1; k <= 10; ++k) EXPECT_NEAR(drawn[k], 1000, 2);
  const ZipfTable one(1, 2);
  EXPECT_EQ(one.rank(0, 0), 1U);
  EXPECT_EQ(one.rank(UINT64_MAX, UINT64_MAX), 1U);
}

TEST(ZipfTable, ManyRanksStayInRange) {
  const ZipfTable table(uint64_t{1} << 32, 0.9);
  EXPECT_EQ(table.rank(0, 0), 1U);
  EXPECT_EQ(table.rank(UINT64_MAX, UINT64_MAX), uint64_t{1} << 32);
}

TEST(ExactPow, IsNearLibmAndPinned) {
  for (const double base : {1.0, 2.0, 3.0, 10.0, 12345.0, 4294967296.0, 0.3}) {
    for (const double exponent : {0.0, -0.5, -1.0, -1.7, 3.2, -10.0}) {
      EXPECT_NEAR(exact_pow(base, exponent) / std::pow(base, exponent), 1, 1e-12)
          << base << "^" << exponent;
    }
  }
  // The same bits on every machine.
  EXPECT_EQ(exact_pow(3, -1.1), 0x1.31d20b7a1eedp-2);
}

}  // namespace
}  // namespace tidemill
