#include "shared/schema/protobuf_schema.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

namespace tidemill {
namespace {

constexpr char kOrder[] = R"(
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "shop/item.proto";
message Other { message In {} message Within { Item item = 1; } }
message Order { int64 order_id = 1; google.protobuf.Timestamp at = 2; Item item = 3; }
)";
constexpr char kItem[] = R"(syntax = "proto3"; package shop; message Item { string sku = 1; })";

std::string why(std::string_view text,
                const std::vector<ProtobufSchema::Reference>& references = {}) {
  const auto schema = ProtobufSchema::from_text(text, references);
  return schema.ok() ? "valid" : schema.error().message();
}

TEST(ProtobufSchema, MessageTypesAreFoundByNumberAndName) {
  const auto schema = ProtobufSchema::from_text(
      kOrder, std::vector<ProtobufSchema::Reference>{{"shop/item.proto", kItem}});
  ASSERT_TRUE(schema.ok()) << schema.error().message();
  const auto name_of = [&](const std::vector<int64_t>& path) {
    const auto type = (*schema)->message(path);
    return type.ok() ? (*type)->descriptor().full_name() : type.error().message();
  };
  EXPECT_EQ(name_of({1}), "shop.Order");
  EXPECT_EQ(name_of({0, 1}), "shop.Other.Within");
  EXPECT_EQ(name_of({2}), "there is no message type 2 in the schema, which has 2");
  EXPECT_EQ(name_of({0, -1}), "there is no message type -1 in shop.Other, which has 2");
  const auto type = (*schema)->message("shop.Order");
  ASSERT_TRUE(type.ok());
  EXPECT_EQ((*type)->field_names(),
            (std::vector<std::string>{"order_id", "orderId", "at", "item"}));
}

TEST(ProtobufSchema, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(why(kOrder), "schema.proto imports 'shop/item.proto', which is not there");
  EXPECT_NE(why("syntax = \"proto3\";\nmessage {").find("schema.proto: line 2, column 9: "),
            std::string::npos);
  EXPECT_NE(why("syntax = \"proto3\"; message A { B b = 1; }").find("\"B\" is not defined"),
            std::string::npos);
  EXPECT_NE(why("not a file at all").find("schema.proto: line 1"), std::string::npos);
}

}  // namespace
}  // namespace tidemill
