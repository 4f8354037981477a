#include "shared/expr/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidemill {
namespace {

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("abc", "abc"), 0u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("amuont", "amount"), 1u);  // a swap
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Suggest, FindsTheNearestIfItIsNear) {
  const std::vector<std::string> known = {"customer_id", "amount", "a"};
  EXPECT_EQ(nearest("customerid", known), "customer_id");
  EXPECT_EQ(nearest("AMOUNT", known), "amount");
  EXPECT_EQ(nearest("total", known), "");
  EXPECT_EQ(nearest("b", known), "");
  EXPECT_EQ(suggestion("amont", known), "; did you mean 'amount'?");
  EXPECT_EQ(suggestion("total", known), "; known are customer_id, amount and a");
  EXPECT_EQ(suggestion("total", {}), "");
}

}  // namespace
}  // namespace tidemill
