// Types for the tests of nested values, and values of them as JSON.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "shared/expr/types.h"
#include "shared/nested/nested_json.h"
#include "shared/nested/proto_type.h"

namespace tidemill::test {

inline NestedType type_of(const std::string& text) {
  const auto type = parse_type(text);
  EXPECT_TRUE(type.ok()) << text;
  return type.ok() ? nested_type(*type) : NestedType();
}

inline const std::vector<std::string>& nested_type_texts() {
  static const std::vector<std::string> all = {
      "list<bool>",
      "list<int32>",
      "list<int64>",
      "list<double>",
      "list<string>",
      "list<bytes>",
      "list<json>",
      "list<timestamp>",
      "list<date>",
      "list<decimal(12, 2)>",
      "list<list<int32>>",
      "map<string, double>",
      "map<int64, list<string>>",
      "map<decimal(5, 1), bool>",
      "map<date, int32>",
      "struct<a: int64>",
      "struct<a: string, b: list<double>, c: map<string, int32>, d: struct<e: bool, f: date>>",
  };
  return all;
}

// The bytes of a value; "!" and the fault if the text is none.
inline std::string bytes_of(const NestedType& type, const std::string& json) {
  NestedJsonParser parser;
  std::string_view value;
  const auto fault = parser.parse(type, json, &value);
  if (!fault.has_value()) return std::string(value);
  return "!" + fault->path + ": " + (fault->wanted != nullptr ? fault->found : fault->why);
}

inline std::string json_of(const NestedType& type, const std::string& bytes) {
  std::string out;
  append_nested_json(type, bytes, JsonDoubles::kShortest, &out);
  return out;
}

// Random JSON of a value of the type.
inline std::string random_json(const NestedType& type, int depth) {
  const auto pick = [](const std::vector<std::string>& from) { return *rc::gen::elementOf(from); };
  const auto items = [&](const auto& each) {
    const int count = *rc::gen::inRange(0, depth > 2 ? 2 : 5);
    std::string out;
    for (int i = 0; i < count; ++i) out += (i == 0 ? "" : ",") + each(i);
    return out;
  };
  const auto item = [&](const NestedType& part) {
    return *rc::gen::inRange(0, 5) == 0 ? std::string("null") : random_json(part, depth + 1);
  };
  switch (type.kind) {
    case ColumnType::kBool:
      return pick({"true", "false"});
    case ColumnType::kInt32:
      return pick({"0", "1", "-1", "2147483647", "-2147483648"});
    case ColumnType::kInt64:
      return pick({"0", "7", "-7", "9223372036854775807", "-9223372036854775808"});
    case ColumnType::kDouble:
      return pick({"0", "1.5", "-2.25", "1e308", "5e-324", "\"NaN\"", "\"-Infinity\""});
    case ColumnType::kString:
      return pick({R"("")", R"("a")", R"("é\n")", R"("\u0000")", R"("\ud83d\ude00")"});
    case ColumnType::kBytes:
      return pick({R"("\\x")", R"("\\x00ff")"});
    case ColumnType::kTimestamp:
      return pick({R"("2018-04-01T00:00:31.5Z")", R"("0001-01-01T00:00:00Z")"});
    case ColumnType::kDate:
      return pick({R"("2018-04-01")", R"("9999-12-31")"});
    case ColumnType::kJson:
      return pick({"{}", "[1, 2.50]", "\"x\"", "true"});
    case ColumnType::kDecimal:
      return pick({"0", "-12.5", "999.9", "\"7.04\""});
    case ColumnType::kList:
      return "[" + items([&](int) { return item(type.element()); }) + "]";
    case ColumnType::kMap:
      return "{" + items([&](int i) {
               const std::vector<std::string> dates = {"2018-04-01", "2018-04-02", "1969-12-31",
                                                       "2020-02-29"};
               const std::string key = type.key().kind == ColumnType::kDate
                                           ? dates[static_cast<size_t>(i)]
                                           : std::to_string(i * 3 - 4);
               return "\"" + key + "\":" + item(type.value());
             }) +
             "}";
    default: {
      std::string out = "{";
      for (const NestedType::Field& field : type.fields) {
        out += (out.size() == 1 ? "\"" : ",\"") + field.name + "\":" + item(field.type);
      }
      return out + "}";
    }
  }
}

}  // namespace tidemill::test
