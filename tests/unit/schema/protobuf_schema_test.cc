#include "shared/schema/protobuf_schema.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
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

constexpr char kEvent[] = R"(
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
message Event { google.protobuf.Timestamp at = 1; google.protobuf.Int64Value n = 2; }
)";

// Readers know Google's types by their names: nobody else may say what is in them.
TEST(ProtobufSchema, GooglesFilesAreItsOwn) {
  const std::vector<ProtobufSchema::Reference> forged{
      {"google/protobuf/timestamp.proto",
       R"(syntax = "proto3"; package google.protobuf; message Timestamp { string x = 1; })"},
      {"google/protobuf/wrappers.proto",
       R"(syntax = "proto3"; package google.protobuf; message Int64Value {})"}};
  const auto schema = ProtobufSchema::from_text(kEvent, forged);
  ASSERT_TRUE(schema.ok()) << schema.error().message();
  const auto type = (*schema)->message("shop.Event");
  ASSERT_TRUE(type.ok());
  const auto& fields = (*type)->descriptor();
  const auto* seconds = fields.field(0)->message_type()->FindFieldByName("seconds");
  ASSERT_NE(seconds, nullptr);
  EXPECT_EQ(seconds->type(), google::protobuf::FieldDescriptor::TYPE_INT64);
  EXPECT_EQ(fields.field(1)->message_type()->field_count(), 1);
}

// The same of a descriptor set.
TEST(ProtobufSchema, GooglesFilesInADescriptorSetAreItsOwn) {
  google::protobuf::FileDescriptorSet set;
  auto* wrappers = set.add_file();
  wrappers->set_name("google/protobuf/wrappers.proto");
  wrappers->set_package("google.protobuf");
  wrappers->add_message_type()->set_name("Int64Value");
  auto* event = set.add_file();
  event->set_name("event.proto");
  event->add_dependency(wrappers->name());
  auto* message = event->add_message_type();
  message->set_name("Event");
  auto* field = message->add_field();
  field->set_name("n");
  field->set_number(1);
  field->set_label(google::protobuf::FieldDescriptorProto::LABEL_OPTIONAL);
  field->set_type_name(".google.protobuf.Int64Value");
  const auto schema = ProtobufSchema::from_descriptor_set(set.SerializeAsString());
  ASSERT_TRUE(schema.ok()) << schema.error().message();
  const auto type = (*schema)->message("Event");
  ASSERT_TRUE(type.ok());
  EXPECT_EQ((*type)->descriptor().field(0)->message_type()->field_count(), 1);
}

TEST(ProtobufSchema, OtherFilesDefineNoTypesOfGoogles) {
  for (const char* text :
       {R"(syntax = "proto3"; package google.protobuf; message Timestamp { string x = 1; })",
        R"(syntax = "proto3"; package google.protobuf; message Mine {})",
        R"(syntax = "proto3"; package google; message protobuf { message Timestamp {} })",
        R"(syntax = "proto3"; message google { message protobuf { message Timestamp {} } })"}) {
    EXPECT_NE(why(text).find("schema.proto defines types of Google's own package"),
              std::string::npos)
        << text;
    EXPECT_NE(why(kOrder, {{"shop/item.proto", text}}).find("shop/item.proto defines types of"),
              std::string::npos);
  }
  EXPECT_EQ(why(R"(syntax = "proto3"; package google.protobuf.mine; message A {})"), "valid");
}

}  // namespace
}  // namespace tidemill
