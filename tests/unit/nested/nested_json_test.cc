// Nested values from JSON text and to it.
#include "shared/nested/nested_json.h"

#include "tests/unit/nested/nested_types.h"

namespace tidemill::test {
namespace {

std::string again(const std::string& type, const std::string& json) {
  const NestedType nested = type_of(type);
  const std::string bytes = bytes_of(nested, json);
  return bytes.starts_with("!") ? bytes : json_of(nested, bytes);
}

TEST(NestedJson, IsReadAndWritten) {
  EXPECT_EQ(again("list<int64>", " [ 1 , 2 ] "), "[1,2]");
  EXPECT_EQ(again("list<double>", "[1.0,2.5e3,1e-7,\"NaN\",\"Infinity\"]"),
            "[1,2500,1e-07,\"NaN\",\"Infinity\"]");
  EXPECT_EQ(again("list<string>", R"(["\"\\\/\b\f\n\r\t\u0041\u0000"])"),
            R"(["\"\\/\b\f\n\r\tA\u0000"])");
  EXPECT_EQ(again("list<decimal(5, 2)>", "[1,\"2.345\",-0.5]"), "[1.00,2.35,-0.50]");
  EXPECT_EQ(again("map<bool, int32>", R"({"true":1,"false":2})"), R"({"false":2,"true":1})");
  EXPECT_EQ(again("map<decimal(5, 2), int32>", R"({"1.5":1,"-2":2})"), R"({"-2.00":2,"1.50":1})");
  EXPECT_EQ(again("struct<a: json, b: list<json>>", R"({"a":{"x":[1, 2]},"b":[ {} ,null]})"),
            R"({"a":{"x":[1, 2]},"b":[{},null]})");
  EXPECT_EQ(again("struct<\"a b\": int32>", R"({"a\u0020b":3})"), R"({"a b":3})");
  EXPECT_EQ(again("struct<a: struct<b: struct<c: int32>>>", R"({"a":{"x":1,"b":{"c":5,"y":[]}}})"),
            R"({"a":{"b":{"c":5}}})");
}

TEST(NestedJson, DoublesAsAnswersHaveThem) {
  const NestedType type = type_of("list<double>");
  std::string out;
  append_nested_json(type, bytes_of(type, "[1,0.5,\"NaN\"]"), JsonDoubles::kWithPoint, &out);
  EXPECT_EQ(out, "[1.0,0.5,\"NaN\"]");
}

TEST(NestedJson, BytesThatAreNoneAreNull) {
  EXPECT_EQ(json_of(type_of("list<int32>"), "\x04"), "null");
  EXPECT_EQ(json_of(type_of("list<string>"), std::string("\x02\x05", 2) + "ab"), "null");
}

TEST(NestedJson, SaysWhereAndWhat) {
  EXPECT_EQ(again("list<int64>", "[1,2.5]"), "![2]: 2.5");
  EXPECT_EQ(again("list<int64>", "[\"1\"]"), "![1]: \"1\"");
  EXPECT_EQ(again("list<string>", "[1]"), "![1]: 1");
  EXPECT_EQ(again("list<bool>", "[1]"), "![1]: 1");
  EXPECT_EQ(again("list<date>", "[\"2018-02-30\"]"), "![1]: \"2018-02-30\"");
  EXPECT_EQ(again("list<string>", R"(["\ud800"])"), R"(![1]: "\ud800")");
  EXPECT_EQ(again("list<list<int32>>", "[[],[1,{}]]"), "![2][2]: {}");
  EXPECT_EQ(again("struct<a: list<struct<b: int32>>>", R"({"a":[{"b":1},{"b":true}]})"),
            "!.a[2].b: true");
  EXPECT_EQ(again("map<string, int32>", R"({"k":"v"})"), R"(!['k']: "v")");
  EXPECT_EQ(again("map<int32, int32>", R"({"k":1})"), R"(!['k']: "k")");
  EXPECT_EQ(again("map<string, int32>", R"({"k":1,"k":2})"), "!: a key is there twice");
  EXPECT_EQ(again("struct<a: int32>", R"({"a":1,"a":1})"), "!.a: it is there twice");
}

}  // namespace
}  // namespace tidemill::test
