// Tables of a changed job go on getting the rows that they got, whatever views are left over them.
#include <gtest/gtest.h>

#include "shared/evolution/evolution.h"
#include "shared/plan/table_layout.h"
#include "tests/unit/evolution/definitions.h"

namespace tidemill {
namespace {

using test::brief;
using test::compile;
using test::with_views;

Evolution changed(const std::string& running, const std::string& wanted) {
  return evolve(*test::run(compile(running)), compile(wanted));
}

TEST(TablesStay, ATableWithoutViewsGoesOn) {
  const std::string running = with_views(R"(
  a: {source: tx, entity: [customer_id], aggregations: [{function: count, windows: [1h]}]}
  b: {source: tx, entity: [terminal_id], aggregations: [{function: count, windows: [1h]}]}
)");
  const std::string one = with_views(R"(
  a: {source: tx, entity: [customer_id], aggregations: [{function: count, windows: [1h]}]}
)");
  const Evolution out = changed(running, one);
  ASSERT_NE(out.plan, nullptr);
  EXPECT_EQ(out.plan->tables()->size(), 2u);
  EXPECT_EQ(rows_kept(out.plan->proto(), 1), RowsKept::kAll);
  const Evolution back = evolve(*out.plan, compile(running));
  EXPECT_EQ(brief(back.differences), "views.b: added\nviews.b.count_1h: added\n");
  ASSERT_NE(back.plan, nullptr);
  EXPECT_EQ(back.plan->view("b")->table, 1u);
}

// However few features are left.
TEST(TablesStay, ATableIsFedAsBefore) {
  const std::string all = with_views(R"(
  a: {source: tx, entity: [customer_id], aggregations: [{function: count, windows: [1h]}, {name: frauds, function: count, where: is_fraud, windows: [1h]}]}
)");
  const std::string some = with_views(R"(
  a: {source: tx, entity: [customer_id], aggregations: [{name: frauds, function: count, where: is_fraud, windows: [1h]}]}
)");
  const Evolution fewer = changed(all, some);
  ASSERT_NE(fewer.plan, nullptr);
  EXPECT_EQ(rows_kept(fewer.plan->proto(), 0), RowsKept::kAll);
  EXPECT_EQ(brief(evolve(*fewer.plan, compile(all)).differences), "views.a.count_1h: added\n");
  const Evolution passing = changed(some, some);
  ASSERT_NE(passing.plan, nullptr);
  EXPECT_EQ(rows_kept(passing.plan->proto(), 0), RowsKept::kPassing);
}

TEST(TablesStay, ADeduplicatedViewThatIsGoneCanComeBack) {
  const auto view = [](const std::string& name, const std::string& by) {
    return "  " + name + ": {source: tx, entity: [customer_id], deduplicate: {by: [" + by +
           "], within: 1h}, aggregations: [{function: count, windows: [1h]}]}\n";
  };
  const std::string plain =
      "  p: {source: tx, entity: [customer_id], aggregations: [{function: count, windows: "
      "[1h]}]}\n";
  const auto running = test::run(compile(with_views(plain + view("d", "transaction_id"))));
  const uint32_t table = running->view("d")->table;
  const Evolution gone = evolve(*running, compile(with_views(plain)));
  ASSERT_NE(gone.plan, nullptr) << brief(gone.differences);
  EXPECT_NE((*gone.plan->tables())[table].deduplication, nullptr) << "which rows count";
  const Evolution back =
      evolve(*gone.plan, compile(with_views(plain + view("e", "transaction_id"))));
  ASSERT_NE(back.plan, nullptr) << brief(back.differences);
  EXPECT_EQ(back.plan->view("e")->table, table);
  const Evolution other = evolve(*gone.plan, compile(with_views(plain + view("e", "terminal_id"))));
  ASSERT_NE(other.plan, nullptr) << brief(other.differences);
  EXPECT_NE(other.plan->view("e")->table, table);
}

}  // namespace
}  // namespace tidemill
