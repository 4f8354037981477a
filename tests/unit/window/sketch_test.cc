// Sketches by themselves: worked examples, and that they do not depend on the order in which values
// came, nor on how they were merged or stored in between.
#include "shared/window/sketch.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "shared/window/decay.h"
#include "shared/window/distinct_hashes.h"
#include "tests/unit/window/any_seed.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

std::vector<uint8_t> bytes_of(Sketch sketch, ColumnType type) {
  sketch.finish();
  ByteWriter out;
  sketch.encode(type, &out);
  return out.take();
}

// Chunks that hold random rows of a column, few of them equal.
class Chunks {
 public:
  Chunks(ColumnType type, size_t rows, Random* random)
      : schema_(schema_of(type)), layout_(schema_) {
    for (const Row& row :
         random_rows(rows, {2, static_cast<int>((*random)() % 3)}, schema_, random)) {
      const auto block = encode_block(0, schema_, keyed({row}, "k", schema_));
      const auto view = RowBlockView::parse(block);
      if (chunks_.empty() || chunks_.back()->rows == 1 + (*random)() % kChunkRows ||
          chunks_.back()->rows == kChunkRows) {
        chunks_.push_back(nullptr);
      }
      const RowBlockColumn column = view->columns()[0];
      layout_.push(&chunks_.back(), {row.time, &column, 0, nullptr}, &bytes_);
    }
  }
  ~Chunks() {
    for (Chunk* chunk : chunks_) ChunkLayout::free(chunk, &bytes_);
  }
  Chunks(const Chunks&) = delete;
  Chunks& operator=(const Chunks&) = delete;

  // All rows, in chunks and parts of any order, some of which were stored.
  Sketch sketch(const CollectionSpec& spec, Random* random) const {
    std::vector<Sketch> parts;
    parts.emplace_back(spec);
    std::vector<const Chunk*> order(chunks_.begin(), chunks_.end());
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[(*random)() % i]);
    for (const Chunk* chunk : order) {
      if ((*random)() % 4 == 0) parts.emplace_back(spec);
      const uint64_t some = (*random)();
      parts.back().add_rows(layout_, *chunk, all_rows(*chunk) & some, 0);
      parts[(*random)() % parts.size()].add_rows(layout_, *chunk, all_rows(*chunk) & ~some, 0);
    }
    Sketch out(spec);
    for (Sketch& part : parts) {
      if ((*random)() % 2 == 0) part = stored(std::move(part), spec);
      out.merge(part);
    }
    return out;
  }

 private:
  static TableSchema schema_of(ColumnType type) {
    TableSchema schema = one_double_schema(kMaxTime);
    schema.columns = {type};
    return schema;
  }
  Sketch stored(Sketch part, const CollectionSpec& spec) const {
    const auto bytes = bytes_of(std::move(part), schema_.columns[0]);
    Sketch out(spec);
    ByteReader in(bytes);
    RC_ASSERT(out.decode(schema_.columns[0], &in));
    RC_ASSERT(in.remaining() == 0u);
    return out;
  }

  TableSchema schema_;
  ChunkLayout layout_;
  std::vector<Chunk*> chunks_;
  StateBytes bytes_;
};

// By the column itself.
CollectionSpec grouped(CollectionSpec spec, Random* random) {
  spec.by = 0;
  spec.max_groups = static_cast<uint32_t>(1 + (*random)() % 200);
  return spec;
}

RC_GTEST_PROP(Sketches, DependOnTheValuesAlone, ()) {
  Random random(any_seed());
  constexpr ColumnType kTypes[] = {ColumnType::kDouble, ColumnType::kInt64, ColumnType::kInt32,
                                   ColumnType::kString, ColumnType::kBool};
  const ColumnType type = kTypes[random() % std::size(kTypes)];
  const Chunks chunks(type, 1 + random() % 700, &random);
  std::vector<CollectionSpec> specs;
  specs.push_back(
      {CollectionKind::kCounts, 0, -1, static_cast<uint32_t>(1 + random() % 200), 0, {}});
  specs.push_back(
      {CollectionKind::kRegisters, 0, -1, static_cast<uint32_t>(4 + random() % 13), 0, {}});
  if (type != ColumnType::kString && type != ColumnType::kBool) {
    specs.push_back({CollectionKind::kBuckets,
                     0,
                     -1,
                     static_cast<uint32_t>(16 + random() % 100),
                     static_cast<uint32_t>(3 + random() % 498),
                     {}});
  }
  if (type != ColumnType::kDouble) {
    for (CollectionSpec spec : std::vector(specs.begin() + 1, specs.end())) {
      specs.push_back(grouped(spec, &random));
    }
    specs.push_back(grouped({CollectionKind::kHashes, 0, -1, 16, 0, {}}, &random));
    CollectionSpec numbers{CollectionKind::kNumbers, 0, -1, 1, 0, {}};
    numbers.families = kCounts | kSums | kSquares | kExtremes | kCubes;
    specs.push_back(grouped(numbers, &random));
  }
  for (const CollectionSpec& spec : specs) {
    const auto expected = bytes_of(chunks.sketch(spec, &random), type);
    for (int i = 0; i < 3; ++i) {
      RC_ASSERT(bytes_of(chunks.sketch(spec, &random), type) == expected);
    }
  }
}

