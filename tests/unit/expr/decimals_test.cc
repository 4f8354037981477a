// Decimals in expressions: their literals, digits, casts and errors, and that texts read back.
#include <gtest/gtest.h>

#include "shared/base/decimal.h"
#include "shared/expr/evaluator.h"
#include "shared/expr/functions.h"
#include "shared/expr/parser.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

NamedColumn decimal_column(const std::string& name, const std::string& type) {
  return named_column(name, *parse_type(type));
}

const std::vector<NamedColumn>& schema() {
  static const std::vector<NamedColumn> all = {decimal_column("price", "decimal(12, 2)"),
                                               decimal_column("rate", "numeric(8,4)"),
                                               {"n", proto::INT64},
                                               {"i", proto::INT32},
                                               {"x", proto::DOUBLE},
                                               {"s", proto::STRING}};
  return all;
}

proto::Expr parsed(const std::string& text) {
  Result<proto::Expr> expr = parse_expression(text, schema());
  EXPECT_TRUE(expr.ok()) << text << ": " << (expr.ok() ? "" : expr.error().message());
  return expr.ok() ? *expr : proto::Expr();
}

std::string error_of(const std::string& text) {
  const Result<proto::Expr> expr = parse_expression(text, schema());
  return expr.ok() ? "" : expr.error().message();
}

std::string type_of(const std::string& text) { return type_name(full_type(parsed(text))); }

// For price 12.50, rate 0.0325, n = 3, i = 7, x = 1.5, s = '2.20'.
std::string value(const std::string& text) {
  std::vector<std::string> kept = {"12.50", "0.0325"};
  for (std::string& each : kept) {
    Decimal number;
    EXPECT_EQ(parse_decimal(each, &number), DecimalText::kGood);
    char bytes[kMaxDecimalEncoding];
    each.assign(bytes, encode_decimal(number, bytes));
  }
  EventBatch batch;
  std::vector<ColumnType> types;
  for (const NamedColumn& each : schema()) {
    Column column;
    column.type = static_cast<ColumnType>(each.type);
    column.nulls = {0};
    column.ints = {each.name == "n" ? 3 : 7};
    column.doubles = {1.5};
    column.strings = {each.name == "price"  ? std::string_view(kept[0])
                      : each.name == "rate" ? std::string_view(kept[1])
                                            : std::string_view("2.20")};
    batch.columns.push_back(column);
    types.push_back(column.type);
  }
  batch.offsets = {0};
  const proto::Expr expr = parsed(text);
  Result<Evaluator> evaluator = Evaluator::compile(expr, types);
  if (!evaluator.ok()) return evaluator.error().message();
  std::vector<RowError> errors;
  const Column& out = evaluator->evaluate(batch, &errors);
  if (!errors.empty()) return std::string("!") + errors[0].sqlstate;
  if (out.nulls[0] != 0) return "null";
  switch (storage_of(out.type)) {
    case Storage::kBits:
      return out.bools[0] != 0 ? "true" : "false";
    case Storage::kDoubles:
      return std::to_string(out.doubles[0]);
    case Storage::kStrings:
      return out.type == ColumnType::kDecimal ? decimal_bytes_to_string(out.strings[0])
                                              : std::string(out.strings[0]);
    default:
      return std::to_string(out.ints[0]);
  }
}

