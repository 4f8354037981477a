// Once an evaluator has seen a batch of a size, another of that size allocates nothing.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "shared/expr/evaluator.h"
#include "shared/expr/parser.h"

namespace {
size_t allocations = 0;
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* at = std::malloc(size); at != nullptr) return at;
  throw std::bad_alloc();
}
void operator delete(void* at) noexcept { std::free(at); }
void operator delete(void* at, size_t) noexcept { std::free(at); }

namespace tidemill {
namespace {

TEST(Evaluator, AllocatesNothingOnceWarm) {
  constexpr size_t kRows = 1000;
  EventBatch batch;
  batch.columns.resize(2);
  batch.columns[0].type = ColumnType::kDouble;
  batch.columns[1].type = ColumnType::kTimestamp;
  for (size_t i = 0; i < kRows; ++i) {
    batch.offsets.push_back(i);
    for (Column& column : batch.columns) column.nulls.push_back(i % 7 == 0);
    batch.columns[0].doubles.push_back(static_cast<double>(i) * 0.37);
    batch.columns[1].ints.push_back(static_cast<int64_t>(i) * 1'234'567'891);
  }
  const std::vector<NamedColumn> schema = {{"d", proto::DOUBLE}, {"t", proto::TIMESTAMP}};
  for (const char* text : {"d", "d > 5 and (d < 300 or t is null) and not d = 7",
                           "(d * 2 + 1) / 3 - -d", "cast(d as int64) % 5",
                           "cast(d as string) < 'a string longer than a small one' and "
                           "cast(t as string) > '1970'",
                           "cast(cast(d as string) as double)"}) {
    Result<Evaluator> evaluator = Evaluator::compile(*parse_expression(text, schema),
                                                     {ColumnType::kDouble, ColumnType::kTimestamp});
    ASSERT_TRUE(evaluator.ok());
    std::vector<RowError> errors;
    evaluator->evaluate(batch, &errors);
    const size_t before = allocations;
    evaluator->evaluate(batch, &errors);
    EXPECT_EQ(allocations - before, 0u) << text;
    EXPECT_TRUE(errors.empty());
  }
}

}  // namespace
}  // namespace tidemill
