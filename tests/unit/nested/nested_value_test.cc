// Values of lists, structs and maps as bytes: one form, found part by part, safe on any bytes.
#include "shared/nested/nested_value.h"

#include <limits>

#include "tests/unit/nested/nested_types.h"

namespace tidemill::test {
namespace {

using View = std::string_view;

std::string hex(View bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

std::string hex_of(const std::string& type, const std::string& json) {
  return hex(bytes_of(type_of(type), json));
}

// As docs/formats/nested.md draws them.
TEST(NestedValue, HasTheseBytes) {
  EXPECT_EQ(hex_of("list<int32>", "[]"), "00");
  EXPECT_EQ(hex_of("list<int32>", "[1,-1]"),
            "04"
            "80000001"
            "7fffffff");
  EXPECT_EQ(hex_of("list<int32>", "[1,null]"),
            "05"
            "02"
            "80000001");
  EXPECT_EQ(hex_of("list<int64>", "[0]"),
            "02"
            "8000000000000000");
  EXPECT_EQ(hex_of("list<double>", "[0,1]"),
            "04"
            "8000000000000000"
            "bff0000000000000");
  EXPECT_EQ(hex_of("list<double>", "[-1]"),
            "02"
            "400fffffffffffff");
  EXPECT_EQ(hex_of("list<bool>", "[true,false]"),
            "04"
            "01"
            "00");
  EXPECT_EQ(hex_of("list<string>", R"(["ab",""])"),
            "04"
            "026162"
            "00");
  EXPECT_EQ(hex_of("struct<a: bool, b: string>", R"({"b":"x"})"),
            "01"
            "0178");
  EXPECT_EQ(hex_of("map<string, bool>", R"({"b":true,"a":null})"),
            "05"
            "01"
            "0161"
            "0162"
            "01");
  EXPECT_EQ(hex_of("list<list<bool>>", "[[true]]"),
            "02"
            "02"
            "01");
}

TEST(NestedValue, EqualValuesHaveEqualBytes) {
  EXPECT_EQ(hex_of("list<double>", "[-0.0]"), hex_of("list<double>", "[0]"));
  EXPECT_EQ(hex_of("list<decimal(5, 2)>", "[1.5]"), hex_of("list<decimal(5, 2)>", "[1.500]"));
  EXPECT_EQ(hex_of("map<string, int32>", R"({"a":1,"b":2})"),
            hex_of("map<string, int32>", R"({"b":2,"a":1})"));
  EXPECT_EQ(hex_of("struct<a: int32, b: int32>", R"({"a":1,"b":2})"),
            hex_of("struct<a: int32, b: int32>", R"({"b":2,"a":1})"));
  NestedWriter one;
  NestedWriter two;
  for (NestedWriter* writer : {&one, &two}) {
    writer->clear();
    writer->begin_list();
    writer->real(writer == &one ? std::numeric_limits<double>::quiet_NaN()
                                : -std::numeric_limits<double>::signaling_NaN());
    writer->end_list();
  }
  EXPECT_EQ(one.value(), two.value());
}

TEST(NestedValue, ScalarsRiseAsTheirBytesDo) {
  const auto rises = [](const std::string& type, const std::vector<std::string>& values) {
    const NestedType list = type_of("list<" + type + ">");
    for (size_t i = 1; i < values.size(); ++i) {
      const std::string less = bytes_of(list, "[" + values[i - 1] + "]");
      const std::string more = bytes_of(list, "[" + values[i] + "]");
      EXPECT_LT(compare_keys(list.element(), View(less).substr(1), View(more).substr(1)), 0)
          << values[i];
    }
  };
  rises("int32", {"-2147483648", "-1", "0", "1", "2147483647"});
  rises("int64", {"-9223372036854775808", "-1", "0", "9223372036854775807"});
  rises("double",
        {"\"-Infinity\"", "-1.5", "-5e-324", "0", "1e-300", "2", "\"Infinity\"", "\"NaN\""});
  rises("decimal(10, 2)", {"-100.5", "-1", "0", "0.01", "99999999.99"});
  rises("string", {"\"\"", "\"a\"", "\"aa\"", "\"b\"", "\"é\""});
  rises("date", {"\"0001-01-01\"", "\"1969-12-31\"", "\"1970-01-01\""});
}

RC_GTEST_PROP(NestedValue, ComesBackFromItsJson, ()) {
  const NestedType type = type_of(*rc::gen::elementOf(nested_type_texts()));
  const std::string json = random_json(type, 0);
  const std::string bytes = bytes_of(type, json);
  RC_ASSERT(is_nested_value(type, bytes));
  RC_ASSERT(bytes_of(type, json_of(type, bytes)) == bytes);
}

// Whatever the bytes are: they are no value, or the one form of one.
RC_GTEST_PROP(NestedValue, OfAnyBytesIsNoneOrHasOneForm, ()) {
  const NestedType type = type_of(*rc::gen::elementOf(nested_type_texts()));
  std::string bytes = bytes_of(type, random_json(type, 0));
  const int changes = *rc::gen::inRange(1, 4);
  for (int i = 0; i < changes; ++i) {
    const auto at = *rc::gen::inRange<size_t>(0, bytes.size() + 1);
    const auto byte = static_cast<char>(*rc::gen::inRange(0, 256));
    if (at == bytes.size()) {
      bytes.push_back(byte);
    } else if (*rc::gen::arbitrary<bool>()) {
      bytes[at] = byte;
    } else {
      bytes.resize(at);
    }
    if (bytes.empty()) bytes.push_back(byte);
  }
  NestedInput in(bytes);
  in.skip(type);
  const std::string json = json_of(type, bytes);
  if (is_nested_value(type, bytes)) {
    RC_ASSERT(in.ok() && in.at_end());
    const std::string again = bytes_of(type, json);
    // Times out of the years 1 to 9999 have no text.
    RC_ASSERT(again == bytes || again.starts_with("!"));
  }
}

TEST(NestedValue, RefusesOtherForms) {
  const auto refused = [](const std::string& type, const std::string& bytes) {
    EXPECT_FALSE(is_nested_value(type_of(type), bytes)) << type << ' ' << hex(bytes);
  };
  refused("list<bool>", "");
  refused("list<bool>", View("\x02\x02", 2).data());      // 2 is no bool
  refused("list<bool>", std::string("\x03\x00\x01", 3));  // bits for no nulls
  refused("list<bool>", std::string("\x03\x81", 2));      // a bit behind the last item
  refused("list<bool>", std::string("\x82\x00\x01", 3));  // a longer number
  refused("list<bool>", std::string("\x02\x01\x00", 3));  // something behind it
  refused("list<double>", "\x02" + std::string("\x7f\xff\xff\xff\xff\xff\xff\xff", 8));  // -0
  refused("list<string>", std::string("\x02\x01\xff", 3));                               // no UTF-8
  refused("list<json>", std::string("\x02\x01{", 3));
  refused("map<string, bool>", std::string("\x04\x01"
                                           "b\x01\x01"
                                           "a\x01",
                                           7));  // not in order
  refused("map<string, bool>", std::string("\x04\x01"
                                           "a\x01\x01"
                                           "a\x01",
                                           7));            // twice
  refused("struct<a: bool>", std::string("\x02\x01", 2));  // a bit behind the last field
}

TEST(NestedValue, FewBytesDoNotMakeManyItems) {
  NestedInput in(std::string("\xfe\xff\x07\x01\x01", 5));
  EXPECT_EQ(in.items().count, 0u);
  EXPECT_FALSE(in.ok());
}

TEST(NestedValue, ItemsAndColumns) {
  const NestedType list = type_of("list<decimal(6, 2)>");
  Column column;
  column.type = ColumnType::kDecimal;
  column.nulls = {0, 1, 0};
  column.decimals = {{125, 2}, {}, {123456789, 2}};
  NestedWriter writer;
  writer.clear();
  writer.begin_list();
  EXPECT_TRUE(write_item(list.element(), column, 0, &writer));
  EXPECT_TRUE(write_item(list.element(), column, 1, &writer));
  EXPECT_FALSE(write_item(list.element(), column, 2, &writer));  // 7 digits before the point
  writer.end_list();
  EXPECT_EQ(json_of(list, std::string(writer.value())), "[1.25,null]");
  NestedInput in(writer.value());
  const NestedInput::Items items = in.items();
  EXPECT_TRUE(items.is_null(1));
  Column out = column;
  read_item(list.element(), in.take(list.element()), &out, 1);
  EXPECT_EQ(out.nulls[1], 0);
  EXPECT_EQ(compare_decimals(out.decimals[1], Decimal{125, 2}), 0);
}

}  // namespace
}  // namespace tidemill::test
