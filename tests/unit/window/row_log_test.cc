#include "shared/window/row_log.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "shared/window/window_read.h"
#include "tests/unit/window/any_seed.h"

namespace tidemill::testing {
namespace {

// A row log of one double column and its bookkeeping.
class Log {
 public:
  explicit Log(const TableSchema& schema = one_double()) : layout_(schema), base_(schema) {}
  ~Log() { log_.clear(context()); }

  void append(TimeUs time, double value) {
    RowBlockColumn column;
    column.type = ColumnType::kDouble;
    column.doubles = &value;
    log_.append(context(), {time, &column, 0, nullptr});
  }
  std::vector<std::pair<TimeUs, double>> rows() const {
    std::vector<RowRef> refs;
    log_.collect(context(), &refs);
    std::vector<std::pair<TimeUs, double>> out;
    for (const RowRef& r : refs) {
      out.emplace_back(r.chunk->time(r.row), layout_.doubles(*r.chunk, 0)[r.row]);
    }
    return out;
  }
  FeatureValue sum(TimeUs as_of, DurationUs window) {
    FeatureSpec feature;
    feature.function = Function::kSum;
    feature.column = 0;
    feature.window = window;
    return read(feature, as_of);
  }
  FeatureValue read(const FeatureSpec& feature, TimeUs as_of) {
    const FeatureSpec* features[] = {&feature};
    std::vector<FeatureValue> out;
    reader_.read(context(), &log_, features, as_of, &registry_, &out);
    return out[0];
  }
  void free_before(TimeUs limit) {
    limit_ = limit;
    log_.free_expired(context());
  }
  void clear() { log_.clear(context()); }
  const WindowStats& stats() const { return stats_; }
  const RowLog& log() const { return log_; }
  LogContext context() const {
    return {layout_, limit_, &stats_, base_.empty() ? nullptr : &base_};
  }
  static TableSchema one_double() {
    TableSchema out;
    out.columns = {ColumnType::kDouble};
    return out;
  }

