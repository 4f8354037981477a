// What becomes of a running job's views.
#include "shared/evolution/evolution.h"

#include <gtest/gtest.h>

#include "shared/evolution/definition_text.h"
#include "tests/unit/evolution/definitions.h"

namespace tidemill {
namespace {

using test::brief;
using test::compile;
using test::with_views;

const std::string kRunning = with_views(R"(
  customer:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h, 7d]}
      - {function: sum, column: amount, windows: [1d]}
      - {name: frauds, function: count, where: is_fraud, windows: [1d]}
)");

// A running job and a new definition's views in place of its own.
Evolution changed(const std::string& running, const std::string& wanted) {
  return evolve(*test::run(compile(running)), compile(wanted));
}

const proto::Feature* feature(const Plan& plan, const std::string& view, const std::string& name) {
  for (const proto::View& v : plan.proto().views()) {
    for (const proto::Feature& f : v.features()) {
      if (v.name() == view && f.name() == name) return &f;
    }
  }
  return nullptr;
}

std::string meaning(const Plan& plan, const std::string& view, const std::string& name) {
  const proto::Feature* found = feature(plan, view, name);
  if (found == nullptr) return "";
  uint16_t number = 0;
  for (const FeatureSpec& spec : plan.view(view)->features) {
    if (spec.name == name) number = spec.table;
  }
  return difference_text({}, feature_text(plan.proto().tables(number), *found));
}

TEST(Evolution, TheSameDefinitionIsNoDifference) {
  const Evolution out = changed(kRunning, kRunning);
  EXPECT_EQ(brief(out.differences), "");
  ASSERT_NE(out.plan, nullptr);
  EXPECT_EQ(out.plan->proto().revision(), 1u);
}

TEST(Evolution, AFeatureOverKeptRowsIsThereAtOnce) {
  const Evolution out = changed(kRunning, with_views(R"(
  customer:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: mean, column: amount, where: is_fraud, windows: [6d], offset: 1d, closed: left}
      - {function: count, windows: [1h, 7d]}
      - {function: sum, column: amount, windows: [1d]}
      - {name: frauds, function: count, where: is_fraud, windows: [1d]}
)"));
  EXPECT_EQ(brief(out.differences), "views.customer.amount_mean_6d: added\n");
  ASSERT_NE(out.plan, nullptr);
  EXPECT_EQ(meaning(*out.plan, "customer", "amount_mean_6d"),
            "function: none -> mean, column: none -> amount, where: none -> is_fraud, "
            "window: none -> 6d, offset: none -> 1d, closed: none -> left, default: none -> null");
}

