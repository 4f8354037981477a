// The deliberate bug kOrderDependentSum must be one that tests can notice, and must be gone when
// it is off.
#include "shared/base/mutation.h"

#include <gtest/gtest.h>

#include "shared/window/exact_sum.h"

namespace tidemill {
namespace {

double sum_of(std::initializer_list<double> values) {
  ExactSum total;
  for (const double x : values) {
    ExactSum part;
    part.add(x);
    total.merge(part);
  }
  return total.rounded();
}

TEST(OrderDependentSum, DependsOnTheOrderOnlyWhenSwitchedOn) {
  EXPECT_EQ(sum_of({1e16, 1.0, -1e16}), 1.0);
  EXPECT_EQ(sum_of({1e16, -1e16, 1.0}), 1.0);
  active_mutation = Mutation::kOrderDependentSum;
  EXPECT_EQ(sum_of({1e16, 1.0, -1e16}), 0.0);
  EXPECT_EQ(sum_of({1e16, -1e16, 1.0}), 1.0);
  ExactSum integers;
  integers.add_integer(7);
  EXPECT_EQ(integers.as_int64(), 7);
  active_mutation = Mutation::kNone;
}

}  // namespace
}  // namespace tidemill
