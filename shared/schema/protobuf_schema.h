// ProtobufSchema: message types known at run time only, from the .proto text that a registry keeps
// or from a descriptor set that `protoc --descriptor_set_out --include_imports` wrote. Google's own
// google/protobuf/*.proto may be imported without being there; where they are, what is in them is
// not looked at, and no other file may define types of google.protobuf: so a type that is named as
// one of Google's is Google's. immutable, thread-safe
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/base/result.h"

namespace google::protobuf {
class Descriptor;
class DescriptorPool;
class FileDescriptor;
class Message;
}  // namespace google::protobuf

namespace tidemill {

// One message type, and what it takes to read messages of it.
class ProtobufType {
 public:
  ProtobufType(std::shared_ptr<const google::protobuf::DescriptorPool> pool,
               const google::protobuf::Descriptor* descriptor);
  ~ProtobufType();
  ProtobufType(const ProtobufType&) = delete;
  ProtobufType& operator=(const ProtobufType&) = delete;

  const google::protobuf::Descriptor& descriptor() const { return *descriptor_; }
  // As they are written in the .proto file, and as JSON has them where that is different.
  std::vector<std::string> field_names() const;
  const google::protobuf::DescriptorPool& pool() const { return *pool_; }
  // To make messages of; they must not outlive this.
  const google::protobuf::Message& prototype() const { return *prototype_; }

 private:
  struct Factory;
  const std::shared_ptr<const google::protobuf::DescriptorPool> pool_;
  const google::protobuf::Descriptor* descriptor_;
  std::unique_ptr<Factory> factory_;
  const google::protobuf::Message* prototype_;
};

class ProtobufSchema {
 public:
  using Reference = std::pair<std::string, std::string>;  // as it is imported, and its text

  // Of a .proto file's text; `references` are files that it imports, each after those that it
  // imports itself. kUser: it is none; says what is wrong with it, and where.
  static Result<std::shared_ptr<const ProtobufSchema>> from_text(
      std::string_view text, std::span<const Reference> references);
  // Of a serialized FileDescriptorSet, with all that its files import.
  static Result<std::shared_ptr<const ProtobufSchema>> from_descriptor_set(std::string_view bytes);

  // By its full name, "shop.Order".
  Result<std::shared_ptr<const ProtobufType>> message(std::string_view full_name) const;
  // By number in the file, then by numbers within the message, as Confluent's framing has it.
  Result<std::shared_ptr<const ProtobufType>> message(std::span<const int64_t> path) const;

 private:
  ProtobufSchema() = default;

  std::shared_ptr<const google::protobuf::DescriptorPool> pool_;
  const google::protobuf::FileDescriptor* file_ = nullptr;  // of text; null: of a set
};

}  // namespace tidemill