TEST(Evolution, TablesStayAsTheyAre) {
  const auto running = test::run(compile(kRunning));
  const Evolution out = evolve(*running, compile(with_views(R"(
  customer:
    source: tx
    entity: [customer_id]
    aggregations: [{function: count, windows: [1h]}]
)")));
  EXPECT_EQ(brief(out.differences),
            "views.customer.count_7d: removed\n"
            "views.customer.amount_sum_1d: removed\n"
            "views.customer.frauds_1d: removed\n"
            "views.customer.order_by: amount -> \n");
  ASSERT_NE(out.plan, nullptr);
  proto::Table table = out.plan->proto().tables(0);
  EXPECT_EQ(table.fed(), proto::Table::FED_ALL);
  table.clear_fed();
  EXPECT_EQ(table.SerializeAsString(), running->proto().tables(0).SerializeAsString());
  EXPECT_EQ(schema_hash(*out.plan->tables()), schema_hash(*running->tables()));
  // And what was removed can come back.
  const Evolution back = evolve(*out.plan, compile(kRunning));
  EXPECT_EQ(brief(back.differences),
            "views.customer.count_7d: added\n"
            "views.customer.amount_sum_1d: added\n"
            "views.customer.frauds_1d: added\n"
            "views.customer.order_by:  -> amount\n");
  ASSERT_NE(back.plan, nullptr);
  EXPECT_EQ(back.plan->proto().revision(), 2u);
}

TEST(Evolution, AChangedFeatureSaysWhatOfIt) {
  const Evolution out = changed(kRunning, with_views(R"(
  customer:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h, 7d]}
      - {function: sum, column: amount, windows: [1d], offset: 2d, default: 0}
      - {name: frauds, function: count, column: amount, where: is_fraud, windows: [1d]}
)"));
  EXPECT_EQ(brief(out.differences),
            "views.customer.amount_sum_1d: offset: 0s -> 2d, default: null -> 0.0\n"
            "views.customer.frauds_1d: column: none -> amount\n");
  EXPECT_NE(out.plan, nullptr);
}

TEST(Evolution, WhatLooksBackFurtherThanRowsAreKeptFills) {
  const Evolution out = changed(kRunning, with_views(R"(
  customer:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h, 7d]}
      - {function: sum, column: amount, windows: [1d, 6d], offset: 36h}
      - {name: frauds, function: count, where: is_fraud, windows: [1d]}
)"));
  EXPECT_EQ(
      brief(out.differences),
      "views.customer.amount_sum_1d: offset: 0s -> 36h\n"
      "views.customer.amount_sum_6d: added FILLS: rows of customer_id are kept for 7d so far; "
      "complete for every as_of from the horizon at the change + 12h\n");
  ASSERT_NE(out.plan, nullptr);
  EXPECT_EQ(out.plan->proto().format_version(), 5u);
  EXPECT_EQ((*out.plan->tables())[0].retention, 180 * 3600 * kMicrosPerSecond);
  EXPECT_EQ((*out.plan->tables())[0].first_retention, 7 * kMicrosPerDay);
  // Of what needs no more than that nobody can say here whether it is there yet.
  const Evolution again = evolve(*out.plan, compile(with_views(R"(
  customer:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h, 7d]}
      - {function: mean, column: amount, windows: [170h, 7d]}
)")));
  EXPECT_NE(brief(again.differences)
                .find("amount_mean_170h: added FILLS: rows of customer_id are "
                      "kept that far back since a former change"),
            std::string::npos)
      << brief(again.differences);
  EXPECT_NE(brief(again.differences).find("amount_mean_7d: added\n"), std::string::npos);
  ASSERT_NE(again.plan, nullptr);
  EXPECT_EQ((*again.plan->tables())[0].retention, 180 * 3600 * kMicrosPerSecond);
  EXPECT_EQ((*again.plan->tables())[0].first_retention, 7 * kMicrosPerDay);
}

TEST(Evolution, WhatNoRowHasIsKeptFromThenOn) {
  const std::string more = with_views(R"(
  customer:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h, 7d]}
      - {function: sum, column: amount, windows: [1d]}
      - {name: frauds, function: count, where: is_fraud, windows: [1d]}
      - {function: last, column: terminal_id, where: amount > 5, windows: [1d]}
)");
  const Evolution out = changed(kRunning, more);
  EXPECT_EQ(brief(out.differences),
            "views.customer.terminal_id_last_1d: added FILLS: complete for every as_of from the "
            "newest event time at the change + 1d\n");
  ASSERT_NE(out.plan, nullptr);
  // The view goes on over its table, and over a further one with the columns that order its rows.
  ASSERT_EQ(out.plan->proto().views_size(), 2);
  EXPECT_FALSE(out.plan->proto().views(0).continued());
  EXPECT_TRUE(out.plan->proto().views(1).continued());
  ASSERT_EQ(out.plan->views().size(), 1u);
  const ViewSpec& view = out.plan->views()[0];
  EXPECT_EQ(view.features.size(), 5u);
  EXPECT_EQ(view.features[0].table, 0u);
  EXPECT_EQ(view.features[4].table, 1u);
  EXPECT_EQ(view.features[4].order.size(), 2u);
  EXPECT_EQ(meaning(*out.plan, "customer", "terminal_id_last_1d"),
            "function: none -> last, column: none -> terminal_id, where: none -> amount > 5.0, "
            "window: none -> 1d, offset: none -> 0s, closed: none -> right, default: none -> null");
  EXPECT_EQ(brief(evolve(*out.plan, compile(more)).differences), "");
  // What goes with all of a part's features goes on as a table, and comes back.
  const Evolution less = evolve(*out.plan, compile(kRunning));
  EXPECT_EQ(brief(less.differences), "views.customer.terminal_id_last_1d: removed\n");
  ASSERT_NE(less.plan, nullptr);
  EXPECT_EQ(less.plan->proto().views_size(), 1);
  const Evolution back = evolve(*less.plan, compile(more));
  EXPECT_EQ(brief(back.differences),
            "views.customer.terminal_id_last_1d: added FILLS: rows of customer_id are kept that "
            "far back since a former change: until they are there it says since when it is "
            "complete\n");
  ASSERT_NE(back.plan, nullptr);
  EXPECT_EQ(back.plan->tables()->size(), 2u);
}

