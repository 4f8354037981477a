// Repeated fields, maps and messages of Protobuf as lists, maps and structs. Which type goes to
// which: docs/formats/protobuf.md.
#pragma once

#include <google/protobuf/message.h>

#include <optional>
#include <string>

#include "shared/nested/nested_json.h"

namespace tidemill {

class ProtobufNested {
 public:
  // The value of a field that is there, as bytes until the next one. A fault says where it is no
  // value of the type.
  std::optional<NestedFault> read(const google::protobuf::Message& message,
                                  const google::protobuf::FieldDescriptor& field,
                                  const NestedType& type, std::string_view* value);

 private:
  using Message = google::protobuf::Message;
  using Field = google::protobuf::FieldDescriptor;

  static constexpr int kAlone = -1;  // not of a repeated field

  bool field(const Message& message, const Field& field, const NestedType& type);
  bool list(const Message& message, const Field& field, const NestedType& type);
  bool map(const Message& message, const Field& field, const NestedType& type);
  bool record(const Message& message, const NestedType& type);
  bool item(const Message& message, const Field& field, int index, const NestedType& type);
  bool message_item(const Message& inner, const NestedType& type);
  bool timestamp(const Message& inner, const NestedType& type);
  bool whole(int64_t value, const NestedType& type);
  bool real(double value, const NestedType& type);
  bool text(const std::string& value, bool bytes, const NestedType& type);
  bool wrong(const NestedType& type, std::string found);

  NestedWriter writer_;
  NestedFault fault_;
  std::string path_;
  std::string scratch_;
};

// google.protobuf.StringValue and its like: a scalar that may be missing.
bool is_wrapper(const google::protobuf::Descriptor& type);
bool is_timestamp(const google::protobuf::Descriptor& type);
// Microseconds of a google.protobuf.Timestamp; false if it is out of range.
bool micros_of(const google::protobuf::Message& time, int64_t* micros);
std::string timestamp_words(const google::protobuf::Message& time);

}  // namespace tidemill
