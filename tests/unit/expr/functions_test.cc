// The registry of functions, what is evaluated where, and that texts read back as they were.
#include "shared/expr/functions.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "shared/expr/evaluator.h"
#include "shared/expr/parser.h"
#include "shared/expr/printer.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

const std::vector<NamedColumn> kSchema = {
    {"b", proto::BOOL},   {"i", proto::INT32},  {"n", proto::INT64},
    {"x", proto::DOUBLE}, {"s", proto::STRING}, {"t", proto::TIMESTAMP},
    {"d", proto::DATE},   {"z", proto::BYTES},  {"p", proto::JSON}};

proto::Expr parsed(const std::string& text) {
  Result<proto::Expr> expr = parse_expression(text, kSchema);
  EXPECT_TRUE(expr.ok()) << text << ": " << expr.error().message();
  return expr.ok() ? *expr : proto::Expr();
}

// The value for rows i = 0, 1, 2 (n = i, s = "a0", ...), as text: null, or ! and the SQLSTATE.
std::vector<std::string> values(const std::string& text) {
  EventBatch batch;
  std::vector<ColumnType> types;
  const std::vector<std::string_view> strings = {"a0", "a1", "a2"};
  for (const NamedColumn& name : kSchema) {
    Column column;
    column.type = static_cast<ColumnType>(name.type);
    column.nulls = {0, 0, 0};
    column.bools = {0, 1, 1};
    column.ints = {0, 1, 2};
    column.doubles = {0, 1, 2};
    column.strings = strings;
    if (name.type == proto::JSON) column.strings = {"{}", R"({"a": 1})", R"({"a": "x"})"};
    batch.columns.push_back(column);
    types.push_back(column.type);
  }
  batch.offsets = {0, 1, 2};
  const proto::Expr expr = parsed("cast((" + text + ") as string)");
  Result<Evaluator> evaluator = Evaluator::compile(expr, types);
  std::vector<RowError> errors;
  const Column& column = evaluator->evaluate(batch, &errors);
  std::vector<std::string> out;
  for (size_t row = 0; row < 3; ++row) {
    out.push_back(column.nulls[row] != 0 ? "null" : std::string(column.strings[row]));
  }
  for (const RowError& error : errors) out[error.row] = std::string("!") + error.sqlstate;
  return out;
}
using Values = std::vector<std::string>;

TEST(Functions, AreDescribedOnce) {
  std::set<std::string> seen;
  for (const FunctionFamily& family : function_families()) {
    for (const SqlFunction& each : family.functions) {
      EXPECT_TRUE(seen.insert(signature(each)).second) << signature(each);
      EXPECT_NE(each.kernel, nullptr);
      EXPECT_FALSE(each.summary.empty());
      EXPECT_EQ(find_function(each.name, each.args), &each) << signature(each);
    }
  }
}

TEST(Functions, OverloadsByTheFewestConversions) {
  EXPECT_EQ(parsed("abs(i)").type(), proto::INT32);
  EXPECT_EQ(parsed("abs(n)").type(), proto::INT64);
  EXPECT_EQ(parsed("mod(i, n)").type(), proto::INT64);
  EXPECT_EQ(parsed("round(i)").type(), proto::DOUBLE);
  EXPECT_EQ(parsed("date_trunc('day', d)").type(), proto::TIMESTAMP);
  EXPECT_EQ(parsed("length('abc')").args(0).type(), proto::STRING);
  EXPECT_EQ(parsed("d - '2018-01-01'").type(), proto::INT32);
}

TEST(Conditionals, EvaluateARowOnlyWhereItGets) {
  EXPECT_EQ(values("case when i = 0 then -1 else 10 / i end"), (Values{"-1", "10", "5"}));
  EXPECT_EQ(values("case when 10 / i > 5 then 1 else 2 end"), (Values{"!22012", "1", "2"}));
  EXPECT_EQ(values("coalesce(nullif(i, 0), 5 / i)"), (Values{"!22012", "1", "2"}));
  EXPECT_EQ(values("coalesce(i, 1 / 0)"), (Values{"0", "1", "2"}));
  EXPECT_EQ(values("case i when 1 then 'one' when 2 then 'two' end"),
            (Values{"null", "one", "two"}));
  // A constant that fails does so where it is reached, as any other.
  EXPECT_EQ(values("case when i < 5 then i else 1 / 0 end"), (Values{"0", "1", "2"}));
}

