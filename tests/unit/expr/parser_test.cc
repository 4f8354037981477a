#include "shared/expr/parser.h"

#include <gtest/gtest.h>

#include "shared/expr/check.h"

namespace tidemill {
namespace {

const std::vector<NamedColumn>& schema() {
  static const std::vector<NamedColumn> columns = {
      {"id", proto::INT64},        {"n", proto::INT32},      {"amount", proto::DOUBLE},
      {"ok", proto::BOOL},         {"name", proto::STRING},  {"at", proto::TIMESTAMP},
      {"MixedCase", proto::INT32}, {"select", proto::INT32}, {"with space", proto::INT32},
      {"straße", proto::DOUBLE}};
  return columns;
}

struct Case {
  const char* text;
  const char* expected;
};

class Canonical : public testing::TestWithParam<Case> {};

TEST_P(Canonical, IsPrintedAndReadsBackTheSame) {
  const Result<proto::Expr> expr = parse_expression(GetParam().text, schema());
  ASSERT_TRUE(expr.ok()) << GetParam().text << ": " << expr.error().message();
  EXPECT_EQ(expr->text(), GetParam().expected);
  const Result<proto::Expr> again = parse_expression(expr->text(), schema());
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->SerializeAsString(), expr->SerializeAsString());
}

INSTANTIATE_TEST_SUITE_P(
    Expressions, Canonical,
    testing::Values(
        Case{"amount", "amount"}, Case{"AMOUNT", "amount"}, Case{"\"amount\"", "amount"},
        Case{"\"MixedCase\"", "\"MixedCase\""}, Case{"\"select\"", "\"select\""},
        Case{"\"with space\" + 1", "\"with space\" + 1"}, Case{"straße", "\"straße\""},
        Case{"-2", "-2"}, Case{"-(2)", "-2"}, Case{"- -2", "2"}, Case{"-0", "0"}, Case{"0", "0"},
        Case{"5 - 3", "5 - 3"}, Case{"5 -3", "5 - 3"}, Case{"5 - -3", "5 - -3"},
        Case{"2147483647", "2147483647"}, Case{"-2147483648", "-2147483648"},
        Case{"2147483648", "2147483648"}, Case{"-9223372036854775808", "-9223372036854775808"},
        Case{"1.50", "1.5"}, Case{"1e3", "1000.0"}, Case{"1e20", "1e+20"}, Case{".5", "0.5"},
        Case{"-1.5e3", "-1500.0"}, Case{"9223372036854775808", "9.223372036854776e+18"},
        Case{"'it''s'", "'it''s'"}, Case{"true", "true"}, Case{"null", "cast(null as string)"},
        Case{"amount > 0", "amount > 0.0"}, Case{"0 < amount", "0.0 < amount"},
        Case{"id > 5", "id > 5"}, Case{"id = n", "id = cast(n as int64)"},
        Case{"n + amount", "cast(n as double) + amount"},
        Case{"n + 1.5", "cast(n as double) + 1.5"}, Case{"n = null", "n = null"},
        Case{"null = null", "cast(null as string) = cast(null as string)"},
        Case{"ok and null", "ok and null"}, Case{"ok = 't'", "ok = true"},
        Case{"at > '2018-01-01'", "at > '2018-01-01T00:00:00Z'"},
        Case{"timestamp '2018-01-01 01:00:00' < at", "'2018-01-01T01:00:00Z' < at"},
        Case{"timestamptz '2018-01-01T01:00:00+01:00'",
             "cast('2018-01-01T00:00:00Z' as timestamp)"},
        Case{"id > '7'", "id > 7"}, Case{"amount = ' 1.25 '", "amount = 1.25"},
        Case{"amount = 'NaN'", "amount = cast('NaN' as double)"},
        Case{"amount = '-inf'", "amount = cast('-Infinity' as double)"},
        Case{"cast(ok as double)", "cast(ok as double)"}, Case{"ok::float8", "cast(ok as double)"},
        Case{"ok::double precision", "cast(ok as double)"}, Case{"n::bigint", "cast(n as int64)"},
        Case{"n::int8", "cast(n as int64)"}, Case{"n::INT64", "cast(n as int64)"},
        Case{"id::int", "cast(id as int32)"},
        Case{"id::integer::boolean", "cast(cast(id as int32) as bool)"},
        Case{"id::int4", "cast(id as int32)"}, Case{"id::int32", "cast(id as int32)"},
        Case{"n::text", "cast(n as string)"}, Case{"n::varchar", "cast(n as string)"},
        Case{"n::string", "cast(n as string)"},
        Case{"name::timestamptz", "cast(name as timestamp)"}, Case{"n::int", "n"},
        Case{"5::bigint", "cast(5 as int64)"}, Case{"5::text", "'5'"}, Case{"'5'::int", "5"},
        Case{"cast(null as double)", "cast(null as double)"}, Case{"2.5::int", "2"},
        Case{"3.5::int", "4"}, Case{"-2.5::int", "-2"}, Case{"n + 1 * 2", "n + 1 * 2"},
        Case{"(n + 1) * 2", "(n + 1) * 2"}, Case{"n - (1 - 2)", "n - (1 - 2)"},
        Case{"(n - 1) - 2", "n - 1 - 2"}, Case{"n % 7", "n % 7"}, Case{"-n", "-n"},
        Case{"-(n + 1)", "-(n + 1)"}, Case{"+n", "n"}, Case{"n != 3", "n <> 3"},
        Case{"n <> 3", "n <> 3"}, Case{"not ok", "not ok"},
        Case{"not (ok and n = 1)", "not (ok and n = 1)"}, Case{"not ok is true", "not ok is true"},
        Case{"(not ok) is true", "(not ok) is true"}, Case{"(n = 1) is null", "n = 1 is null"},
        Case{"n = (1 is null)::int", "n = cast(1 is null as int32)"},
        Case{"ok or n = 1 and n = 2", "ok or n = 1 and n = 2"},
        Case{"(ok or n = 1) and n = 2", "(ok or n = 1) and n = 2"},
        Case{"(ok and n = 1) and n = 2", "ok and n = 1 and n = 2"},
        Case{"ok and (n = 1 and n = 2)", "ok and n = 1 and n = 2"},
        Case{"(ok is null) is not false", "(ok is null) is not false"},
        Case{"name is not null", "name is not null"}, Case{"ok is unknown", "ok is unknown"},
        Case{"ok is not unknown", "ok is not unknown"}, Case{"ok is not true", "ok is not true"},
        Case{"name < 'b' -- comment", "name < 'b'"}, Case{"/* c */ n", "n"}));

class Refused : public testing::TestWithParam<Case> {};

TEST_P(Refused, WithAMessage) {
  const Result<proto::Expr> expr = parse_expression(GetParam().text, schema());
  ASSERT_FALSE(expr.ok()) << GetParam().text << " gave " << expr->text();
  EXPECT_NE(expr.error().message().find(GetParam().expected), std::string::npos)
      << expr.error().message();
}

INSTANTIATE_TEST_SUITE_P(
    NotOneExpression, Refused,
    testing::Values(Case{"", "the expression is empty"}, Case{" \n", "the expression is empty"},
                    Case{"-- only a comment", "the expression is empty"},
                    Case{"n, n", "there are 2 expressions"}, Case{"(1) , (2", "syntax error"},
                    Case{"1) , (2", "syntax error"}, Case{"n; n", "syntax error"},
                    Case{"n; select 1", "a ';' separates"}, Case{"n;", "ends with a ';'"},
                    Case{"n as m", "followed by an alias"}, Case{"n m", "followed by an alias"},
                    Case{"n from t", "a clause such as"}, Case{"n where ok", "a clause such as"},
                    Case{"n limit 1", "a clause such as"}, Case{"n order by 1", "a clause such as"},
                    Case{"n into t", "a clause such as"}, Case{"n union select 2", "union"},
                    Case{"all n", "syntax error"}, Case{"distinct n", "syntax error"},
                    Case{"n for update", "a clause such as"},
                    Case{"n; drop table t", "a ';' separates"}, Case{"*", "'*' is not a column"},
                    Case{"t.n", "'t.n' is not a column"}, Case{"n +", "syntax error"},
                    Case{"straße + )", "character 10: syntax error"}));

INSTANTIATE_TEST_SUITE_P(
    NotSupported, Refused,
    testing::Values(
        Case{"abz(n)", "character 1: unknown function abz(); did you mean 'abs'?"},
        Case{"frobnicate_all(n)", "unknown function frobnicate_all(); docs/expressions.md lists"},
        Case{"substring(n, 1)", "substring() does not take int32 and int32; there is substring("},
        Case{"repeat(name, id)", "repeat() does not take string and int64; there is repeat("},
        Case{"n is distinct from 'a'", "'a' is not an int32"},
        Case{"coalesce(n, name)", "coalesce() needs values of one type, but there are int32 and"},
        Case{"case when ok then n else name end", "'case' needs values of one type"},
        Case{"case when n then 1 end", "'when' needs bool"}, Case{"n in (select 1)", "subqueries"},
        Case{"now()", "a value must follow from the event"},
        Case{"sum(distinct n)", "written as an aggregate"},
        Case{"try(n, 1)", "takes one expression"},
        Case{"concat(name, ok)", "does not take bool; write cast(ok as string)"},
        Case{"name ~ '(a'", "character 6: invalid regular expression: parentheses () not balanced"},
        Case{"name ~ '(a)\\1'", "backreferences are not supported"},
        Case{"name ~ 'a(?=b)'", "lookahead and lookbehind are not supported"},
        Case{"extract(hours_ from at)", "'hours_' is not a field here; did you mean 'hour'?"},
        Case{"extract(hour from cast(at as date))", "'hour' is not a field here; known are day"},
        Case{"date_part(name, at)", "the field must be a literal: microseconds"},
        Case{"at at time zone 'Europe/Berln'", "unknown time zone 'Europe/Berln'"},
        Case{"cast(name as json) #>> 'a'", "the path must be a literal such as"},
        Case{"cast(name as json) = '1'", "json is not comparable"},
        Case{"at + interval '1 dya'", "'1 dya' is not an interval"},
        Case{"(select 1)", "subqueries are not supported"}, Case{"$1", "parameters"},
        Case{"array[]", "an empty list needs its type"},
        Case{"row(1)", "row values are not supported"},
        Case{"n || n", "'||' does not take int32 and int32; there is string || string"},
        Case{"@ n", "the operator @"}, Case{"n & 1", "the operator & is not supported"},
        Case{"n operator(pg_catalog.+) 1", "not supported"},
        Case{"current_timestamp", "a value must follow from the event"},
        Case{"name collate \"C\"", "'collate' is not supported"}, Case{"b'101'", "bit strings"},
        Case{"name[1]", "name is string and has no elements; write a subscript behind a list"},
        Case{"exists (select 1)", "subqueries"},
        Case{"n::money", "unknown type 'money'; write bool, "},
        Case{"n::varchar(3)", "types with a length"},
        Case{"n::int[]", "there is no cast from int32 to list<int32>"},
        Case{"at::timestamp(3)", "types with a length"}, Case{"n::real", "unknown type 'float4'"}));

INSTANTIATE_TEST_SUITE_P(
    Types, Refused,
    testing::Values(
        Case{"amuont > 0", "character 1: unknown column 'amuont'; did you mean 'amount'?"},
        Case{"straße > amuont", "character 10: unknown column 'amuont'"},
        Case{"mixedcase", "names with capital letters need double quotes: \"MixedCase\""},
        Case{"MixedCase", "names with capital letters need double quotes: \"MixedCase\""},
        Case{"zzzzzzzz", "known are id, n, amount"},
        Case{"name + 1", "'+' needs numbers, but name is string; write cast(name as double)"},
        Case{"ok + 1", "'+' needs numbers, but ok is bool; write cast(ok as double)"},
        Case{"at - at", "write extract(epoch from at - at) for seconds"},
        Case{"-name", "'-' needs numbers"}, Case{"-'5'", "'-' needs numbers"},
        Case{"'a' + 'b'", "'+' needs numbers"}, Case{"null + null", "'+' needs numbers"},
        Case{"amount % 2", "'%' needs integers, but amount is double; write cast(amount as int64)"},
        Case{"name = 5",
             "cannot compare name, which is string, with 5, which is int32; write cast(name as "
             "int32)"},
        Case{"amount > name", "write cast(name as double)"},
        Case{"ok = 1", "write cast(1 as bool)"},
        Case{"at > 5", "cannot compare at, which is timestamp, with 5, which is int32"},
        Case{"n > 'abc'", "character 5: 'abc' is not an int32"},
        Case{"at > 'yesterday'", "'yesterday' is not a timestamp"},
        Case{"amount and ok",
             "'and' needs bool, but amount is double; write a comparison, such as amount <> 0"},
        Case{"not n", "'not' needs bool"}, Case{"n is true", "'is' needs bool"},
        Case{"cast(ok as bigint)",
             "there is no cast from bool to int64; write cast(cast(ok as int32) as int64)"},
        Case{"cast(id as bool)", "there is no cast from int64 to bool; write id <> 0"},
        Case{"cast(at as bigint)", "there is no cast from timestamp to int64"},
        Case{"cast('x' as int)", "'x' is not an int32"},
        Case{"cast(3000000000 as int)", "out of the range of int32"},
        Case{"1e400", "out of the range of double"},
        Case{"name > E'\\xff'", "invalid byte sequence"}));

TEST(Parser, LimitsTextAndDepth) {
  EXPECT_FALSE(parse_expression(std::string(kMaxTypedNodes + 1, ' '), schema()).ok());
  const auto nested = [](int depth) {
    std::string text;
    for (int i = 1; i < depth; ++i) text += "- ";
    return text + "n";
  };
  EXPECT_TRUE(parse_expression(nested(64), schema()).ok());
  for (int depth : {65, 200, 2000}) {
    const auto refused = parse_expression(nested(depth), schema());
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().message(),
              "the expression is nested more than 64 deep, the most allowed");
  }
  EXPECT_TRUE(
      parse_expression(std::string(1000, '(') + "n" + std::string(1000, ')'), schema()).ok());
  EXPECT_FALSE(parse_expression("n\xff", schema()).ok());
  EXPECT_FALSE(parse_expression(std::string_view("n\0", 2), schema()).ok());
}

}  // namespace
}  // namespace tidemill
