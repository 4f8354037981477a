#include "shared/expr/evaluator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "shared/base/time.h"
#include "shared/expr/parser.h"

namespace tidemill {
namespace {

const std::vector<NamedColumn>& schema() {
  static const std::vector<NamedColumn> columns = {
      {"n", proto::INT32},  {"id", proto::INT64},    {"d", proto::DOUBLE}, {"b", proto::BOOL},
      {"s", proto::STRING}, {"t", proto::TIMESTAMP}, {"c", proto::BOOL}};
  return columns;
}

std::vector<ColumnType> types() {
  std::vector<ColumnType> out;
  for (const NamedColumn& c : schema()) out.push_back(static_cast<ColumnType>(c.type));
  return out;
}

Evaluator compiled(const std::string& text) {
  Result<proto::Expr> expr = parse_expression(text, schema());
  EXPECT_TRUE(expr.ok()) << text << ": " << expr.error().message();
  Result<Evaluator> evaluator = Evaluator::compile(*expr, types());
  EXPECT_TRUE(evaluator.ok());
  return *std::move(evaluator);
}

// A batch of `rows` rows of nulls.
EventBatch nulls(size_t rows) {
  EventBatch batch;
  for (size_t i = 0; i < rows; ++i) batch.offsets.push_back(i);
  for (ColumnType type : types()) {
    Column column;
    column.type = type;
    column.nulls.assign(rows, 1);
    column.bools.assign(type == ColumnType::kBool ? rows : 0, 0);
    column.doubles.assign(type == ColumnType::kDouble ? rows : 0, 0);
    column.strings.assign(type == ColumnType::kString ? rows : 0, {});
    const bool ints =
        type != ColumnType::kBool && type != ColumnType::kDouble && type != ColumnType::kString;
    column.ints.assign(ints ? rows : 0, 0);
    batch.columns.push_back(std::move(column));
  }
  return batch;
}

// One row: n = 7, id = 10^10, d = 2.5, b = true, s = 'abc', t = 2018-04-01T00:00:31.5Z, c = null.
EventBatch one_row() {
  EventBatch batch = nulls(1);
  for (size_t c = 0; c < 6; ++c) batch.columns[c].nulls[0] = 0;
  batch.columns[0].ints[0] = 7;
  batch.columns[1].ints[0] = 10'000'000'000;
  batch.columns[2].doubles[0] = 2.5;
  batch.columns[3].bools[0] = 1;
  batch.columns[4].strings[0] = "abc";
  TimeUs t = 0;
  EXPECT_TRUE(parse_timestamp("2018-04-01T00:00:31.5Z", &t));
  batch.columns[5].ints[0] = t;
  return batch;
}

// The row's value as text, or "error: <reason>".
std::string value_of(const std::string& text) {
  Evaluator evaluator = compiled(text);
  const EventBatch batch = one_row();
  std::vector<RowError> errors;
  const Column& out = evaluator.evaluate(batch, &errors);
  EXPECT_EQ(out.size(), 1u);
  EXPECT_EQ(out.type, evaluator.type());
  if (!errors.empty()) {
    EXPECT_EQ(out.nulls[0], 1);
    return "error: " + errors[0].reason;
  }
  if (out.nulls[0] != 0) return "null";
  switch (out.type) {
    case ColumnType::kBool:
      return out.bools[0] != 0 ? "true" : "false";
    case ColumnType::kDouble: {
      std::ostringstream text_out;
      text_out << out.doubles[0];
      return text_out.str();
    }
    case ColumnType::kString:
      return std::string(out.strings[0]);
    default:
      return std::to_string(out.ints[0]);
  }
}

struct Case {
  const char* text;
  const char* expected;
};
class Values : public testing::TestWithParam<Case> {};

TEST_P(Values, AreThoseOfPostgreSql) {
  EXPECT_EQ(value_of(GetParam().text), GetParam().expected) << GetParam().text;
}

// What PostgreSQL 15 answers to the same expression, but for the deviations in docs/jobs.md.
INSTANTIATE_TEST_SUITE_P(
    Table, Values,
    testing::Values(
        Case{"n / 2", "3"}, Case{"-n / 2", "-3"}, Case{"-n % 4", "-3"}, Case{"n % -4", "3"},
        Case{"n / 2.0", "3.5"}, Case{"n + id", "10000000007"}, Case{"d * 2", "5"},
        Case{"n * 1000000000", "error: the result is out of the range of int32 in n * 1000000000"},
        Case{"id * id", "error: the result is out of the range of int64 in id * id"},
        Case{"n - 7 - 2147483647 - 1", "-2147483648"},
        Case{"n - 7 - 2147483647 - 2",
             "error: the result is out of the range of int32 in n - 7 - 2147483647 - 2"},
        Case{"-(n - 7 - 2147483647 - 1)",
             "error: the result is out of the range of int32 in -(n - 7 - 2147483647 - 1)"},
        Case{"(n - 7 - 2147483647 - 1) / -1",
             "error: the result is out of the range of int32 in (n - 7 - 2147483647 - 1) / -1"},
        Case{"(n - 7 - 2147483647 - 1) % -1", "0"},
        Case{"n / (n - 7)", "error: division by zero in n / (n - 7)"},
        Case{"n % (n - 7)", "error: division by zero in n % (n - 7)"},
        Case{"d / 0", "error: division by zero in d / 0.0"},
        Case{"d * 1e308 * 10", "error: the result overflows double in d * 1e+308 * 10.0"},
        Case{"d * 1e-308 * 1e-300", "error: the result underflows double in d * 1e-308 * 1e-300"},
        Case{"d + cast('inf' as double)", "inf"}, Case{"1 / cast('inf' as double)", "0"},
        Case{"cast('nan' as double) / 0", "nan"}, Case{"-d", "-2.5"},
        Case{"cast('nan' as double) = cast('nan' as double)", "true"},
        Case{"cast('nan' as double) > 'inf'", "true"}, Case{"d < cast('nan' as double)", "true"},
        Case{"cast('nan' as double) < d", "false"}, Case{"cast('nan' as double) <= 'nan'", "true"},
        Case{"cast('nan' as double) <> 'nan'", "false"}, Case{"-0.0 = 0.0", "true"},
        Case{"d::int", "2"}, Case{"(d + 1)::int", "4"}, Case{"(-d)::bigint", "-2"},
        Case{"(d * 1e9)::int",
             "error: the result is out of the range of int32 in cast(d * 1000000000.0 as int32)"},
        Case{"(d * 1e18)::bigint", "2500000000000000000"},
        Case{"(d * 1e19)::bigint",
             "error: the result is out of the range of int64 in cast(d * 1e+19 as int64)"},
        Case{"cast('nan' as double) is null", "false"},
        Case{"id::int", "error: the result is out of the range of int32 in cast(id as int32)"},
        Case{"b::int", "1"}, Case{"b::double", "1"}, Case{"(not b)::double", "0"},
        Case{"n::bool", "true"}, Case{"(n - 7)::bool", "false"}, Case{"c::double", "null"},
        Case{"b::text", "true"}, Case{"n::text", "7"}, Case{"id::text", "10000000000"},
        Case{"d::text", "2.5"}, Case{"(d * 2)::text", "5"}, Case{"(d * 1e20)::text", "2.5e+20"},
        Case{"(d / 1e5)::text", "2.5e-05"}, Case{"t::text", "2018-04-01T00:00:31.500Z"},
        Case{"c::text", "null"}, Case{"s::int", "error: 'abc' is not an int32 in cast(s as int32)"},
        Case{"s::timestamp", "error: 'abc' is not a timestamp in cast(s as timestamp)"},
        Case{"s::bool", "error: 'abc' is not a bool in cast(s as bool)"},
        Case{"n::text::int + 1", "8"}, Case{"(n::text)::double", "7"},
        Case{"n::text = '7'", "true"}, Case{"s = 'abc'", "true"}, Case{"s < 'abd'", "true"},
        Case{"s >= 'ab'", "true"}, Case{"t > '2018-04-01'", "true"},
        Case{"t < '2018-04-01T00:00:31.5Z'", "false"},
        Case{"t = '2018-04-01 02:00:31.5+02:00'", "true"}, Case{"n > 5 and d < 3", "true"},
        Case{"c and false", "false"}, Case{"c or true", "true"}, Case{"c and b", "null"},
        Case{"n = null", "null"}, Case{"null is null", "true"}, Case{"c is unknown", "true"},
        Case{"not c", "null"},
        // The left side decides, or it does not.
        Case{"false and 1 / (n - 7) = 1", "false"}, Case{"true or 1 / (n - 7) = 1", "true"},
        Case{"1 / (n - 7) = 1 and false", "error: division by zero in 1 / (n - 7) = 1 and false"},
        Case{"c and 1 / (n - 7) = 1", "error: division by zero in c and 1 / (n - 7) = 1"},
        Case{"(1 / (n - 7) = 1) is null or true",
             "error: division by zero in 1 / (n - 7) = 1 is null or true"},
        Case{"null + 1 / (n - 7)", "error: division by zero in null + 1 / (n - 7)"},
        Case{"n <> 7 and 1 / (n - 7) = 1 or b", "true"}));

enum Truth { kFalse, kTrue, kUnknown };

// Every pair of truth values in one batch of nine rows.
std::vector<Truth> truths(const std::string& text) {
  EventBatch batch = nulls(9);
  for (size_t i = 0; i < 9; ++i) {
    for (const auto& [column, truth] : {std::pair{3, i / 3}, std::pair{6, i % 3}}) {
      Column& c = batch.columns[static_cast<size_t>(column)];
      c.nulls[i] = truth == kUnknown;
      c.bools[i] = truth == kTrue;
    }
  }
  Evaluator evaluator = compiled(text);
  std::vector<RowError> errors;
  const Column& out = evaluator.evaluate(batch, &errors);
  EXPECT_TRUE(errors.empty());
  std::vector<Truth> result;
  for (size_t i = 0; i < 9; ++i) {
    EXPECT_TRUE(out.nulls[i] == 0 || out.bools[i] == 0);
    result.push_back(out.nulls[i] != 0 ? kUnknown : out.bools[i] != 0 ? kTrue : kFalse);
  }
  return result;
}

TEST(Logic, IsThreeValued) {
  constexpr Truth F = kFalse, T = kTrue, U = kUnknown;
  using Table = std::vector<Truth>;  // rows b = F T U, columns c = F T U
  EXPECT_EQ(truths("b and c"), (Table{F, F, F, F, T, U, F, U, U}));
  EXPECT_EQ(truths("b or c"), (Table{F, T, U, T, T, T, U, T, U}));
  EXPECT_EQ(truths("not b"), (Table{T, T, T, F, F, F, U, U, U}));
  EXPECT_EQ(truths("b = c"), (Table{T, F, U, F, T, U, U, U, U}));
  EXPECT_EQ(truths("b < c"), (Table{F, T, U, F, F, U, U, U, U}));
  EXPECT_EQ(truths("b is true"), (Table{F, F, F, T, T, T, F, F, F}));
  EXPECT_EQ(truths("b is not true"), (Table{T, T, T, F, F, F, T, T, T}));
  EXPECT_EQ(truths("b is false"), (Table{T, T, T, F, F, F, F, F, F}));
  EXPECT_EQ(truths("b is not false"), (Table{F, F, F, T, T, T, T, T, T}));
  EXPECT_EQ(truths("b is unknown"), (Table{F, F, F, F, F, F, T, T, T}));
  EXPECT_EQ(truths("b is not unknown"), (Table{T, T, T, T, T, T, F, F, F}));
  EXPECT_EQ(truths("b is null"), (Table{F, F, F, F, F, F, T, T, T}));
  EXPECT_EQ(truths("b is not null"), (Table{T, T, T, T, T, T, F, F, F}));
}

TEST(Evaluator, AnswersABareColumnWithTheBatchsOwn) {
  Evaluator evaluator = compiled("d");
  const EventBatch batch = one_row();
  std::vector<RowError> errors;
  EXPECT_EQ(&evaluator.evaluate(batch, &errors), &batch.columns[2]);
}

TEST(Evaluator, ReportsEachFailedRowOnceInRowOrder) {
  EventBatch batch = nulls(4);
  batch.columns[0].nulls.assign(4, 0);
  batch.columns[0].ints = {0, 1, 0, 2};
  // Row 0 fails in both arguments, row 2 too; rows 1 and 3 in neither.
  Evaluator evaluator = compiled("1 / (n - 2) + 1 / n * (1 / n)");
  std::vector<RowError> errors = {{9, "of before"}};
  const Column& out = evaluator.evaluate(batch, &errors);
  ASSERT_EQ(errors.size(), 4u);
  EXPECT_EQ(errors[0].row, 9u);
  EXPECT_EQ(errors[1].row, 0u);
  EXPECT_EQ(errors[2].row, 2u);
  EXPECT_EQ(errors[3].row, 3u);
  EXPECT_EQ(out.nulls, (std::vector<uint8_t>{1, 0, 1, 1}));
  EXPECT_EQ(out.ints, (std::vector<int64_t>{0, 0, 0, 0}));
}

TEST(Evaluator, KeepsItsPlaceFromBatchToBatch) {
  Evaluator evaluator = compiled("n > 1 and n::text <> '3'");
  const auto run = [&](std::vector<int64_t> values) {
    EventBatch batch = nulls(values.size());
    batch.columns[0].nulls.assign(values.size(), 0);
    batch.columns[0].ints = std::move(values);
    std::vector<RowError> errors;
    return evaluator.evaluate(batch, &errors).bools;
  };
  using Bools = std::vector<uint8_t>;
  EXPECT_EQ(run({1, 2, 3, 4}), (Bools{0, 1, 0, 1}));
  EXPECT_EQ(run({3}), (Bools{0}));
  EXPECT_EQ(run({}), (Bools{}));
  EXPECT_EQ(run({9, 1, 3, 3, 9, 2}), (Bools{1, 0, 0, 0, 1, 1}));
}

TEST(Evaluator, RefusesWhatIsNotWellFormed) {
  const auto refused = [](const proto::Expr& expr) {
    return !Evaluator::compile(expr, types()).ok();
  };
  proto::Expr expr;
  EXPECT_TRUE(refused(expr));
  expr.set_op(proto::Expr::COLUMN);
  expr.set_type(proto::INT32);
  EXPECT_FALSE(refused(expr));
  expr.set_column(7);
  EXPECT_TRUE(refused(expr));  // there is no such column
  expr.set_column(1);
  EXPECT_TRUE(refused(expr));  // it has another type
  expr = *parse_expression("n + 1", schema());
  expr.mutable_args(1)->set_type(proto::INT64);
  EXPECT_TRUE(refused(expr));  // int32 + int64
  expr = *parse_expression("n + 1", schema());
  expr.mutable_args()->RemoveLast();
  EXPECT_TRUE(refused(expr));
  expr = *parse_expression("n + 1", schema());
  expr.set_op(static_cast<proto::Expr::Op>(99));
  EXPECT_TRUE(refused(expr));
  expr = *parse_expression("b and c", schema());
  expr.set_type(proto::INT32);
  EXPECT_TRUE(refused(expr));
  expr = *parse_expression("5", schema());
  expr.set_literal_int(int64_t{1} << 40);
  EXPECT_TRUE(refused(expr));  // no int32
  expr.set_literal_double(1);
  EXPECT_TRUE(refused(expr));
  expr = *parse_expression("'a'", schema());
  expr.set_literal_string("\xff");
  EXPECT_TRUE(refused(expr));
  proto::Expr deep = *parse_expression("n", schema());
  for (int i = 0; i < 64; ++i) {
    proto::Expr outer;
    outer.set_op(proto::Expr::NEGATE);
    outer.set_type(proto::INT32);
    *outer.add_args() = deep;
    deep = outer;
  }
  EXPECT_TRUE(refused(deep));
  EXPECT_FALSE(refused(deep.args(0)));
}

}  // namespace
}  // namespace tidemill
