#include "shared/schema/protobuf_schema.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/api.pb.h>
#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/source_context.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/type.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <array>
#include <set>

#include "shared/base/utf8.h"
#include "shared/schema/schema_limits.h"

namespace tidemill {
namespace {

namespace pb = google::protobuf;

constexpr char kTextName[] = "schema.proto";  // what a registry's text is called in messages
constexpr std::string_view kGoogle = "google/protobuf/";
constexpr std::string_view kGooglePackage = "google.protobuf";

// The first error of a text.
class TextErrors : public pb::io::ErrorCollector {
 public:
  void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
    if (!first_.empty()) return;
    first_ = "line " + std::to_string(line + 1) + ", column " + std::to_string(column + 1) + ": " +
             printable(message, 200);
  }
  const std::string& first() const { return first_; }

 private:
  std::string first_;
};

// The first error of a file's meaning.
class MeaningErrors : public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element, const pb::Message* descriptor,
                ErrorLocation location, const std::string& message) override {
    if (first_.empty()) first_ = printable(file + ": " + element + ": " + message, 300);
  }
  const std::string& first() const { return first_; }

 private:
  std::string first_;
};

// Google's files that are linked in, as it is not certain that anybody else uses them.
void link_google_files() {
  static const std::array<const pb::Descriptor*, 11> linked{pb::Any::descriptor(),
                                                            pb::Api::descriptor(),
                                                            pb::Duration::descriptor(),
                                                            pb::Empty::descriptor(),
                                                            pb::FieldMask::descriptor(),
                                                            pb::SourceContext::descriptor(),
                                                            pb::Struct::descriptor(),
                                                            pb::Timestamp::descriptor(),
                                                            pb::Type::descriptor(),
                                                            pb::Int64Value::descriptor(),
                                                            pb::FileDescriptorProto::descriptor()};
  ASSERT(linked[0] != nullptr);
}

// Google's file of the name as this process knows it; null: it knows none.
const pb::FileDescriptor* find_google_file(const std::string& name) {
  if (!name.starts_with(kGoogle)) return nullptr;
  return pb::DescriptorPool::generated_pool()->FindFileByName(name);
}

// Whether something in the file has a full name that begins with google.protobuf: also a message
// "google" with another one in it.
bool defines_google_types(const pb::FileDescriptorProto& file) {
  if (file.package() == kGooglePackage) return true;
  const std::string within = file.package().empty() ? "" : file.package() + ".";
  return std::any_of(file.message_type().begin(), file.message_type().end(), [&](const auto& type) {
    return within + type.name() == kGooglePackage || within + type.name() == "google";
  });
}

// libprotobuf writes lines of its own about every message that it cannot parse.
void silence_library() {
  static pb::LogHandler* const before = pb::SetLogHandler(nullptr);
  static_cast<void>(before);
}

class PoolBuilder {
 public:
  PoolBuilder() : pool_(std::make_shared<pb::DescriptorPool>()) {
    link_google_files();
    silence_library();
  }

  Status add_text(const std::string& name, std::string_view text) {
    if (find_google_file(name) != nullptr) return {};
    if (text.size() > kMaxSchemaBytes) {
      return user_error(name + " has more than " + std::to_string(kMaxSchemaBytes) + " bytes");
    }
    pb::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
    TextErrors errors;
    pb::io::Tokenizer tokenizer(&input, &errors);
    pb::compiler::Parser parser;
    parser.RecordErrorsTo(&errors);
    pb::FileDescriptorProto file;
    const bool parsed = parser.Parse(&tokenizer, &file);
    if (!parsed || !errors.first().empty()) return user_error(name + ": " + errors.first());
    file.set_name(name);
    return add(file);
  }

  // What is said of Google's own files is not looked at: readers know these types by name, and what
  // is in them.
  Status add(const pb::FileDescriptorProto& file) {
    if (find_google_file(file.name()) != nullptr) return {};
    if (!defines_google_types(file)) return build(file);
    return user_error(printable(file.name(), 200) +
                      " defines types of Google's own package google.protobuf; give them a package "
                      "of their own, or import google/protobuf/*.proto");
  }

  const std::shared_ptr<pb::DescriptorPool>& pool() const { return pool_; }

 private:
  Status build(const pb::FileDescriptorProto& file) {
    for (const std::string& import : file.dependency()) {
      if (Status found = add_google_file(import); !found.ok()) return found;
      if (pool_->FindFileByName(import) == nullptr) {
        return user_error(printable(file.name() + " imports '" + import, 300) +
                          "', which is not there");
      }
    }
    MeaningErrors errors;
    if (pool_->BuildFileCollectingErrors(file, &errors) != nullptr) return {};
    return user_error(errors.first().empty() ? printable(file.name(), 200) + " is not valid"
                                             : errors.first());
  }

  Status add_google_file(const std::string& name) {
    const pb::FileDescriptor* own = find_google_file(name);
    if (own == nullptr || pool_->FindFileByName(name) != nullptr) return {};
    pb::FileDescriptorProto file;
    own->CopyTo(&file);
    return build(file);
  }