TEST(DecimalExpressions, HaveTheDigitsThatFollow) {
  EXPECT_EQ(type_of("price"), "decimal(12, 2)");
  EXPECT_EQ(type_of("price + rate"), "decimal(15, 4)");
  EXPECT_EQ(type_of("price * rate"), "decimal(20, 6)");
  EXPECT_EQ(type_of("price + 1"), "decimal(13, 2)");
  EXPECT_EQ(type_of("price * 1.125"), "decimal(16, 5)");
  EXPECT_EQ(type_of("price + n"), "decimal(22, 2)");
  EXPECT_EQ(type_of("-price"), "decimal(12, 2)");
  EXPECT_EQ(type_of("price % 7"), "decimal(12, 2)");
  EXPECT_EQ(type_of("round(price)"), "decimal(11, 0)");
  EXPECT_EQ(type_of("round(price * rate, 3)"), "decimal(18, 3)");
  EXPECT_EQ(type_of("coalesce(price, 0)"), "decimal(12, 2)");
  EXPECT_EQ(type_of("coalesce(price, '0')"), "decimal(12, 2)");
  EXPECT_EQ(type_of("greatest(price, rate)"), "decimal(14, 4)");
  EXPECT_EQ(type_of("case when i > 1 then price else null end"), "decimal(12, 2)");
  EXPECT_EQ(type_of("price / 3"), "decimal");
  EXPECT_EQ(type_of("round(price, i)"), "decimal");
  EXPECT_EQ(type_of("cast(s as numeric)"), "decimal");
  EXPECT_EQ(type_of("cast(price / 3 as decimal(20, 6))"), "decimal(20, 6)");
  EXPECT_EQ(type_of("cast(i as numeric)"), "decimal(10, 0)");
  EXPECT_EQ(type_of("try(price * 2)"), "decimal(13, 2)");
  EXPECT_EQ(type_of("price * x"), "double");
}

TEST(DecimalExpressions, AreExact) {
  EXPECT_EQ(value("price"), "12.50");
  EXPECT_EQ(value("price * 3"), "37.50");
  EXPECT_EQ(value("price * rate"), "0.406250");
  EXPECT_EQ(value("price / 3"), "4.1666666666666667");
  EXPECT_EQ(value("cast(price / 3 as decimal(10, 3))"), "4.167");
  EXPECT_EQ(value("price - 0.1"), "12.40");
  EXPECT_EQ(value("cast(price * 1.10 as string)"), "13.7500");
  EXPECT_EQ(value("round(price * rate, 2)"), "0.41");
  EXPECT_EQ(value("price % 5"), "2.50");
  EXPECT_EQ(value("price + s::numeric"), "14.70");
  EXPECT_EQ(value("price > 12.4999999999999999999"), "true");
  EXPECT_EQ(value("price = 12.5"), "true");
  EXPECT_EQ(value("price in (1.5, 12.5)"), "true");
  EXPECT_EQ(value("cast(price as int32)"), "13");
  EXPECT_EQ(value("price * x"), "18.750000");
  EXPECT_EQ(value("coalesce(null, price, 0)"), "12.50");
  EXPECT_EQ(value("nullif(price, 12.5)"), "null");
}

// A literal with a point is a double but beside a decimal, as is what is made of such and integers.
TEST(DecimalExpressions, LiteralsAreAsWritten) {
  EXPECT_EQ(type_of("1.10"), "double");
  EXPECT_EQ(type_of("n * 1.10"), "double");
  EXPECT_EQ(value("price + n * 1.10"), "15.80");
  EXPECT_EQ(value("(2 + 3) * 1.1 + price"), "18.00");
  EXPECT_EQ(value("price * - 1.10"), "-13.7500");
  EXPECT_EQ(value("price + (1.5 - 2) * 3"), "11.00");
  EXPECT_EQ(value("5.5 % 2.2"), "1.1");
  EXPECT_EQ(value("7 % 2.5"), "2.0");
  EXPECT_EQ(value("mod(7.5, 2)"), "1.5");
  EXPECT_EQ(value("price + x * 1.1"), "14.150000");
  EXPECT_EQ(value("greatest(price, 12.75)"), "12.75");
  EXPECT_EQ(value("case when i = 7 then 0.5 else price end"), "0.50");
}

