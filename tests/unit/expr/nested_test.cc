// Lists, structs and maps in expressions: types, values, texts that read back, and what is refused.
#include <gtest/gtest.h>

#include "shared/expr/check.h"
#include "shared/expr/evaluator.h"
#include "shared/expr/functions.h"
#include "shared/expr/parser.h"
#include "shared/expr/types.h"
#include "shared/nested/nested_json.h"
#include "shared/nested/proto_type.h"

namespace tidemill {
namespace {

struct Sample {
  const char* name;
  const char* type;
  std::vector<const char*> values;  // of rows 0, 1 and 2 as JSON
};

const std::vector<Sample>& samples() {
  static const std::vector<Sample> all = {
      {"tags", "list<string>", {R"(["a","b",null])", "[]", "null"}},
      {"more", "list<string>", {R"(["b"])", R"(["x","x"])", R"(["y"])"}},
      {"ns", "list<int64>", {"[3,1,2]", "[5]", "[null]"}},
      {"xs", "list<double>", {"[1.5,-2]", "[\"NaN\"]", "[]"}},
      {"prices", "list<decimal(10, 2)>", {"[1.5,20]", "[0.01]", "[]"}},
      {"grid", "list<list<int32>>", {"[[1,2],[3]]", "[]", "[[],null]"}},
      {"m", "map<string, double>", {R"({"k":1.5,"l":null})", "{}", "null"}},
      {"by_day", "map<date, list<string>>", {R"({"2018-04-01":["x"]})", "{}", "{}"}},
      {"payload",
       "struct<amount: decimal(10, 2), items: list<struct<price: double, sku: string>>, "
       "\"unitPrice\": int32>",
       {R"({"amount":12.3,"items":[{"price":2.5,"sku":"s"}],"unitPrice":7})",
        R"({"amount":null,"items":[]})", "null"}},
      {"docs", "list<json>", {"[{}]", "[1]", "[]"}},
      {"i", "int32", {"1", "2", "3"}},
      {"s", "string", {"\"a\"", "\"x,y,,z\"", "\"\""}},
      {"price", "decimal(6, 3)", {"1.500", "0.010", "0.011"}},
  };
  return all;
}

std::vector<NamedColumn> schema() {
  std::vector<NamedColumn> out;
  for (const Sample& each : samples()) {
    out.push_back(named_column(each.name, *parse_type(each.type)));
  }
  return out;
}

// The batch, whose strings point into `text`.
EventBatch batch(std::vector<std::unique_ptr<std::string>>* text) {
  EventBatch out;
  out.offsets = {0, 1, 2};
  for (const Sample& each : samples()) {
    proto::Type list;
    list.set_kind(proto::LIST);
    *list.add_fields()->mutable_type() = *parse_type(each.type);
    const NestedType type = nested_type(list);
    Column column;
    column.type = type.element().kind;
    column.decimal = {type.element().precision, type.element().scale};
    column.nulls.resize(3);
    column.ints.resize(3);
    column.strings.resize(3);
    for (size_t row = 0; row < 3; ++row) {
      NestedJsonParser parser;
      std::string_view value;
      const std::string json = std::string("[") + each.values[row] + "]";
      const auto fault = parser.parse(type, json, &value);
      EXPECT_FALSE(fault.has_value()) << json;
      text->push_back(std::make_unique<std::string>(value));
      NestedInput in(*text->back());
      const NestedInput::Items items = in.items();
      column.nulls[row] = items.is_null(0) ? 1 : 0;
      if (items.is_null(0)) continue;
      const std::string_view item = in.take(type.element());
      if (storage_of(column.type) == Storage::kInts) {
        column.ints[row] = NestedInput(item).whole(column.type);
      } else {
        column.strings[row] = is_nested(column.type) ? item : NestedInput(item).text();
      }
    }
    out.columns.push_back(std::move(column));
  }
  return out;
}

std::vector<ColumnType> column_types() {
  std::vector<ColumnType> out;
  for (const NamedColumn& each : schema()) out.push_back(static_cast<ColumnType>(each.type));
  return out;
}

std::string type_of(const std::string& text) {
  const auto expr = parse_expression(text, schema());
  return expr.ok() ? type_name(full_type(*expr)) : "error: " + expr.error().message();
}

// The values of the three rows as text, separated by spaces: null, or ! and the SQLSTATE.
std::string values(const std::string& text) {
  const auto typed = parse_expression(text, schema());
  if (!typed.ok()) return "error: " + typed.error().message();
  const auto again = parse_expression(typed->text(), schema());
  EXPECT_TRUE(again.ok()) << typed->text() << ": " << (again.ok() ? "" : again.error().message());
  if (again.ok()) {
    EXPECT_EQ(again->SerializeAsString(), typed->SerializeAsString()) << text;
  }
  const bool is_text = typed->type() == proto::STRING;
  const auto expr = is_text ? typed : parse_expression("cast((" + text + ") as string)", schema());
  EXPECT_TRUE(expr.ok()) << expr.error().message();
  auto evaluator = Evaluator::compile(*expr, column_types());
  EXPECT_TRUE(evaluator.ok()) << evaluator.error().message();
  std::vector<std::unique_ptr<std::string>> strings;
  const EventBatch rows = batch(&strings);
  std::vector<RowError> errors;
  const Column& column = evaluator->evaluate(rows, &errors);
  std::vector<std::string> out;
  for (size_t row = 0; row < 3; ++row) {
    out.push_back(column.nulls[row] != 0 ? "null" : std::string(column.strings[row]));
  }
  for (const RowError& error : errors) out[error.row] = std::string("!") + error.sqlstate;
  return out[0] + " " + out[1] + " " + out[2];
}

TEST(Lists, Elements) {
  EXPECT_EQ(values("tags[1]"), "a null null");
  EXPECT_EQ(values("tags[3]"), "null null null");
  EXPECT_EQ(values("tags[0]"), "null null null");
  EXPECT_EQ(values("ns[i]"), "3 null null");
  EXPECT_EQ(values("ns[1] + 1"), "4 6 null");
  EXPECT_EQ(values("grid[1][2]"), "2 null null");
  EXPECT_EQ(values("prices[1] * 2"), "3.00 0.02 null");
  EXPECT_EQ(type_of("prices[1]"), "decimal(10, 2)");
  EXPECT_EQ(type_of("grid[1]"), "list<int32>");
  EXPECT_EQ(values("cardinality(tags)"), "3 0 null");
  EXPECT_EQ(values("array_length(tags, 1)"), "3 null null");
  EXPECT_EQ(values("array_length(tags, 2)"), "null null null");
  EXPECT_EQ(values("array_position(tags, 'b')"), "2 null null");
  EXPECT_EQ(values("array_position(tags, null)"), "3 null null");
  EXPECT_EQ(values("array_position(prices, 20)"), "2 null null");
}

TEST(Lists, AnyAndAll) {
  EXPECT_EQ(values("'a' = any(tags)"), "true false null");
  EXPECT_EQ(values("'z' = any(tags)"), "null false null");
  EXPECT_EQ(values("s = any(tags)"), "true false null");
  EXPECT_EQ(values("'z' <> all(tags)"), "null true null");
  EXPECT_EQ(values("'a' <> all(tags)"), "false true null");
  EXPECT_EQ(values("null = any(tags)"), "null false null");
  EXPECT_EQ(values("null = any(grid)"), "null false null");
  EXPECT_EQ(values("2 < any(ns)"), "true true null");
  EXPECT_EQ(values("i <= all(ns)"), "true true null");
  EXPECT_EQ(values("2 > all(ns)"), "false false null");
  EXPECT_EQ(values("cast('NaN' as double) = any(xs)"), "false true false");
  EXPECT_EQ(values("price = any(prices)"), "true true false");
  EXPECT_EQ(values("1.50 = any(prices)"), "true false false");
  EXPECT_EQ(values("price < any(prices)"), "true false false");
  EXPECT_EQ(values("array[3] = any(grid)"), "true false null");
}

TEST(Lists, AreMadeAndChanged) {
  EXPECT_EQ(values("array[i, 2, null]"), "[1,2,null] [2,2,null] [3,2,null]");
  EXPECT_EQ(values("array[s, 'é']"), R"(["a","é"] ["x,y,,z","é"] ["","é"])");
  EXPECT_EQ(type_of("array[i, 1.5]"), "list<double>");
  EXPECT_EQ(values("array[price, price]"), "[1.500,1.500] [0.010,0.010] [0.011,0.011]");
  EXPECT_EQ(type_of("array[price, price]"), "list<decimal(6, 3)>");
  EXPECT_EQ(values("cast(array[price, 2] as decimal(5, 1)[])"), "[1.5,2.0] [0.0,2.0] [0.0,2.0]");
  EXPECT_EQ(values("cast(array[] as string[])"), "[] [] []");
  EXPECT_EQ(values("cast(null as int64[])"), "null null null");
  EXPECT_EQ(values("array[ns, array[cast(9 as int64)]]"), "[[3,1,2],[9]] [[5],[9]] [[null],[9]]");
  EXPECT_EQ(values("tags || more"), R"(["a","b",null,"b"] ["x","x"] ["y"])");
  EXPECT_EQ(values("ns || i"), "[3,1,2,1] [5,2] [null,3]");
  EXPECT_EQ(values("i || ns"), "[1,3,1,2] [2,5] [3,null]");
  EXPECT_EQ(values("tags || null"), R"(["a","b",null] [] null)");
  EXPECT_EQ(values("array_append(tags, null)"), R"(["a","b",null,null] [null] [null])");
  EXPECT_EQ(values("array_prepend('z', tags)"), R"(["z","a","b",null] ["z"] ["z"])");
  EXPECT_EQ(values("array_cat(tags, more)"), R"(["a","b",null,"b"] ["x","x"] ["y"])");
  EXPECT_EQ(values("array_remove(tags, 'a')"), R"(["b",null] [] null)");
  EXPECT_EQ(values("array_remove(tags, null)"), R"(["a","b"] [] null)");
  EXPECT_EQ(values("array_append(prices, price)"), "[1.50,20.00,1.50] [0.01,0.01] [0.01]");
}

TEST(Lists, AreCompared) {
  EXPECT_EQ(values("tags @> array['a']"), "true false null");
  EXPECT_EQ(values("tags @> cast(array[null] as string[])"), "false false null");
  EXPECT_EQ(values("array['b'] <@ tags"), "true false null");
  EXPECT_EQ(values("tags && more"), "true false null");
  EXPECT_EQ(values("tags = array['a', 'b', null]"), "true false null");
  EXPECT_EQ(values("tags <> more"), "true true null");
  EXPECT_EQ(values("tags is distinct from null"), "true true false");
  EXPECT_EQ(values("coalesce(tags, more)"), R"(["a","b",null] [] ["y"])");
  EXPECT_EQ(values("case when i = 1 then tags else more end"), R"(["a","b",null] ["x","x"] ["y"])");
  EXPECT_EQ(values("nullif(tags, more)"), R"(["a","b",null] [] null)");
  EXPECT_EQ(values("more in (array['b'], array['y'])"), "true false true");
}

TEST(Lists, AndText) {
  EXPECT_EQ(values("array_to_string(tags, '-')"), "a-b  null");
  EXPECT_EQ(values("array_to_string(tags, '-', '?')"), "a-b-?  null");
  EXPECT_EQ(values("array_to_string(prices, ' ')"), "1.50 20.00 0.01 ");
  EXPECT_EQ(values("array_to_string(array[i > 1], '')"), "f t t");
  EXPECT_EQ(values("string_to_array(s, ',')"), R"(["a"] ["x","y","","z"] [])");
  EXPECT_EQ(values("string_to_array(s, ',', '')"), R"(["a"] ["x","y",null,"z"] [])");
  EXPECT_EQ(values("string_to_array(s, null)"), R"(["a"] ["x",",","y",",",",","z"] [])");
  EXPECT_EQ(values("string_to_array(s, '')"), R"(["a"] ["x,y,,z"] [])");
}

TEST(Structs, Fields) {
  EXPECT_EQ(values("(payload).amount"), "12.30 null null");
  EXPECT_EQ(values("payload.amount"), "12.30 null null");
  EXPECT_EQ(values("payload.items[1].price * 2"), "5 null null");
  EXPECT_EQ(values("(payload).items[1].sku"), "s null null");
  EXPECT_EQ(values("(payload).\"unitPrice\""), "7 null null");
  EXPECT_EQ(type_of("payload.amount"), "decimal(10, 2)");
  EXPECT_EQ(type_of("payload.items"), "list<struct<price: double, sku: string>>");
  EXPECT_EQ(values("payload = payload"), "true true null");
}

TEST(Maps, Values) {
  EXPECT_EQ(values("m -> 'k'"), "1.5 null null");
  EXPECT_EQ(values("m -> 'l'"), "null null null");
  EXPECT_EQ(values("m ? 'l'"), "true false null");
  EXPECT_EQ(values("m ? s"), "false false null");
  EXPECT_EQ(values("akeys(m)"), R"(["k","l"] [] null)");
  EXPECT_EQ(values("avals(m)"), "[1.5,null] [] null");
  EXPECT_EQ(values("cardinality(m)"), "2 0 null");
  EXPECT_EQ(values("(by_day -> '2018-04-01')[1]"), "x null null");
  EXPECT_EQ(type_of("by_day -> '2018-04-01'"), "list<string>");
}

TEST(Nested, AsJson) {
  EXPECT_EQ(values("to_json(xs)"), "[1.5,-2] [\"NaN\"] []");
  EXPECT_EQ(values("cast(m as json)"), R"({"k":1.5,"l":null} {} null)");
  EXPECT_EQ(values("payload::string"),
            R"({"amount":12.30,"items":[{"price":2.5,"sku":"s"}],"unitPrice":7})"
            R"( {"amount":null,"items":[],"unitPrice":null} null)");
  EXPECT_EQ(values("to_json(payload) -> 'items' ->> 0"), R"({"price":2.5,"sku":"s"} null null)");
}

TEST(Nested, WhatIsTooLargeFails) {
  EXPECT_EQ(values("cardinality(string_to_array(repeat('a,', 40000), ','))"),
            "!54000 !54000 !54000");
  EXPECT_EQ(values("array[repeat(s, 70000)]").substr(0, 6), "!54000");
  EXPECT_TRUE(can_fail(*parse_expression("tags || more", schema())));
  EXPECT_FALSE(can_fail(*parse_expression("tags[1] = any(more)", schema())));
}

TEST(Nested, SayWhatIsWrong) {
  const auto expect = [](const std::string& text, const std::string& message) {
    const auto expr = parse_expression(text, schema());
    ASSERT_FALSE(expr.ok()) << text;
    EXPECT_NE(expr.error().message().find(message), std::string::npos)
        << text << ": " << expr.error().message();
  };
  expect("tags < more", "lists, structs and maps have no order; compare what is in them");
  expect("greatest(tags, more)", "greatest() does not take list");
  expect("tags = ns", "cannot compare tags, which is list<string>, with ns, which is list<int64>");
  expect("docs = docs", "docs is list<json>, and json is not comparable");
  expect("array[]", "an empty list needs its type; write cast(array[] as string[])");
  expect("array[i, 'x']", "int32");
  expect("array[tags, ns]", "array[] needs values of one type, but there are list<string> and");
  expect("array[price / 3]", "say how many digits the elements have");
  expect("tags[1:2]", "write [1] or .name");
  expect("i[1]", "i is int32 and has no elements");
  expect("payload.amout", "the struct has no field 'amout'; did you mean 'amount'?");
  expect("payload.unitprice", "did you mean 'unitPrice'?");
  expect("i.amount", "i is int32 and has no field 'amount'");
  expect("m.k", "m is map<string, double> and has no field 'k'; write -> 'k'");
  expect("tags || 'x'", "is a list or an element is open; write array_append()");
  expect("array_append(ns, 1.5)",
         "the elements are int64, but 1.5 is double; write cast(1.5 as int64)");
  expect("array_append(grid, ns)", "the elements are list<int32>, but ns is list<int64>");
  expect("m -> 1", "the keys are string, but 1 is int32; write cast(1 as string)");
  expect("tags && ns", "elements of different types, string and int64");
  expect("tags < any(grid)", "list<int32>");
  expect("array[1] < any(grid)", "elements that are list<int32> have no order");
  expect("i = any(i)", "'any' and 'all' need a list, but i is int32");
  expect("array_to_string(grid, ',')", "have no text; write to_json()");
  expect("cast(tags as int64)", "there is no cast from list<string> to int64");
  expect("cast(s as string[])", "there is no cast from string to list<string>");
  expect("cast(null as decimal[])", "say how many digits a decimal has");
}

// Expressions from outside do not say whatever they like.
TEST(Nested, DetailsAreChecked) {
  const auto changed = [](const char* text, const auto& change) {
    proto::Expr expr = *parse_expression(text, schema());
    EXPECT_TRUE(check_expression(expr, column_types()).ok());
    change(&expr);
    return check_expression(expr, column_types()).ok();
  };
  EXPECT_FALSE(changed("tags", [](proto::Expr* e) { e->clear_details(); }));
  EXPECT_FALSE(changed("tags", [](proto::Expr* e) { e->mutable_details()->clear_fields(); }));
  EXPECT_FALSE(changed("tags[1]", [](proto::Expr* e) { e->set_type(proto::INT64); }));
  EXPECT_FALSE(changed("tags || more", [](proto::Expr* e) {
    e->mutable_args(1)->mutable_details()->mutable_fields(0)->mutable_type()->set_kind(
        proto::INT64);
  }));
  EXPECT_FALSE(changed("coalesce(tags, more)", [](proto::Expr* e) {
    e->mutable_details()->mutable_fields(0)->mutable_type()->set_kind(proto::INT64);
  }));
  EXPECT_FALSE(changed("payload.amount",
                       [](proto::Expr* e) { e->mutable_args(1)->set_literal_string("price"); }));
  EXPECT_FALSE(changed("payload.amount", [](proto::Expr* e) {
    *e->mutable_args(1) = *parse_expression("s", schema());
  }));
  EXPECT_FALSE(changed("tags = more", [](proto::Expr* e) { e->set_op(proto::Expr::LESS); }));
}

}  // namespace
}  // namespace tidemill