  std::shared_ptr<pb::DescriptorPool> pool_;
};

// In an order in which each file comes after those that it imports.
class SetOrder {
 public:
  explicit SetOrder(const pb::FileDescriptorSet& set) {
    for (const pb::FileDescriptorProto& file : set.file()) files_[file.name()] = &file;
  }

  // Files that import each other in a circle are left in it; building them says so.
  void visit(const pb::FileDescriptorProto& file) {
    if (!visited_.insert(file.name()).second) return;
    pending_.push_back({&file, 0});
    while (!pending_.empty()) {
      auto& [at, next] = pending_.back();
      if (next == at->dependency_size()) {
        order_.push_back(at);
        pending_.pop_back();
        continue;
      }
      const auto found = files_.find(at->dependency(next++));
      if (found == files_.end() || !visited_.insert(found->first).second) continue;
      pending_.push_back({found->second, 0});
    }
  }

  const std::vector<const pb::FileDescriptorProto*>& order() const { return order_; }

 private:
  std::map<std::string, const pb::FileDescriptorProto*> files_;
  std::set<std::string> visited_;
  std::vector<std::pair<const pb::FileDescriptorProto*, int>> pending_;
  std::vector<const pb::FileDescriptorProto*> order_;
};

}  // namespace

struct ProtobufType::Factory {
  pb::DynamicMessageFactory of;
};

ProtobufType::ProtobufType(std::shared_ptr<const pb::DescriptorPool> pool,
                           const pb::Descriptor* descriptor)
    : pool_(std::move(pool)),
      descriptor_(descriptor),
      factory_(std::make_unique<Factory>()),
      prototype_(factory_->of.GetPrototype(descriptor)) {}

ProtobufType::~ProtobufType() = default;

std::vector<std::string> ProtobufType::field_names() const {
  std::vector<std::string> out;
  for (int i = 0; i < descriptor_->field_count(); ++i) {
    const pb::FieldDescriptor& field = *descriptor_->field(i);
    out.push_back(field.name());
    if (field.camelcase_name() != field.name()) out.push_back(field.camelcase_name());
  }
  return out;
}

Result<std::shared_ptr<const ProtobufSchema>> ProtobufSchema::from_text(
    std::string_view text, std::span<const Reference> references) {
  PoolBuilder builder;
  for (const auto& [name, reference] : references) {
    if (builder.pool()->FindFileByName(name) != nullptr) continue;
    if (Status added = builder.add_text(name, reference); !added.ok()) return added.error();
  }
  if (Status added = builder.add_text(kTextName, text); !added.ok()) return added.error();
  std::shared_ptr<ProtobufSchema> schema(new ProtobufSchema);
  schema->pool_ = builder.pool();
  schema->file_ = builder.pool()->FindFileByName(kTextName);
  return std::shared_ptr<const ProtobufSchema>(std::move(schema));
}

Result<std::shared_ptr<const ProtobufSchema>> ProtobufSchema::from_descriptor_set(
    std::string_view bytes) {
  pb::FileDescriptorSet set;
  const bool parsed = bytes.size() <= kMaxSchemaBytes &&
                      set.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  if (!parsed || set.file_size() == 0) {
    return user_error("this is no descriptor set of at most 1 MB");
  }
  SetOrder order(set);
  for (const pb::FileDescriptorProto& file : set.file()) order.visit(file);
  PoolBuilder builder;
  for (const pb::FileDescriptorProto* file : order.order()) {
    if (builder.pool()->FindFileByName(file->name()) != nullptr) continue;
    if (Status added = builder.add(*file); !added.ok()) {
      return added.error().within("the descriptor set");
    }
  }
  std::shared_ptr<ProtobufSchema> schema(new ProtobufSchema);
  schema->pool_ = builder.pool();
  return std::shared_ptr<const ProtobufSchema>(std::move(schema));
}

Result<std::shared_ptr<const ProtobufType>> ProtobufSchema::message(
    std::string_view full_name) const {
  const pb::Descriptor* found = pool_->FindMessageTypeByName(std::string(full_name));
  if (found != nullptr) return std::make_shared<const ProtobufType>(pool_, found);
  return user_error("the schema has no message type '" + printable(full_name, 200) +
                    "'; write it with its package, such as shop.Order");
}

Result<std::shared_ptr<const ProtobufType>> ProtobufSchema::message(
    std::span<const int64_t> path) const {
  ASSERT(file_ != nullptr && !path.empty());
  const pb::Descriptor* at = nullptr;
  for (const int64_t number : path) {
    const int count = at == nullptr ? file_->message_type_count() : at->nested_type_count();
    if (number < 0 || number >= count) {
      return user_error("there is no message type " + std::to_string(number) + " in " +
                        (at == nullptr ? "the schema" : at->full_name()) + ", which has " +
                        std::to_string(count));
    }
    const int index = static_cast<int>(number);
    at = at == nullptr ? file_->message_type(index) : at->nested_type(index);
  }
  return std::make_shared<const ProtobufType>(pool_, at);
}

}  // namespace tidemill