TEST(DecimalExpressions, Fail) {
  EXPECT_EQ(value("price / (n - 3)"), "!22012");
  EXPECT_EQ(value("price % (n - 3)"), "!22012");
  EXPECT_EQ(value("cast(price as decimal(3, 2))"), "!22003");
  EXPECT_EQ(value("cast(s || 'x' as numeric)"), "!22P02");
  EXPECT_EQ(value("cast(x / 0.5e-200 as numeric)"), "!22003");
  EXPECT_EQ(value("price * cast('9999999999999999999999999999999999' as numeric) * 9999"),
            "!22003");
  EXPECT_EQ(value("try(price / (n - 3))"), "null");
  EXPECT_TRUE(can_fail(parsed("price + 1")));
  EXPECT_TRUE(can_fail(parsed("cast(price as decimal(12, 1))")));
  EXPECT_FALSE(can_fail(parsed("price > n")));
  EXPECT_TRUE(can_fail(parsed("cast(i as decimal(5, 0)) > 1")));
}

TEST(DecimalExpressions, AreRefusedWithWhatIsRight) {
  EXPECT_NE(error_of("cast(s as decimal(39, 2))").find("p from 1 to 38"), std::string::npos);
  EXPECT_NE(error_of("cast(s as decimal(2, 3))").find("s from 0 to p"), std::string::npos);
  EXPECT_NE(error_of("price::bool").find("no cast from decimal to bool"), std::string::npos);
  EXPECT_NE(error_of("x % 2").find("write cast(x as int64)"), std::string::npos);
  EXPECT_NE(error_of("price = s").find("cast(s as decimal)"), std::string::npos);
}

TEST(DecimalExpressions, TextReadsBackAsTheSame) {
  for (const char* text : {"price + 1.10",
                           "1.10 * price",
                           "price + n",
                           "price in (1.5, 2)",
                           "5.5 % 2.2",
                           "cast(price / 3 as decimal(20, 6))",
                           "coalesce(price, 0, 1.50)",
                           "cast(s as numeric)",
                           "round(price, 1)",
                           "-price - -1.50",
                           "cast('1.50' as decimal(10, 2))",
                           "price > -1.0",
                           "case price when 1.5 then 2.5 else rate end",
                           "greatest(price, 1.5)",
                           "price + 5",
                           "cast(null as decimal(10, 2))",
                           "price is distinct from 1.5",
                           "n * 1.1 + price",
                           "try(price / 0.00)",
                           "price between 0.5 and 1e3"}) {
    const proto::Expr expr = parsed(text);
    const proto::Expr again = parsed(expr.text());
    EXPECT_EQ(again.SerializeAsString(), expr.SerializeAsString()) << text << ": " << expr.text();
  }
}

TEST(TypeText, IsReadAndWritten) {
  const auto same = [](const std::string& text) {
    const Result<proto::Type> type = parse_type(text);
    return type.ok() ? type_name(*type) : type.error().message();
  };
  EXPECT_EQ(same("decimal(12,2)"), "decimal(12, 2)");
  EXPECT_EQ(same("NUMERIC( 12 , 2 )"), "decimal(12, 2)");
  EXPECT_EQ(same("decimal(5)"), "decimal(5, 0)");
  EXPECT_EQ(same("string[]"), "list<string>");
  EXPECT_EQ(same("list<double precision>"), "list<double>");
  EXPECT_EQ(same("map<string, list<decimal(9, 3)>>"), "map<string, list<decimal(9, 3)>>");
  EXPECT_EQ(same("struct<a: int, \"B c\": map<int64, bool>[]>"),
            "struct<a: int32, \"B c\": list<map<int64, bool>>>");
  EXPECT_EQ(same("double precision"), "double");
}

TEST(TypeText, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "decimal(",
                           "decimal(0)",
                           "decimal(39)",
                           "decimal(3, 4)",
                           "decimal(1, 2, 3)",
                           "list",
                           "list<>",
                           "list<int",
                           "map<string>",
                           "map<double, int>",
                           "map<json, int>",
                           "struct<>",
                           "struct<a>",
                           "struct<a: int, a: int>",
                           "int(3)",
                           "list<decimal>",
                           "list<interval>",
                           "string]",
                           "int int",
                           "list<list<list<list<list<list<list<list<list<int>>>>>>>>>"}) {
    EXPECT_FALSE(parse_type(text).ok()) << text;
  }
}

}  // namespace
}  // namespace tidemill
