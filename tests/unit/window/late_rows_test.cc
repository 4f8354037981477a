#include "shared/window/late_rows.h"

#include <gtest/gtest.h>

#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

using Counts = std::vector<uint64_t>;

void count(LateRows* late, const TableSchema& schema, TimeUs t, bool first, bool second) {
  const Row row{
      t, {1.0, int64_t{1}, int64_t{1}, true, std::string("x"), int64_t{1}}, {first, second}};
  const auto bytes = encode_block(0, schema, keyed({row}, "a", schema));
  late->count(*RowBlockView::parse(bytes), 5000);
}

// A row of a view is too late for it once it is older than all the view's windows reach, whether
// another view of the table still wants it or not.
TEST(LateRows, AreCountedByView) {
  TableSchema schema = every_type_schema(1000);
  schema.views = {{2, 1000, false, {}}, {0, 100, false, {0}}, {3, 100, false, {0, 1}}};
  LateRows late(std::make_shared<const std::vector<TableSchema>>(std::vector{schema}));
  count(&late, schema, 4900, true, true);  // in time for all
  EXPECT_EQ(late.by_view(), (Counts{0, 0, 0, 0}));
  count(&late, schema, 4899, true, false);
  EXPECT_EQ(late.by_view(), (Counts{1, 0, 0, 1}));
  count(&late, schema, 4000, false, true);
  EXPECT_EQ(late.by_view(), (Counts{1, 0, 0, 2}));
  EXPECT_EQ(late.dropped(), 0u);
  count(&late, schema, 3999, false, false);
  EXPECT_EQ(late.by_view(), (Counts{1, 0, 1, 2}));
  EXPECT_EQ(late.dropped(), 1u);
}

// Tiles are kept as a whole: a row that comes too late for a view may still be added to one.
TEST(LateRows, OfATileThatIsKeptAreNotDropped) {
  TableSchema schema = every_type_schema(1000);
  TileBound bound;
  bound.max_rows = 64;
  bound.tile_shift = 9;  // [3584, 4096)
  bound.max_leaves = 4;
  schema.bound = std::make_shared<const TileBound>(bound);
  schema.views = {{0, 1000, false, {}}};
  LateRows late(std::make_shared<const std::vector<TableSchema>>(std::vector{schema}));
  count(&late, schema, 3584, true, true);
  EXPECT_EQ(late.by_view(), (Counts{1}));
  EXPECT_EQ(late.dropped(), 0u);
  count(&late, schema, 3583, true, true);
  EXPECT_EQ(late.dropped(), 1u);
}

TEST(LateRows, NothingIsForAViewWithALifetimeWindow) {
  TableSchema schema = every_type_schema(1000);
  Random random(1);
  schema.lifetime = random_lifetime_features(1, schema, &random);
  schema.views = {{0, 100, true, {}}, {1, 1000, false, {}}};
  LateRows late(std::make_shared<const std::vector<TableSchema>>(std::vector{schema}));
  count(&late, schema, 10, true, true);
  EXPECT_EQ(late.by_view(), (Counts{0, 1}));
  EXPECT_EQ(late.dropped(), 0u);
}

TEST(LateRows, GoOnFromWhatWasCountedBefore) {
  TableSchema schema = every_type_schema(1000);
  schema.views = {{0, 1000, false, {}}, {1, 1000, false, {}}};
  LateRows late(std::make_shared<const std::vector<TableSchema>>(std::vector{schema}));
  late.restore(7, {3});
  count(&late, schema, 10, true, true);
  EXPECT_EQ(late.dropped(), 8u);
  EXPECT_EQ(late.by_view(), (Counts{4, 1}));
}

}  // namespace
}  // namespace tidemill::testing
