// Views over several sources.
#include <gtest/gtest.h>

#include "shared/plan/plan.h"
#include "shared/plan/table_inputs.h"
#include "shared/plan/yaml_job.h"
#include "tests/unit/plan/job_files.h"

namespace tidemill {
namespace {

const char kSources[] = R"(job: j
sources:
  card:
    schema: {at: timestamp, customer_id: string, amount: double, shop: string, status: string, n: int32}
    event_time: at
    stream: {files: in/a.csv}
  transfer:
    schema: {id: int64, at: timestamp, payer: string, payee: string, cents: int64, shop: string, n: int64}
    event_time: at
    stream: {files: in/b.ndjson}
views:
)";

CompiledJob compile(const std::string& views) {
  static const test::JobDirectory base({"in/a.csv", "in/b.ndjson"});
  return compile_job(kSources + views, base.path());
}

proto::JobPlan compiled(const std::string& views) {
  CompiledJob job = compile(views);
  for (const JobError& error : job.errors) ADD_FAILURE() << to_string(error, "job");
  return std::move(job.plan);
}

// Lines count from the first of the views.
std::string errors_of(const std::string& views) {
  std::string out;
  for (JobError error : compile(views).errors) {
    error.line -= 12;
    out += to_string(error, "views") + "\n";
  }
  return out;
}

std::vector<std::string> texts(const ExprTuple& tuple) {
  std::vector<std::string> out;
  for (const proto::Expr& expr : tuple) out.push_back(expr.text());
  return out;
}

using Texts = std::vector<std::string>;

TEST(YamlUnion, SaysEveryExpressionOverEverySource) {
  const proto::JobPlan plan = compiled(R"(
  paid:
    union:
      - {source: card, columns: {kind: "'card'"}, where: status = 'ok'}
      - source: transfer
        columns: {customer_id: payer, amount: cents / 100.0, kind: "'transfer'"}
    entity: [customer_id]
    where: amount > 0
    order_by: [kind, shop]
    aggregations:
      - {function: sum, column: amount, windows: [1h]}
      - {name: big, function: count, where: kind = 'card' or amount * 2 > 100, windows: [1d]}
)");
  ASSERT_EQ(plan.tables_size(), 1);
  const proto::Table& table = plan.tables(0);
  EXPECT_EQ(table.entity(), "customer_id");
  EXPECT_EQ(table.key_types(0), proto::STRING);
  EXPECT_EQ(table.retention_us(), kMicrosPerDay);
  ASSERT_EQ(table.inputs_size(), 2);
  EXPECT_EQ(table.inputs(0).source(), 0u);
  EXPECT_EQ(table.inputs(1).source(), 1u);
  EXPECT_EQ(table.inputs(0).keys(0).text(), "customer_id");
  EXPECT_EQ(table.inputs(1).keys(0).text(), "payer");
  EXPECT_EQ(table.inputs(0).where().text(), "status = 'ok'");
  EXPECT_FALSE(table.inputs(1).has_where());
  ASSERT_EQ(table.column_types_size(), 3);
  EXPECT_EQ(table.column_types(0), proto::DOUBLE);
  EXPECT_EQ(texts(column_of(table, 0)), (Texts{"amount", "cast(cents as double) / 100.0"}));
  EXPECT_EQ(texts(column_of(table, 1)), (Texts{"'card'", "'transfer'"}));
  EXPECT_EQ(texts(column_of(table, 2)), (Texts{"shop", "shop"}));  // of every source, not mapped
  EXPECT_EQ(texts(filter_of(table, 0)),
            (Texts{"amount > 0.0", "cast(cents as double) / 100.0 > 0.0"}));
  EXPECT_EQ(texts(filter_of(table, 1)),
            (Texts{"amount > 0.0 and ('card' = 'card' or amount * 2.0 > 100.0)",
                   "cast(cents as double) / 100.0 > 0.0 and ('transfer' = 'card' or cast(cents as "
                   "double) / 100.0 * 2.0 > 100.0)"}));
  const proto::View& view = plan.views(0);
  EXPECT_EQ(view.entity(0), "customer_id");
  EXPECT_EQ(view.features(0).name(), "amount_sum_1h");
  EXPECT_EQ(std::vector<uint32_t>(view.order().begin(), view.order().end()),
            (std::vector<uint32_t>{1, 2, 0}));
  EXPECT_EQ(column_text(table, 0), "amount | cast(cents as double) / 100.0");
  EXPECT_EQ(column_text(table, 2), "shop");
  EXPECT_EQ(source_names(plan, table), "card, transfer");
  ASSERT_TRUE(Plan::from_proto(plan).ok());
}

// A view over one source is the same with one input and plain keys.
TEST(YamlUnion, OfOneSourceIsThatSource) {
  const proto::JobPlan plan = compiled(R"(
  a: {source: card, entity: [customer_id], aggregations: [{function: sum, column: amount, windows: [1h]}]}
  b: {union: [{source: card}], entity: [customer_id],
      aggregations: [{function: mean, column: amount, windows: [1h]}]}
)");
  ASSERT_EQ(plan.tables_size(), 1);
  EXPECT_EQ(plan.tables(0).column_types_size(), 1);
  EXPECT_EQ(plan.views(1).features(0).column(), 0);
}

// "a" to "f" over these inputs, with a count.
std::string views_over(const std::vector<std::string>& unions) {
  std::string out;
  for (size_t i = 0; i < unions.size(); ++i) {
    out += "  " + std::string(1, static_cast<char>('a' + i)) + ": {union: [" + unions[i] +
           "], entity: [who], aggregations: [{function: count, windows: [" + std::to_string(i + 1) +
           "h]}]}\n";
  }
  return out;
}

TEST(YamlUnion, ViewsShareATableIfTheirRowsAreTheSame) {
  const std::string card = "{source: card, columns: {who: customer_id}}";
  const std::string transfer = "{source: transfer, columns: {who: payer}}";
  const proto::JobPlan plan =
      compiled(views_over({card + ", " + transfer,  //
                           "{source: card, columns: {who: customer_id, x: n + 1}}, "
                           "{source: transfer, columns: {who: payer, x: cast(n as int)}}",
                           transfer + ", " + card,  // another order
                           card,                    // fewer
                           card + ", {source: transfer, columns: {who: payee}}",
                           card + ", {source: transfer, columns: {who: payer}, where: n > 1}"}));
  ASSERT_EQ(plan.tables_size(), 5);
  EXPECT_EQ(plan.views(0).table(), plan.views(1).table());
  EXPECT_EQ(plan.tables(0).retention_us(), 7'200 * kMicrosPerSecond);
}

TEST(YamlUnion, TakesASourceTwice) {
  const proto::JobPlan plan = compiled(R"(
  balance:
    union:
      - {source: transfer, columns: {account: payer, change: -cents}}
      - {source: transfer, columns: {account: payee, change: cents}}
    entity: [account]
    aggregations: [{function: sum, column: change, windows: [lifetime]}]
)");
  ASSERT_EQ(plan.tables(0).inputs_size(), 2);
  EXPECT_EQ(plan.tables(0).inputs(1).source(), 1u);
  EXPECT_EQ(texts(column_of(plan.tables(0), 0)), (Texts{"-cents", "cents"}));
  EXPECT_EQ(source_names(plan, plan.tables(0)), "transfer");
}

// An expression that can fail in one of the sources.
TEST(YamlUnion, AViewThatCanFailInOneSourceIsAlone) {
  const proto::JobPlan plan = compiled(R"(
  a: {union: [{source: card}, {source: transfer, columns: {customer_id: payer, amount: "1.0"}}],
      entity: [customer_id], aggregations: [{function: sum, column: amount, windows: [1h]}]}
  b: {union: [{source: card}, {source: transfer, columns: {customer_id: payer, amount: 1.0 / cents}}],
      entity: [customer_id], aggregations: [{function: sum, column: amount, windows: [2h]}]}
  c: {union: [{source: card}, {source: transfer, columns: {customer_id: payer}}],
      entity: [customer_id], aggregations: [{function: last, column: shop, windows: [3h]}]}
  d: {union: [{source: card, columns: {n: cast(n as bigint)}}, {source: transfer, columns: {customer_id: payer}, where: 9 / n > 1}],
      entity: [n], aggregations: [{function: count, windows: [4h]}]}
  e: {union: [{source: card, columns: {n: cast(n as bigint)}}, {source: transfer, columns: {customer_id: payer}, where: 9 / n > 1}],
      entity: [n], aggregations: [{function: count, windows: [5h]}]}
  f: {union: [{source: card, columns: {k: n}}, {source: transfer, columns: {k: cast(shop as int)}}],
      entity: [k], aggregations: [{function: count, windows: [6h]}]}
  g: {union: [{source: card, columns: {k: n}}, {source: transfer, columns: {k: cast(shop as int)}}],
      entity: [k], aggregations: [{function: count, windows: [7h]}]}
)");
  EXPECT_EQ(plan.views(0).table(), plan.views(2).table());
  ASSERT_EQ(plan.tables_size(), 6);  // b, and each of those whose where or key can fail
  ASSERT_TRUE(Plan::from_proto(plan).ok());
}

// One view over `inputs`, with a sum of `column`.
std::string errors_over(const std::string& inputs, const std::string& column = "amount") {
  return errors_of(
      "\n  v:\n    union: " + inputs +
      "\n    entity: [customer_id]\n    aggregations: [{name: s, function: sum, column: " + column +
      ", windows: [1h]}]\n");
}

TEST(YamlUnion, SaysWhatIsWrongWithTheList) {
  const std::string like =
      "such as [{source: card}, {source: transfer, columns: {amount: cents / 100.0}}], found ";
  EXPECT_EQ(errors_over("[]"),
            "views:2:12: views.v.union: expected a list of 1 to 16 sources, " + like + "0\n");
  EXPECT_EQ(errors_over("card"),
            "views:2:12: views.v.union: expected a list of 1 to 16 sources, " + like + "'card'\n");
  EXPECT_EQ(errors_over("[card, {columns: {}}, {source: cart, colums: {}}, {source: [card]}]"),
            "views:2:13: views.v.union[0]: expected a mapping with the keys source, columns "
            "and where, found 'card'\n"
            "views:2:19: views.v.union[1]: the key 'source' is missing: whose events these "
            "are\n"
            "views:2:43: views.v.union[2].source: unknown source 'cart'; did you mean "
            "'card'?\n"
            "views:2:49: views.v.union[2].colums: unknown key 'colums'; did you mean "
            "'columns'?\n"
            "views:2:71: views.v.union[3].source: expected a single value, found a list\n");
  EXPECT_EQ(errors_over("[{source: card}]\n    source: card"),
            "views:3:13: views.v.source: the view has a source and a union; leave one of "
            "them out\n");
}

TEST(YamlUnion, SaysWhatIsWrongWithColumns) {
  EXPECT_EQ(errors_over("[{source: card, columns: [amount]}]"),
            "views:2:37: views.v.union[0].columns: expected a mapping from up to 1024 names "
            "of the view's columns to what they are here, such as {amount: cents / 100.0}, "
            "found a list\n");
  EXPECT_EQ(errors_over("[{source: card, columns: {\"\": n, x: [n], y: amuont, z: n +}}]"),
            "views:2:38: views.v.union[0].columns.: a column's name has from 1 to 128 bytes "
            "and no control characters\n"
            "views:2:48: views.v.union[0].columns.x: expected an expression, found a list\n"
            "views:2:56: views.v.union[0].columns.y: character 1: unknown column 'amuont'; "
            "did you mean 'amount'?\n"
            "views:2:67: views.v.union[0].columns.z: character 4: syntax error at end of "
            "input; write one PostgreSQL expression, such as amount > 100\n");
  EXPECT_EQ(errors_over("[{source: card, where: n, columns: {d: at - at}}]"),
            "views:2:35: views.v.union[0].where: a condition is needed, but n is int32\n"
            "views:2:51: views.v.union[0].columns.d: character 4: an interval cannot be the "
            "value of an expression; write extract(epoch from at - at) for seconds\n");
}

TEST(YamlUnion, AColumnIsInEverySource) {
  EXPECT_EQ(
      errors_over(
          "[{source: card}, {source: transfer, columns: {customer_id: payer, kind: \"'t'\"}}]",
          "n"),
      "views:2:13: views.v.union[0]: the view's column 'kind' is missing in union[0] "
      "(source 'card'): add it to columns: of this entry, with what it is here\n");
}

TEST(YamlUnion, AColumnIsOfOneType) {
  EXPECT_EQ(
      errors_over(
          "[{source: card}, {source: transfer, columns: {customer_id: payer, amount: cents}}]"),
      "views:2:86: views.v.union[1].columns.amount: column 'amount' is double in "
      "union[0] (source 'card') and int64 in union[1] (source 'transfer'); cast one of "
      "them\n");
  EXPECT_EQ(errors_over("[{source: card, columns: {n: cast(n as bigint)}}, {source: card, columns: "
                        "{amount: 1.0}}]"),
            "views:2:62: views.v.union[1]: column 'n' is int64 in union[0] (source 'card') "
            "and int32 in union[1] (source 'card'); cast one of them\n");
  // Not mapped: only where it is used.
  const std::string inputs = "[{source: card}, {source: transfer, columns: {customer_id: payer}}]";
  EXPECT_EQ(errors_over(inputs, "length(shop)"), "");
  EXPECT_EQ(errors_over(inputs, "1 + n"),
            "views:4:53: views.v.aggregations[0].column: column 'n' is int32 in union[0] "
            "(source 'card') and int64 in union[1] (source 'transfer'); cast one of them in "
            "columns: of its entry\n");
  EXPECT_EQ(errors_of("\n  v: {union: " + inputs +
                      ", entity: [n], aggregations: [{function: count, windows: [1h]}]}\n"),
            "views:1:92: views.v.entity[0]: column 'n' is int32 in union[0] (source 'card') "
            "and int64 in union[1] (source 'transfer'); cast one of them in columns: of its "
            "entry\n");
}

TEST(YamlUnion, AnEntityIsOfATypeThatKeysHave) {
  EXPECT_EQ(errors_over("[{source: card, columns: {customer_id: amount}}]"),
            "views:3:14: views.v.entity[0]: column 'customer_id' is double; an entity's "
            "columns are string, int32, int64, bool or timestamp\n");
  EXPECT_EQ(errors_over("[{source: card, columns: {customer_id: cast(at as date)}}]"),
            "views:3:14: views.v.entity[0]: column 'customer_id' is date; an entity's "
            "columns are string, int32, int64, bool or timestamp\n");
}

TEST(YamlUnion, LimitsTheSizeOfExpressions) {
  std::string list = "1";
  for (int i = 0; i < 1500; ++i) list += ",1";
  EXPECT_EQ(errors_over("[{source: card, columns: {one: \"n in (" + list + ")\"}}]",
                        "cast(one or one or one as int)"),
            "views:4:53: views.v.aggregations[0].column: union[0] (source 'card'): the "
            "expression has more than 4096 parts, the most allowed\n");
  std::string job = "\n  v:\n    source: card\n    entity: [customer_id]\n    where: n in (" +
                    list + ")\n    aggregations:\n";
  for (int i = 0; i < 800; ++i) {
    const std::string number = std::to_string(i);
    job += "      - {name: a" + number + ", function: count, where: n > " + number +
           ", windows: [1h]}\n";
  }
  const std::string errors = errors_of(job);
  EXPECT_EQ(errors.substr(0, errors.find('\n')),
            "views:699:46: views.v.aggregations[693].where: together with the view's "
            "condition: the expressions of the job have more than 1048576 parts up to here, "
            "each counted in every source of its view; write fewer or shorter ones");
}

}  // namespace
}  // namespace tidemill