TEST(Conditionals, TryIsNullWhereItsArgumentFails) {
  EXPECT_EQ(values("try(10 / i)"), (Values{"null", "10", "5"}));
  EXPECT_EQ(values("coalesce(try(10 / i), -1) + 10 / (i - 1)"), (Values{"-11", "!22012", "15"}));
  EXPECT_EQ(values("try(coalesce(10 / i, 7))"), (Values{"null", "10", "5"}));
  EXPECT_FALSE(can_fail(parsed("try(10 / i)")));
}

TEST(Conditionals, InWithNulls) {
  EXPECT_EQ(values("i in (1, null)"), (Values{"null", "true", "null"}));
  EXPECT_EQ(values("i not in (1, null)"), (Values{"null", "false", "null"}));
  EXPECT_EQ(values("i in (0, n + 1, 2)"), (Values{"true", "false", "true"}));
}

TEST(Functions, SayWhetherTheyCanFail) {
  EXPECT_FALSE(can_fail(parsed("lower(s) = 'a'")));
  EXPECT_FALSE(can_fail(parsed("extract(hour from t) < 6")));
  EXPECT_FALSE(can_fail(parsed("coalesce(p -> 'a', p -> 0)")));
  EXPECT_TRUE(can_fail(parsed("p ->> 'a'")));
  EXPECT_TRUE(can_fail(parsed("sqrt(x)")));
  EXPECT_TRUE(can_fail(parsed("case when b then 1 / i end")));
}

