// Feature values on their way into Parquet: those that have parts become the bytes that rows keep.
#include "cli/training/parquet_values.h"

#include <gtest/gtest.h>

#include "shared/base/decimal.h"
#include "shared/expr/types.h"
#include "shared/nested/proto_type.h"

namespace tidemill::training {
namespace {

std::string bytes_of(const std::string& type, const std::string& json) {
  NestedJsonParser parser;
  std::string_view value;
  const NestedType nested = nested_type(*parse_type(type));
  EXPECT_FALSE(parser.parse(nested, json, &value).has_value()) << json;
  return std::string(value);
}

void add(const std::vector<FeatureValue>& values, ParquetColumn* column) {
  std::string bytes;
  for (const FeatureValue& value : values) append_bytes(value, &bytes);
  std::string_view rest = bytes;
  for (size_t i = 0; i < values.size(); ++i) column->add_bytes(&rest);
  EXPECT_TRUE(rest.empty());
}

TEST(ParquetValues, OfListsAreTheirBytes) {
  proto::Feature feature;
  set_full_type(*parse_type("list<date>"), &feature);
  ParquetColumn column(parquet_field("f", feature));
  add({std::string(R"(["2018-04-01",null])"), std::monostate(), std::string(R"(["10000-01-01"])")},
      &column);
  const Column& items = column.values().items;
  EXPECT_EQ(items.nulls, (std::vector<uint8_t>{0, 1, 1})) << "no text beyond the year 9999 is read";
  EXPECT_EQ(items.strings[0], bytes_of("list<date>", R"(["2018-04-01",null])"));
  EXPECT_EQ(column.field().details.element().kind, ColumnType::kDate);
}

TEST(ParquetValues, OfMapsByDecimalsAreTheirBytes) {
  proto::Feature feature;
  set_full_type(*parse_type("list<int32>"), &feature);
  feature.set_map(true);
  feature.set_key_type(proto::DECIMAL);
  *feature.mutable_key_details() = *parse_type("decimal(5, 2)");
  MapValue map;
  map.entries.emplace_back(std::string("1.50"), std::string("[1]"));
  ParquetColumn column(parquet_field("f", feature));
  add({map}, &column);
  const ParquetValues& values = column.values();
  ASSERT_EQ(values.keys.strings.size(), 1u);
  EXPECT_EQ(decimal_bytes_to_string(values.keys.strings[0]), "1.50");
  EXPECT_EQ(values.items.strings[0], bytes_of("list<int32>", "[1]"));
  EXPECT_EQ(values.ends, std::vector<uint32_t>{1});
}

}  // namespace
}  // namespace tidemill::training