// A list goes by the columns in front of its own: one that has none of these yet is another list.
TEST(Evolution, AListKeepsTheOrderOfItsRows) {
  const std::string list = with_views(R"(
  v: {source: tx, entity: [customer_id], aggregations: [{function: last_n, column: amount, n: 3, windows: [1d]}]}
)");
  const std::string behind = with_views(R"(
  v: {source: tx, entity: [customer_id], aggregations: [{function: last_n, column: amount, n: 3, windows: [1d]},
                                                       {function: max, column: transaction_id, windows: [1d]}]}
)");
  const std::string before = with_views(R"(
  v: {source: tx, entity: [customer_id], aggregations: [{function: max, column: transaction_id, windows: [1d]},
                                                       {function: last_n, column: amount, n: 3, windows: [1d]}]}
)");
  EXPECT_NE(changed(list, behind).plan, nullptr);
  const Evolution refused = changed(list, before);
  EXPECT_EQ(refused.plan, nullptr);
  EXPECT_NE(brief(refused.differences)
                .find("views.v.amount_last_n_1d: changed REFUSED: the rows of "
                      "customer_id do not have transaction_id"),
            std::string::npos)
      << brief(refused.differences);
}

// Readers leave out events that pass no condition of the table.
TEST(Evolution, EventsThatPassNoConditionAreNotKept) {
  const std::string running = with_views(R"(
  frauds:
    source: tx
    entity: [customer_id]
    where: is_fraud
    aggregations: [{function: count, windows: [1d]}, {function: sum, column: amount, where: amount > 9, windows: [1d]}]
)");
  const Evolution all = changed(running, with_views(R"(
  frauds:
    source: tx
    entity: [customer_id]
    where: is_fraud
    aggregations: [{function: count, windows: [1d]}, {function: sum, column: amount, where: amount > 9, windows: [1d]}]
  all:
    source: tx
    entity: [customer_id]
    aggregations: [{function: count, windows: [1d]}]
)"));
  EXPECT_EQ(
      brief(all.differences),
      "views.all: added FILLS: its rows are kept from the change on\n"
      "views.all.count_1d: added FILLS: complete for every as_of from the newest event time at the "
      "change + 1d\n");
  ASSERT_NE(all.plan, nullptr);
  EXPECT_EQ(all.plan->proto().tables(0).fed(), proto::Table::FED_PASSING);
  EXPECT_EQ(all.plan->proto().tables(1).fed(), proto::Table::FED_ALL);
  const Evolution some = changed(running, with_views(R"(
  frauds:
    source: tx
    entity: [customer_id]
    where: is_fraud
    aggregations: [{function: mean, column: amount, where: amount > 9, windows: [1h]}]
)"));
  EXPECT_NE(some.plan, nullptr) << brief(some.differences);
}

TEST(Evolution, AViewOfTheSameEntityIsThereAtOnceAndAnotherFills) {
  const Evolution out = changed(kRunning, kRunning + R"(
  spend:
    source: tx
    entity: [customer_id]
    order_by: [amount]
    aggregations: [{function: last, column: amount, windows: [7d]}]
  terminal:
    source: tx
    entity: [terminal_id]
    aggregations: [{function: count, windows: [1d]}]
)");
  EXPECT_EQ(brief(out.differences),
            "views.spend: added\n"
            "views.spend.amount_last_7d: added\n"
            "views.terminal: added FILLS: its rows are kept from the change on\n"
            "views.terminal.count_1d: added FILLS: complete for every as_of from the newest event "
            "time at the change + 1d\n");
  ASSERT_NE(out.plan, nullptr);
  ASSERT_EQ(out.plan->tables()->size(), 2u);
  EXPECT_TRUE((*out.plan->tables())[1].further);
  EXPECT_EQ(out.plan->proto().tables(1).since_revision(), 1u);
  EXPECT_EQ((*out.plan->tables())[1].retention, kMicrosPerDay);
}

// New views of one entity share their further table; what one of them alone needs is not in the way
// of what is there.
TEST(Evolution, ANewViewThatNeedsOtherColumnsHasRowsOfItsOwn) {
  const Evolution out = changed(kRunning, kRunning + R"(
  where:
    source: tx
    entity: [customer_id]
    aggregations: [{function: last, column: terminal_id, where: amount > 5, windows: [3d]}]
  what:
    source: tx
    entity: [customer_id]
    aggregations: [{function: count, where: amount > 5, windows: [2h]}]
)");
  ASSERT_NE(out.plan, nullptr) << brief(out.differences);
  ASSERT_EQ(out.plan->tables()->size(), 2u);
  EXPECT_EQ(meaning(*out.plan, "where", "terminal_id_last_3d"),
            "function: none -> last, column: none -> terminal_id, where: none -> amount > 5.0, "
            "window: none -> 3d, offset: none -> 0s, closed: none -> right, default: none -> null");
  EXPECT_EQ(out.plan->view("what")->table, 1u);
  EXPECT_EQ(out.plan->proto().tables(1).fed(), proto::Table::FED_PASSING);
  EXPECT_EQ((*out.plan->tables())[1].columns.size(), 1u);
  EXPECT_EQ((*out.plan->tables())[1].retention, 3 * kMicrosPerDay);
  // The state of before is one of it, and not the other way round.
  const auto before = test::run(compile(kRunning));
  EXPECT_TRUE(reads_states_of(*out.plan->tables(), schema_hash(*before->tables())));
  EXPECT_FALSE(reads_states_of(*before->tables(), schema_hash(*out.plan->tables())));
}

TEST(Evolution, ALifetimeOverRowsThatAreNotThereYetIsRefused) {
  const Evolution out = changed(kRunning, kRunning + R"(
  terminal: {source: tx, entity: [terminal_id], aggregations: [{function: count, windows: [lifetime]}]}
)");
  EXPECT_EQ(out.plan, nullptr);
  EXPECT_NE(brief(out.differences)
                .find("views.terminal.count_lifetime: added REFUSED: nothing is known of the rows "
                      "before the change"),
            std::string::npos)
      << brief(out.differences);
}

TEST(Evolution, WhatDecidesTheRowsOfAViewStays) {
  const Evolution entity = changed(kRunning, with_views(R"(
  customer:
    source: tx
    entity: [terminal_id]
    aggregations: [{function: count, windows: [1h]}]
)"));
  EXPECT_EQ(
      brief(entity.differences),
      "views.customer.entity: customer_id -> terminal_id REFUSED: the view's rows are kept by "
      "entity; give the view another name in a job of its own\n");
  const Evolution order = changed(with_views(R"(
  v: {source: tx, entity: [customer_id], order_by: [transaction_id],
      aggregations: [{function: last, column: amount, windows: [1h]}]}
)"),
                                  with_views(R"(
  v: {source: tx, entity: [customer_id], order_by: [amount, transaction_id],
      aggregations: [{function: last, column: amount, windows: [1h]}]}
)"));
  EXPECT_EQ(brief(order.differences),
            "views.v.order_by: transaction_id, amount -> amount, transaction_id\n");
  EXPECT_NE(order.plan, nullptr);
}

TEST(Evolution, AnExpressionThatCanFailIsTheViewsForGood) {
  const std::string plain = with_views(R"(
  v: {source: tx, entity: [customer_id], aggregations: [{function: sum, column: transaction_id, windows: [1h]}]}
)");
  const std::string failing = with_views(R"(
  v: {source: tx, entity: [customer_id],
      aggregations: [{function: sum, column: transaction_id, windows: [1h]},
                     {name: share, function: sum, column: 100 / transaction_id, windows: [1h]}]}
)");
  constexpr char kWhy[] =
      " REFUSED: an event on which one fails is missing in all of the view's features, and those "
      "on "
      "which none fails any more are not kept; write try(...), or give the view another name in a "
      "job of its own\n";
  EXPECT_EQ(brief(changed(plain, failing).differences),
            std::string("views.v: expressions that can fail: none -> 100 / transaction_id") + kWhy);
  EXPECT_EQ(brief(changed(failing, plain).differences),
            std::string("views.v: expressions that can fail: 100 / transaction_id -> none") + kWhy);
  // Over what it has the view can change, and nobody else can have its rows.
  const Evolution out = changed(failing, with_views(R"(
  v: {source: tx, entity: [customer_id],
      aggregations: [{function: mean, column: transaction_id, windows: [1h]},
                     {name: share, function: sum, column: 100 / transaction_id, windows: [1h]}]}
)"));
  EXPECT_NE(out.plan, nullptr) << brief(out.differences);
  const Evolution other = changed(failing, failing + R"(
  w: {source: tx, entity: [customer_id], aggregations: [{function: sum, column: transaction_id, windows: [1h]}]}
)");
  ASSERT_NE(other.plan, nullptr);
  EXPECT_EQ(other.plan->view("w")->table, 1u) << brief(other.differences);
  // But for one that leaves out the same, when it is gone.
  const std::string renamed = with_views(R"(
  u: {source: tx, entity: [customer_id],
      aggregations: [{name: share, function: sum, column: 100 / transaction_id, windows: [1h]}]}
)");
  const Evolution again = evolve(*out.plan, compile(renamed));
  ASSERT_NE(again.plan, nullptr) << brief(again.differences);
  EXPECT_EQ(again.plan->view("u")->table, 0u) << brief(again.differences);
}

const std::string kLifetime = with_views(R"(
  v:
    source: tx
    entity: [customer_id]
    aggregations:
      - {function: sum, column: amount, windows: [1d, lifetime]}
      - {function: last_n, column: terminal_id, n: 5, windows: [1d, lifetime]}
)");

TEST(Evolution, SummariesHoldWhatTheyWereMadeFor) {
  const auto running = test::run(compile(kLifetime));
  const Evolution out = evolve(*running, compile(with_views(R"(
  v:
    source: tx
    entity: [customer_id]
    order_by: [amount, terminal_id]
    aggregations:
      - {function: mean, column: amount, windows: [lifetime], offset: 1d}
      - {function: last_n, column: terminal_id, n: 3, windows: [lifetime]}
      - {function: count, windows: [1d]}
)")));
  EXPECT_EQ(brief(out.differences),
            "views.v.amount_sum_1d: removed\n"
            "views.v.amount_sum_lifetime: removed\n"
            "views.v.terminal_id_last_n_1d: removed\n"
            "views.v.terminal_id_last_n_lifetime: n: 5 -> 3\n"
            "views.v.amount_mean_lifetime: added\n"
            "views.v.count_1d: added\n");
  ASSERT_NE(out.plan, nullptr);
  // Its keys are folded as before, whoever asks.
  EXPECT_EQ(schema_hash(*out.plan->tables()), schema_hash(*running->tables()));
  EXPECT_EQ((*out.plan->tables())[0].lifetime.size(), 2u);
  const Evolution none = evolve(*out.plan, compile(with_views(R"(
  v: {source: tx, entity: [customer_id], aggregations: [{function: count, windows: [1d]}]}
)")));
  ASSERT_NE(none.plan, nullptr);
  EXPECT_EQ(schema_hash(*none.plan->tables()), schema_hash(*running->tables()));
  const Evolution again = evolve(*none.plan, compile(kLifetime));
  EXPECT_NE(again.plan, nullptr) << brief(again.differences);
}

TEST(Evolution, WhatSummariesDoNotHoldIsRefused) {
  const auto refused = [](const std::string& aggregation) {
    return brief(changed(kLifetime, with_views("  v: {source: tx, entity: [customer_id], "
                                               "order_by: [amount, terminal_id], aggregations: [" +
                                               aggregation + "]}\n"))
                     .differences);
  };
  constexpr char kWhy[] =
      "REFUSED: the summaries of keys do not hold what it needs of rows that have gone into them, "
      "which nobody has any more; submit it as a job of its own\n";
  for (const char* each : {"{function: count, windows: [lifetime]}",
                           "{function: max, column: amount, windows: [lifetime]}",
                           "{function: stddev, column: amount, windows: [lifetime]}",
                           "{function: last_n, column: terminal_id, n: 6, windows: [lifetime]}",
                           "{function: first, column: terminal_id, windows: [lifetime]}"}) {
    EXPECT_NE(refused(each).find(kWhy), std::string::npos) << each << "\n" << refused(each);
  }
  EXPECT_NE(refused("{function: sum, column: amount, windows: [lifetime], offset: 2d}")
                .find("is in the summaries of keys already"),
            std::string::npos);
  const std::string order = brief(changed(kLifetime, with_views(R"(
  v:
    source: tx
    entity: [customer_id]
    order_by: [terminal_id]
    aggregations: [{function: last_n, column: terminal_id, n: 5, windows: [lifetime]}]
)"))
                                      .differences);
  EXPECT_NE(order.find("views.v.terminal_id_last_n_lifetime: another order of rows REFUSED"),
            std::string::npos)
      << order;
}

TEST(Evolution, AViewKeepsItsNumber) {
  const std::string view =
      R"(: {source: tx, entity: [customer_id], aggregations: [{function: count, windows: [1h]}]}
)";
  const Evolution out = changed(with_views("  a" + view + "  b" + view + "  c" + view),
                                with_views("  d" + view + "  c" + view + "  b" + view));
  ASSERT_NE(out.plan, nullptr);
  ASSERT_EQ(out.plan->views().size(), 3u);
  EXPECT_EQ(out.plan->view("b")->number, 1u);
  EXPECT_EQ(out.plan->view("c")->number, 2u);
  EXPECT_EQ(out.plan->view("d")->number, 3u);
  EXPECT_EQ(out.plan->view_numbers(), 4u);
  const Evolution next = evolve(*out.plan, compile(with_views("  b" + view + "  e" + view)));
  ASSERT_NE(next.plan, nullptr);
  EXPECT_EQ(next.plan->view("b")->number, 1u);
  EXPECT_EQ(next.plan->view("e")->number, 4u);
  // Those of views that are gone are not given out again.
  const Evolution fewer = evolve(*next.plan, compile(with_views("  b" + view)));
  ASSERT_NE(fewer.plan, nullptr);
  const Evolution more = evolve(*fewer.plan, compile(with_views("  b" + view + "  f" + view)));
  ASSERT_NE(more.plan, nullptr);
  EXPECT_EQ(more.plan->view("f")->number, 5u);
  EXPECT_EQ(more.plan->proto().next_view_number(), 6u);
}

// What is folded does not say what stands where a value is null.
TEST(Evolution, AViewWithABoundMayHaveOtherDefaults) {
  const auto bounded = [](const std::string& aggregation) {
    return with_views("  v: {source: tx, entity: [customer_id], max_rows: 5000, aggregations: [" +
                      aggregation + "]}\n");
  };
  const std::string running = bounded("{function: sum, column: amount, windows: [1d]}");
  const Evolution out =
      changed(running, bounded("{function: sum, column: amount, windows: [1d], default: 0}"));
  EXPECT_EQ(brief(out.differences), "views.v.amount_sum_1d: default: null -> 0.0\n");
  EXPECT_NE(out.plan, nullptr);
  for (const char* other :
       {"{function: sum, column: amount, windows: [1d], default: 0, closed: left}",
        "{function: sum, column: amount, windows: [1d], default: 0}, "
        "{function: count, windows: [1d]}",
        "{name: other, function: sum, column: amount, windows: [1d]}"}) {
    const Evolution refused = changed(running, bounded(other));
    EXPECT_EQ(refused.plan, nullptr) << other;
    EXPECT_NE(brief(refused.differences).find("REFUSED: the view's rows are folded for the "),
              std::string::npos)
        << brief(refused.differences);
  }
}

TEST(Evolution, SettingsThatDecideNoRowChangeAtOnce) {
  const std::string view =
      "  a: {source: tx, entity: [customer_id], aggregations: [{function: count, windows: [1h]}]}\n"
      "services:\n  s: {features: [a.*]}\n";
  const Evolution out = changed(
      with_views(view, "key_partitions: 8"),
      with_views("  a: {source: tx, entity: [customer_id], aggregations: [{function: count, "
                 "windows: [1h]}]}\nservices:\n  t: {features: [a.count_1h]}\n",
                 "key_partitions: 8\nallowed_lateness: 2h\nleading_edge: wall\n"
                 "standby_replicas: 1"));
  EXPECT_EQ(brief(out.differences),
            "standby_replicas: 0 -> 1\n"
            "allowed_lateness: 1h -> 2h\n"
            "leading_edge: event -> wall\n"
            "services.s: removed\n"
            "services.t: added\n");
  ASSERT_NE(out.plan, nullptr);
  EXPECT_EQ(out.plan->proto().allowed_lateness_us(), 7200 * kMicrosPerSecond);
  EXPECT_EQ(out.plan->proto().services(0).name(), "t");
  const Evolution fixed =
      changed(with_views(view, "key_partitions: 8"), with_views(view, "key_partitions: 16"));
  EXPECT_EQ(brief(fixed.differences),
            "key_partitions: 8 -> 16 REFUSED: state is kept by key partition; submit the job under "
            "another name\n");
}

TEST(LayOver, AViewThatNeedsLessIsLaidOverWhatIsHeld) {
  const auto held = test::run(compile(kRunning));
  proto::JobPlan less = compile(with_views(R"(
  other: {source: tx, entity: [customer_id], aggregations: [{function: sum, column: amount, windows: [1d]}]}
)"));
  const LaidOver laid = lay_over(*held, less);
  ASSERT_NE(laid.plan, nullptr);
  EXPECT_EQ(laid.plan->tables(0).inputs(0).filters_size(), 1);
  EXPECT_EQ(laid.plan->views(0).features(0).column(), 0);
  const LaidOver more = lay_over(*held, compile(with_views(R"(
  other: {source: tx, entity: [customer_id], aggregations: [{function: sum, column: transaction_id, windows: [1d]}]}
)")));
  ASSERT_NE(more.plan, nullptr);
  EXPECT_EQ(more.plan->tables_size(), 2) << "its rows are kept from the savepoint on";
}

}  // namespace
}  // namespace tidemill