TEST(PercentileSketch, IsWithinItsAccuracyUntilItCollapses) {
  PercentileSketch sketch(buckets_per_octave(10'000), 1024);
  for (int64_t x = 1; x <= 1000; ++x) sketch.add(x);
  sketch.finish();
  EXPECT_EQ(sketch.collapses(), 0);
  for (const auto& [percentile, exact] : std::vector<std::pair<uint32_t, double>>{
           {0, 1}, {500'000, 500}, {990'000, 990}, {1'000'000, 1000}}) {
    EXPECT_NEAR(sketch.at(percentile), exact, 0.01 * exact);
  }
  EXPECT_EQ(buckets_per_octave(10'000), 50u);
  EXPECT_EQ(buckets_per_octave(200'000), 2u);
}

TEST(PercentileSketch, OrdersSignsZeroAndWhatIsNotFinite) {
  PercentileSketch sketch(50, 1024);
  constexpr double kInf = std::numeric_limits<double>::infinity();
  for (const double x : {kInf, -kInf, std::nan(""), -0.0, 4.0, -4.0, -1.0}) sketch.add(x);
  sketch.finish();
  const auto at = [&](uint32_t rank) { return sketch.at((rank * 1'000'000 + 5) / 6); };
  EXPECT_EQ(at(0), -kInf);
  EXPECT_NEAR(at(1), -4, 0.04);
  EXPECT_NEAR(at(2), -1, 0.01);
  EXPECT_EQ(at(3), 0.0);
  EXPECT_NEAR(at(4), 4, 0.04);
  EXPECT_EQ(at(5), kInf);
  EXPECT_TRUE(std::isnan(at(6)));
}

TEST(PercentileSketch, CollapsesToTheWholeRangeOfDoubles) {
  PercentileSketch sketch(500, 16);
  const double largest = std::numeric_limits<double>::max();
  for (int e = -1074; e < 1024; ++e) sketch.add(std::ldexp(1.0, e));
  sketch.add(largest);
  sketch.finish();
  EXPECT_LE(sketch.size(), 16u);
  EXPECT_GT(sketch.at(1'000'000), 1.0);
  EXPECT_LE(sketch.at(1'000'000), largest);
  EXPECT_GE(sketch.at(0), 0.0);
}

TEST(HyperLogLog, IsCloseAndExactForFew) {
  for (const uint32_t precision : {4u, 12u, 16u}) {
    HyperLogLog registers(precision);
    registers.finish();
    EXPECT_EQ(registers.count(), 0);
  }
  HyperLogLog registers(14);
  for (int64_t n = 1; n <= 100'000; ++n) {
    registers.add(hash_of_number(n));
    if (n != 1 && n != 10 && n != 1000 && n != 100'000) continue;
    HyperLogLog copy = registers;
    copy.finish();
    EXPECT_NEAR(static_cast<double>(copy.count()), static_cast<double>(n), 0.02 * double(n));
  }
}

RC_GTEST_PROP(Decay, FactorsAreThoseOfTheSlowWay, ()) {
  const auto length = *rc::gen::inRange<uint64_t>(2, uint64_t{1} << 42);
  const auto r = *rc::gen::inRange<uint64_t>(1, length);
  uint64_t factor = 0;
  RC_ASSERT(growth_factor(r, length, &factor));
  RC_ASSERT(factor == growth_factor_slowly(r, length));
}

TEST(Decay, SplitsTimesIntoWholeHalfLivesAndARest) {
  EXPECT_EQ(growth_at(0, 10).factor, uint64_t{1} << 63);
  EXPECT_EQ(growth_at(0, 10).exponent, -63);
  EXPECT_EQ(growth_at(-10, 10).exponent, -64);
  EXPECT_EQ(growth_at(-10, 10).factor, uint64_t{1} << 63);
  // √2 × 2^63, to the nearest.
  EXPECT_EQ(growth_at(5, 10).factor, 0xb504f333f9de6484u);
  EXPECT_EQ(growth_at(-5, 10).factor, 0xb504f333f9de6484u);
  EXPECT_EQ(growth_at(-5, 10).exponent, -64);
  const Growth end = growth_at((int64_t{1} << 62) - 1, int64_t{1} << 62);
  EXPECT_TRUE(end.factor == uint64_t{1} << 63 ? end.exponent == -62 : end.factor > UINT64_MAX - 8);
}

}  // namespace
}  // namespace tidemill::testing
