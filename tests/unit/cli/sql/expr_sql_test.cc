#include "cli/sql/expr_sql.h"

#include <gtest/gtest.h>

#include "shared/expr/parser.h"
#include "shared/expr/types.h"

namespace tidemill::sql {
namespace {

const std::vector<NamedColumn> kSchema{{"n", proto::INT64},
                                       {"i", proto::INT32},
                                       {"x", proto::DOUBLE},
                                       {"s", proto::STRING},
                                       {"t", proto::TIMESTAMP},
                                       {"b", proto::BOOL},
                                       named_column("m", *parse_type("decimal(12, 2)")),
                                       named_column("tags", *parse_type("list<string>"))};

Result<std::string> print(const std::string& expression, Dialect dialect) {
  const auto parsed = parse_expression(expression, kSchema);
  EXPECT_TRUE(parsed.ok()) << expression;
  const DialectText text(dialect);
  std::vector<std::string> columns;
  for (const NamedColumn& column : kSchema) columns.push_back(text.name(column.name));
  return expression_sql(*parsed, columns, text);
}

std::string printed(const std::string& expression, Dialect dialect) {
  const auto text = print(expression, dialect);
  return text.ok() ? *text : text.error().message();
}

TEST(ExprSql, SaysTheSameInEveryDialect) {
  const std::string expression = "n > 5 and (s = 'it''s' or not b) and x is not null";
  EXPECT_EQ(printed(expression, Dialect::kPostgres),
            "((\"n\" > cast('5' as bigint)) and ((\"s\" = 'it''s') or (not \"b\")) and "
            "(\"x\" is not null))");
  EXPECT_EQ(printed(expression, Dialect::kDuckdb), printed(expression, Dialect::kPostgres));
  EXPECT_EQ(printed(expression, Dialect::kSpark),
            "((`n` > cast('5' as bigint)) and ((`s` = 'it\\'s') or (not `b`)) and "
            "(`x` is not null))");
}

TEST(ExprSql, DivisionTruncatesAndFailsAtZero) {
  EXPECT_EQ(printed("n / i", Dialect::kPostgres), "(\"n\" / cast(\"i\" as bigint))");
  EXPECT_EQ(printed("i / i", Dialect::kDuckdb),
            "(case when \"i\" = 0 then error('division by zero') else \"i\" // \"i\" end)");
  EXPECT_EQ(printed("i / i", Dialect::kSpark),
            "(case when `i` = 0 then raise_error('division by zero') else `i` div `i` end)");
  EXPECT_EQ(printed("x / x", Dialect::kDuckdb),
            "(case when \"x\" = 0 then error('division by zero') else \"x\" / \"x\" end)");
}

TEST(ExprSql, CastsRoundHalfToEvenAndFlagsBecomeNumbers) {
  EXPECT_EQ(printed("cast(x as int64)", Dialect::kPostgres), "cast(\"x\" as bigint)");
  EXPECT_EQ(printed("cast(x as int64)", Dialect::kDuckdb), "cast(round_even(\"x\", 0) as bigint)");
  EXPECT_EQ(printed("cast(x as int64)", Dialect::kSpark), "cast(rint(`x`) as bigint)");
  EXPECT_EQ(printed("cast(b as double)", Dialect::kPostgres),
            "cast(cast(\"b\" as integer) as double precision)");
  EXPECT_EQ(printed("cast(b as double)", Dialect::kDuckdb), "cast(\"b\" as double)");
}

TEST(ExprSql, Decimals) {
  EXPECT_EQ(printed("m * 1.10 > 5", Dialect::kPostgres),
            "((\"m\" * cast('1.10' as numeric(3, 2))) > cast('5' as numeric(1, 0)))");
  EXPECT_EQ(printed("m * 1.10 > 5", Dialect::kDuckdb),
            "((\"m\" * cast('1.10' as decimal(3, 2))) > cast('5' as decimal(1, 0)))");
  EXPECT_EQ(printed("m + n", Dialect::kSpark), "(`m` + cast(`n` as decimal(19, 0)))");
  EXPECT_EQ(printed("cast(m as decimal(5, 1))", Dialect::kSpark), "cast(`m` as decimal(5, 1))");
  EXPECT_EQ(printed("m / 3", Dialect::kPostgres), "(\"m\" / cast('3' as numeric(1, 0)))");
  for (const char* text : {"m / 3", "m % 3", "cast(x as decimal(12, 2))",
                           "cast(s as decimal(5, 2))", "m * m * m * m"}) {
    EXPECT_FALSE(print(text, Dialect::kDuckdb).ok()) << text;
    EXPECT_TRUE(print(text, Dialect::kPostgres).ok()) << text;
  }
  EXPECT_FALSE(print("cast(m as int64)", Dialect::kSpark).ok());
}

TEST(ExprSql, ListsAreRefused) {
  for (const char* text : {"'a' = any(tags)", "tags[1]", "tags is null", "tags"}) {
    EXPECT_EQ(
        printed(text, Dialect::kPostgres),
        "'" + parse_expression(text, kSchema)->text() +
            "' cannot be said in postgres SQL: lists, structs and maps are not written as SQL; "
            "choose features without them by --service");
  }
}

TEST(ExprSql, StringsCompareByBytes) {
  EXPECT_EQ(printed("s < 'm'", Dialect::kPostgres), "(\"s\" collate \"C\" < 'm' collate \"C\")");
  EXPECT_EQ(printed("s < 'm'", Dialect::kDuckdb), "(\"s\" < 'm')");
}

TEST(ExprSql, LiteralsKeepEveryBit) {
  EXPECT_EQ(printed("x + 0.1", Dialect::kPostgres),
            "(\"x\" + cast('0.10000000000000001' as double precision))");
  EXPECT_EQ(printed("t > '2018-04-01T00:00:00.5Z'", Dialect::kDuckdb),
            "(\"t\" > cast('2018-04-01T00:00:00.500Z' as timestamptz))");
  EXPECT_EQ(printed("n = -9223372036854775808", Dialect::kPostgres),
            "(\"n\" = cast('-9223372036854775808' as bigint))");
}

TEST(ExprSql, WhatADialectSaysOtherwiseIsRefused) {
  EXPECT_EQ(
      printed("cast(t as string) = 'x'", Dialect::kPostgres),
      "'cast(t as string) = 'x'' cannot be said in postgres SQL: it writes timestamps otherwise; "
      "leave the cast out");
  EXPECT_EQ(printed("cast(x as string) = 'x'", Dialect::kPostgres), "(cast(\"x\" as text) = 'x')");
  EXPECT_FALSE(print("cast(x as string) = 'x'", Dialect::kDuckdb).ok());
}

TEST(ExprSql, AnOperationThatIsNotKnownIsRefused) {
  proto::Expr call;
  call.set_op(proto::Expr::CALL);
  call.set_function("soundex");
  call.set_text("soundex(s)");
  const auto text = expression_sql(call, {}, DialectText(Dialect::kSpark));
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().message(),
            "'soundex(s)' cannot be said in spark SQL: it is not known how to print function "
            "soundex");
  call.set_op(static_cast<proto::Expr::Op>(99));
  EXPECT_FALSE(expression_sql(call, {}, DialectText(Dialect::kSpark)).ok());
}

}  // namespace
}  // namespace tidemill::sql
