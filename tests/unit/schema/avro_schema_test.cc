#include "shared/schema/avro_schema.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemill {
namespace {

using Kind = AvroType::Kind;
using Logical = AvroType::Logical;

std::string why(std::string_view text) {
  const auto schema = AvroSchema::parse(text);
  return schema.ok() ? "valid" : schema.error().message();
}

TEST(AvroSchema, NamesAreFoundInTheirNamespaces) {
  const auto schema = AvroSchema::parse(
      R"({"type":"record","name":"a.b.R","fields":[
          {"name":"x","type":{"type":"fixed","name":"F","size":2}},
          {"name":"y","type":"F"},
          {"name":"z","type":"a.b.F"},
          {"name":"self","type":["null","R"]},
          {"name":"other","type":{"type":"enum","name":"E","namespace":"c","symbols":["A"]}},
          {"name":"again","type":"c.E"}]})");
  ASSERT_TRUE(schema.ok()) << schema.error().message();
  const AvroType& root = (*schema)->root();
  EXPECT_EQ(root.name, "a.b.R");
  EXPECT_EQ(root.names, (std::vector<std::string>{"x", "y", "z", "self", "other", "again"}));
  EXPECT_EQ(root.types[1], root.types[0]);
  EXPECT_EQ(root.types[2], root.types[0]);
  EXPECT_EQ((**schema)[(**schema)[root.types[3]].types[1]].kind, Kind::kRecord);
  EXPECT_EQ(root.types[5], root.types[4]);
  EXPECT_EQ((*schema)->describe(root.types[4]), "the Avro enum c.E");
}

TEST(AvroSchema, LogicalTypesCountWhereTheyFit) {
  const auto logical = [](const std::string& text) {
    const auto schema = AvroSchema::parse(text);
    EXPECT_TRUE(schema.ok()) << text;
    return (*schema)->root().logical;
  };
  EXPECT_EQ(logical(R"({"type":"int","logicalType":"date"})"), Logical::kDate);
  EXPECT_EQ(logical(R"({"type":"long","logicalType":"date"})"), Logical::kNone);
  EXPECT_EQ(logical(R"({"type":"long","logicalType":"timestamp-millis"})"),
            Logical::kTimestampMillis);
  EXPECT_EQ(logical(R"({"type":"bytes","logicalType":"decimal","precision":3,"scale":4})"),
            Logical::kNone);
  EXPECT_EQ(logical(R"({"type":"bytes","logicalType":"decimal","precision":4,"scale":4})"),
            Logical::kDecimal);
  EXPECT_EQ(logical(R"({"type":"long","logicalType":"anything"})"), Logical::kNone);
  EXPECT_EQ(logical(R"({"type":{"type":"long","logicalType":"timestamp-micros"}})"),
            Logical::kTimestampMicros);
}

TEST(AvroSchema, ReferencesDefineNames) {
  const std::vector<std::string> references{
      R"({"type":"record","name":"x.A","fields":[]})",
      R"({"type":"record","name":"x.B","fields":[{"name":"a","type":"A"}]})"};
  EXPECT_TRUE(AvroSchema::parse(R"({"type":"array","items":"x.B"})", references).ok());
  EXPECT_EQ(why(R"({"type":"array","items":"x.B"})"),
            "the schema names the type 'x.B', which it does not define");
}

TEST(AvroSchema, SaysWhatIsWrong) {
  EXPECT_NE(why("{").find("is not valid JSON"), std::string::npos);
  EXPECT_EQ(why("5"), "a type is a name, a list of types, or an object");
  EXPECT_EQ(why("{}"), "a type has no \"type\"");
  EXPECT_EQ(why("[]"), "a union has no types");
  EXPECT_EQ(why(R"([["null"]])"), "a union holds a union itself");
  EXPECT_EQ(why(R"({"type":"array"})"), "a type 'array' has no \"items\"");
  EXPECT_EQ(why(R"({"type":"record","fields":[]})"), "a type 'record' has no valid name");
  EXPECT_EQ(why(R"({"type":"record","name":"R"})"), "the record 'R' has no list of \"fields\"");
  EXPECT_EQ(why(R"({"type":"record","name":"R","fields":[{"name":"a","type":"int"},)"
                R"({"name":"a","type":"int"}]})"),
            "the record 'R' has two fields 'a'");
  EXPECT_NE(why(R"({"type":"fixed","name":"F","size":-1})").find("no \"size\" from 0"),
            std::string::npos);
  std::string deep = "\"int\"";
  for (int i = 0; i < 100; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  EXPECT_EQ(why(deep), "the schema is more than 64 levels deep");
  EXPECT_NE(why(std::string((1 << 20) + 1, ' ')).find("more than 1048576 bytes"),
            std::string::npos);
}

// Any text is a schema or says why it is none.
RC_GTEST_PROP(AvroSchema, AnyTextIsTaken, ()) {
  static const std::vector<std::string> pieces{"{",
                                               "}",
                                               "[",
                                               "]",
                                               ",",
                                               R"("type":)",
                                               R"("record")",
                                               R"("array")",
                                               R"("items":)",
                                               R"("int")",
                                               R"("name":"R")",
                                               R"("fields":[)",
                                               R"("null")",
                                               R"("R")",
                                               R"("enum")",
                                               R"("symbols":["A"])"};
  std::string text;
  for (int i = *rc::gen::inRange(0, 20); i > 0; --i) {
    text += pieces[*rc::gen::inRange<size_t>(0, pieces.size())];
  }
  const auto schema = AvroSchema::parse(text);
  if (!schema.ok()) RC_ASSERT(!schema.error().message().empty());
}

}  // namespace
}  // namespace tidemill