 private:
  ChunkLayout layout_;
  BasePlan base_;
  TimeUs limit_ = kMinTime;
  mutable WindowStats stats_;
  RowLog log_;
  InputRegistry registry_;
  WindowReader reader_;
};

// Of all time codes, of rows that came in order and of others.
RC_GTEST_PROP(Chunk, ATimeMaskHasTheRowsOfItsTimes, ()) {
  const auto span = *rc::gen::element<int64_t>(
      3, 3'000, 3'000'000, 5'000'000'000, 1'000'000'000'000, int64_t{1} << 48, int64_t{1} << 60);
  const bool in_order = *rc::gen::arbitrary<bool>();
  auto times = *rc::gen::container<std::vector<TimeUs>>(rc::gen::inRange<int64_t>(-span, span));
  times.resize(std::min<size_t>(times.size(), kChunkRows - 1));
  RC_PRE(!times.empty());
  if (in_order) std::sort(times.begin(), times.end());
  Log log;
  for (const TimeUs t : times) log.append(t, 1);
  const Chunk& chunk = *log.log().tail();
  for (int i = 0; i < 20; ++i) {
    const TimeUs first = i == 0 ? kMinTime : *rc::gen::inRange<int64_t>(-span - 1, span + 1);
    const TimeUs last = i == 1 ? kMaxTime : *rc::gen::inRange<int64_t>(-span - 1, span + 1);
    uint64_t expected = 0;
    for (uint32_t row = 0; row < times.size(); ++row) {
      RC_ASSERT(chunk.time(row) == times[row]);
      if (first <= times[row] && times[row] <= last) expected |= uint64_t{1} << row;
    }
    RC_ASSERT(ChunkLayout::time_mask(chunk, first, last) == expected);
  }
}

TEST(RowLog, CountsFullAndRecutChunks) {
  Log log;
  for (int i = 0; i < 64 * 3 + 10; ++i) log.append(i * 1000, i);
  EXPECT_EQ(log.stats().full_chunks, 3u);
  EXPECT_EQ(log.stats().recut_chunks, 0u);
  // Two late rows into the first chunk; they go there when the tail is full.
  log.append(500, -1);
  log.append(1500, -2);
  EXPECT_EQ(log.stats().recut_chunks, 0u);
  for (int i = 0; i < 52; ++i) log.append((202 + i) * 1000, i);
  EXPECT_EQ(log.stats().full_chunks, 4u);
  EXPECT_EQ(log.stats().recut_chunks, 1u);
  EXPECT_EQ(log.log().tail(), nullptr) << "62 rows were left: a chunk of their own";
  EXPECT_EQ(log.stats().rows, 256u);
  const auto rows = log.rows();
  ASSERT_EQ(rows.size(), 256u);
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
}

TEST(RowLog, FewRowsLeftStayInTheTail) {
  Log log;
  for (int i = 0; i < 64; ++i) log.append(i * 1000, i);
  for (int i = 0; i < 60; ++i) log.append(i, i);
  for (int i = 64; i < 68; ++i) log.append(i * 1000, i);
  EXPECT_EQ(log.stats().recut_chunks, 1u);
  ASSERT_NE(log.log().tail(), nullptr);
  EXPECT_EQ(log.log().tail()->rows, 4);
  EXPECT_EQ(log.rows().size(), 128u);
}

TEST(RowLog, AKeyOfSixtyRowsTakesLessThanAKilobyte) {
  Log log;
  for (int i = 0; i < 60; ++i) log.append(1'522'540'800'000'000 + i * 7'000'000, i);
  EXPECT_LE(log.stats().bytes, 1000u);
  EXPECT_EQ(log.log().tail()->code, TimeCode::kSeconds);
}

TEST(RowLog, SixtyRowsAtAnyMicrosecondTakeAsMuch) {
  Log log;
  for (int i = 0; i < 60; ++i) log.append(1'522'540'800'000'000 + i * 43'200'000'001, i);
  EXPECT_LE(log.stats().bytes, 1000u);
  EXPECT_EQ(log.log().tail()->code, TimeCode::kMicros48);
}

TEST(RowLog, TimesTakeTheLargestUnitThatFits) {
  const struct {
    std::vector<TimeUs> times;
    TimeCode code;
  } table[] = {
      {{5'000'000, 9'000'000}, TimeCode::kSeconds},
      {{5'000'123, 9'000'123}, TimeCode::kSeconds},
      {{5'000'000, 9'001'000}, TimeCode::kMillis},
      {{5'000'000, 9'000'001}, TimeCode::kMicros},
      {{9'000'000, 5'000'000, 5'001'000}, TimeCode::kMillis},
      {{0, 1, 5'000'000'000}, TimeCode::kMicros48},
      {{5'000'000'000, 1, 0, 9'000'000'000'001}, TimeCode::kMicros48},
      {{0, 1, 281'474'976'710'655}, TimeCode::kMicros48},
      {{281'474'976'710'655, 1, 0}, TimeCode::kMicros48},
      {{0, 1, 281'474'976'710'656}, TimeCode::kRaw},
      {{0, 5'000'000'001, 281'474'976'710'656}, TimeCode::kRaw},
      {{0, 5'000'000'001, -281'474'976'710'656}, TimeCode::kRaw},
      {{0, 5'000'000'001, kMaxTime}, TimeCode::kRaw},
      {{0, 4'294'967'295}, TimeCode::kMicros},
      {{0, 4'294'967'295'000'000}, TimeCode::kSeconds},
      {{0, 4'294'967'296'000'000}, TimeCode::kRaw},
      {{kMinTime, kMaxTime, 0}, TimeCode::kRaw},
      {{kMaxTime, kMinTime}, TimeCode::kRaw},
  };
  for (const auto& row : table) {
    Log log;
    for (const TimeUs t : row.times) log.append(t, 1);
    EXPECT_EQ(static_cast<int>(log.log().tail()->code), static_cast<int>(row.code));
    std::vector<TimeUs> expected = row.times, actual;
    std::sort(expected.begin(), expected.end());
    for (const auto& [time, value] : log.rows()) actual.push_back(time);
    EXPECT_EQ(actual, expected);
  }
}

TEST(RowLog, FreesWholeChunksAndHalvesOfTails) {
  Log log;
  for (int i = 0; i < 64 * 4 + 40; ++i) log.append(i, i);
  log.free_before(64 * 2 + 1);
  EXPECT_EQ(log.stats().freed_rows, 128u);
  EXPECT_EQ(log.rows().size(), 64u * 2 - 1 + 40) << "freed or not, what is below is not shown";
  log.free_before(64 * 4 + 10);
  EXPECT_EQ(log.stats().freed_rows, 256u);
  log.free_before(64 * 4 + 20);
  EXPECT_EQ(log.stats().freed_rows, 256u + 20);
  log.free_before(1000);
  EXPECT_TRUE(log.log().empty());
  EXPECT_EQ(log.stats().rows, 0u);
  EXPECT_EQ(log.stats().bytes, 0u);
}

TEST(RowLog, ACappedKeyStaysSmallWhenItsRowsExpire) {
  Log log;
  for (int i = 0; i < 10'000; ++i) {
    log.append(i, i);
    log.free_before(i - 30);
  }
  EXPECT_LE(log.stats().rows, 96u);
}

// Many chunks in many groups, rows in any order, reads in between: never a row lost, caches never
// stale, and the books balance.
RC_GTEST_PROP(RowLog, KeepsAllRowsInOrderAndItsBooks, ()) {
  Log log;
  std::vector<std::pair<TimeUs, double>> model;
  const auto seed = any_seed();
  const auto count = *rc::gen::inRange<size_t>(1, 20'000);
  const auto late_percent = *rc::gen::element<uint64_t>(0, 1, 20, 100);
  uint64_t x = seed | 1;
  const auto next = [&x](uint64_t n) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % n;
  };
  for (size_t i = 0; i < count; ++i) {
    const bool late = next(100) < late_percent;
    const auto time = static_cast<TimeUs>(late ? next(i + 1) : i);
    log.append(time, static_cast<double>(i));
    model.emplace_back(time, static_cast<double>(i));
    if (next(500) == 0) {
      const auto from = static_cast<TimeUs>(next(i + 1));
      double sum = 0;
      bool any = false;
      for (const auto& [t, value] : model) {
        if (t <= from) continue;
        sum += value;  // integers below 2^53: exact
        any = true;
      }
      const FeatureValue expected = any ? FeatureValue(sum) : FeatureValue();
      RC_ASSERT(log.sum(static_cast<TimeUs>(count), static_cast<TimeUs>(count) - from) == expected);
    }
  }
  std::sort(model.begin(), model.end());
  RC_ASSERT(log.rows() == model);
  RC_ASSERT(log.log().row_count() == count);
  RC_ASSERT(log.stats().rows == count);
  log.clear();
  RC_ASSERT(log.stats().rows == 0u);
  RC_ASSERT(log.stats().bytes == 0u);
  RC_ASSERT(log.stats().bytes.of_chunks() == 0u);
}

// With everything that a log can allocate: caches of all kinds and a base with sets and rows.
RC_GTEST_PROP(RowLog, KeepsItsBooksWhileItFolds, ()) {
  TableSchema schema = Log::one_double();
  for (int function = 1; function <= 18; ++function) {
    FeatureSpec feature;
    feature.function = static_cast<Function>(function);
    feature.column = 0;
    feature.n = 7;
    feature.order = {0};
    feature.type = ColumnType::kDouble;
    feature.lifetime = true;
    schema.lifetime.push_back(feature);
  }
  Log log(schema);
  const auto count = *rc::gen::inRange<TimeUs>(1, 10'000);
  const auto kept = *rc::gen::element<TimeUs>(10, 300, 5'000);
  auto x = any_seed() | 1;
  for (TimeUs i = 0; i < count; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    const TimeUs late = x % 10 == 0 ? static_cast<TimeUs>(x >> 40) % 6'000 : 0;
    const double value = x % 50 == 1 ? std::ldexp(1.0, static_cast<int>(x >> 20) % 1000) : 1.5;
    log.append(i - late, x % 3 == 0 ? static_cast<double>(x % 100) : value);
    if (i % 100 == 0) log.free_before(i - kept);
    if (i % 500 == 0) {
      for (const FeatureSpec& feature : schema.lifetime) log.read(feature, i);
    }
  }
  RC_ASSERT(log.stats().rows + log.stats().freed_rows == static_cast<uint64_t>(count));
  RC_ASSERT(log.read(schema.lifetime[0], count) == FeatureValue(count));
  log.clear();
  RC_ASSERT(log.stats().rows == 0u);
  RC_ASSERT(log.stats().bytes == 0u);
  RC_ASSERT(log.stats().bytes.of_chunks() == 0u);
}

}  // namespace
}  // namespace tidemill::testing