TEST(Patterns, TakeLinearTime) {
  const std::string text = "repeat('a', 4000)";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(values(text + " || s ~ '(a|aa)+$'")[0], "false");
  EXPECT_EQ(values(text + " || s ~ '^(a*)*(a*)*(a*)*$'")[0], "false");
  EXPECT_EQ(values(text + " || s like '%a%a%a%a%a%a%a%a%a%ab%'")[0], "false");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(Patterns, OfAColumnMayBeInvalid) {
  EXPECT_EQ(values("s ~ replace(s, 'a1', '(')"), (Values{"true", "!2201B", "true"}));
}

TEST(Patterns, OfSimilarToAsARegularExpression) {
  const auto regex = [](const std::string& pattern) {
    return values("similar_to_escape('" + pattern + "')")[0];
  };
  EXPECT_EQ(regex("a_[b_]%"), "^(?:a.[b_].*)$");
  // `]` at the beginning of brackets, and brackets within, do not end them.
  EXPECT_EQ(regex("[]_]_"), "^(?:[]_].)$");
  EXPECT_EQ(regex("[^]_]_"), "^(?:[^]_].)$");
  EXPECT_EQ(regex("[a^]_"), "^(?:[a^].)$");
  EXPECT_EQ(regex("[[:alpha:]_]_"), "^(?:[[:alpha:]_].)$");
  EXPECT_EQ(regex("[\\]_]_"), "^(?:[\\]_].)$");
  EXPECT_EQ(values("'a_' similar to '[]a]\\_'")[0], "true");
  // Quotes around a part.
  EXPECT_EQ(regex("a\\\"b\\\"c"), "^(?:a){1,1}?(b){1,1}(?:c)$");
  EXPECT_EQ(regex("\\\"\\\"\\\""), "!2200C");
  EXPECT_EQ(values("'abc' similar to 'a\\\"_\\\"c'")[0], "true");
}

TEST(Times, SecondsAreRoundedBeforeTheyAreChecked) {
  const auto made = [](const std::string& seconds) {
    return values("make_timestamptz(2018, 4, 1, 0, 0, cast('" + seconds + "' as double))")[0];
  };
  EXPECT_EQ(made("-1e-300"), "2018-04-01T00:00:00Z");
  EXPECT_EQ(made("60.0000004"), "2018-04-01T00:01:00Z");
  EXPECT_EQ(made("-0.0000006"), "!22008");
  EXPECT_EQ(made("60.0000006"), "!22008");
}

TEST(Json, PartsAreNullWhereThereIsNone) {
  EXPECT_EQ(values("p ->> 'a'"), (Values{"null", "1", "x"}));
  EXPECT_EQ(values("p -> 'a'"), (Values{"null", "1", "\"x\""}));
  EXPECT_EQ(values("try((p ->> 'a')::int)"), (Values{"null", "1", "null"}));
}

TEST(Text, ResultsAreBounded) {
  EXPECT_EQ(values("length(repeat('ab', 1000000))")[0], "!54000");
  EXPECT_EQ(values("length(repeat('ab', 500000))")[0], "1000000");
}

// Nested case and between repeat what is written once; that ends at the limit, not in memory.
TEST(Expansion, IsBounded) {
  std::string text = "i";
  for (int depth = 0; depth < 40; ++depth)
    text = "case " + text + " when 1 then 2 when 3 then 4 end";
  const auto expr = parse_expression(text, kSchema);
  ASSERT_FALSE(expr.ok());
  EXPECT_NE(expr.error().message().find("more than 4096 parts"), std::string::npos);
}

TEST(Printer, TextReadsBackAsTheSame) {
  std::vector<std::string> names;
  for (const NamedColumn& column : kSchema) names.push_back(column.name);
  for (const char* text : {"case when b then i else n end",
                           "case i when 1 then s else 'x' end",
                           "coalesce(s, 'none')",
                           "nullif(i, n)",
                           "i in (1, 2, n)",
                           "i not in (1, 2)",
                           "t between '2018-01-01' and t",
                           "i not between symmetric 1 and n",
                           "s like 'a%' escape '#'",
                           "not s ilike '%b'",
                           "s similar to 'a|b'",
                           "s !~* '^a' or b",
                           "(s || 'x') || (i || s)",
                           "s || (s like 'a')::text",
                           "s is distinct from null",
                           "(b is true) is not distinct from (i = 1)",
                           "greatest(i, n, 2.5)",
                           "least(t, '2018-01-01')",
                           "substring(s from 2 for 3)",
                           "position('a' in s)",
                           "trim(both 'x' from s)",
                           "- (x ^ 2)",
                           "power(x, 2) * (i - (n - 1))",
                           "abs(-i)",
                           "- - x",
                           "extract(hours from t at time zone 'Europe/Berlin')",
                           "date_part('epoch', t - t)",
                           "date_trunc('day', t, 'Asia/Kolkata')",
                           "t + interval '1 mon -3 days 04:05:06.5'",
                           "t - 2 * interval '1 day' > t",
                           "(d + interval '1 day') at time zone 'UTC'",
                           "d + 1 - d",
                           "extract(dow from d)",
                           "cast(- interval '1 day' as string)",
                           "p -> 'a' ->> 0",
                           "p #>> '{a,1}'",
                           "p -> (s || 'b')",
                           "(p ->> 'a')::json -> 'b'",
                           "z = '\\x00ff'",
                           "md5(z) || md5(s)",
                           "cast(null as date)",
                           "cast('{\"a\": 1}' as json) -> 'a'",
                           "try(1 / i) is null",
                           "'2018-01-01'::date < d",
                           "concat(s, i, 'x', n)",
                           "hashtextextended(s, 5)",
                           "pi() * x"}) {
    const proto::Expr expr = parsed(text);
    const proto::Expr again = parsed(expr.text());
    EXPECT_EQ(again.SerializeAsString(), expr.SerializeAsString()) << text << ": " << expr.text();
  }
}

std::string table() {
  std::string out;
  for (const FunctionFamily& family : function_families()) {
    out += "\n### " + std::string(family.title) + "\n\n| | gives | |\n|---|---|---|\n";
    for (const SqlFunction& each : family.functions) {
      std::string call = signature(each);
      for (size_t at = call.find('|'); at != std::string::npos; at = call.find('|', at + 2)) {
        call.insert(at, "\\");
      }
      const std::string result = each.result == kAnyType ? "its type" : type_name(each.result);
      out += "| `" + call + "` | " + result + " | " + std::string(each.summary) +
             (each.can_fail ? "" : " †") + " |\n";
    }
  }
  return out;
}

// TIDEMILL_WRITE_DOCS=1 writes the table anew.
TEST(Functions, AreInTheDocumentation) {
  const std::string path = std::string(TIDEMILL_TREE) + "/docs/expressions.md";
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  const std::string all = text.str();
  const std::string marker = "<!-- The rest is written by functions_test. -->\n";
  const size_t at = all.find(marker);
  ASSERT_NE(at, std::string::npos);
  if (std::getenv("TIDEMILL_WRITE_DOCS") != nullptr) {
    std::ofstream(path) << all.substr(0, at) << marker << table();
  } else {
    EXPECT_EQ(all.substr(at + marker.size()), table());
  }
}

}  // namespace
}  // namespace tidemill
