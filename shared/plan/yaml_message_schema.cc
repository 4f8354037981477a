// Where the schemas of a topic's binary records come from: a registry, or a file beside the job.
#include <fstream>
#include <sstream>

#include "shared/base/utf8.h"
#include "shared/expr/suggest.h"
#include "shared/plan/file_pattern.h"
#include "shared/plan/kafka_settings.h"
#include "shared/plan/yaml_inputs.h"
#include "shared/schema/avro_schema.h"
#include "shared/schema/protobuf_schema.h"
#include "shared/schema/schema_limits.h"

namespace tidemill {
namespace {

// All of a file that is no larger than a schema may be.
Result<std::string> read_schema_file(const std::string& path) {
  const std::string shown = "'" + printable(path, 300) + "'";
  std::ifstream in(path, std::ios::binary);
  if (!in) return user_error("there is no file " + shown + " that can be read");
  std::string bytes(kMaxSchemaBytes + 1, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (in.bad()) return user_error("the file " + shown + " cannot be read");
  bytes.resize(static_cast<size_t>(in.gcount()));
  if (bytes.size() > kMaxSchemaBytes) {
    return user_error("the file " + shown + " is larger than " + std::to_string(kMaxSchemaBytes) +
                      " bytes, which is more than any schema may have");
  }
  return bytes;
}

class MessageSchemaCompiler {
 public:
  MessageSchemaCompiler(YamlFields* fields, JobContext* job, proto::Source* source)
      : fields_(*fields),
        job_(*job),
        source_(*source),
        kafka_(*source->mutable_kafka()),
        avro_(kafka_.format() == proto::KafkaInput::AVRO),
        file_key_(avro_ ? "schema_file" : "descriptor_set") {}

  void compile() {
    refuse(avro_ ? "descriptor_set" : "schema_file",
           avro_ ? "a descriptor set is for format: protobuf; write schema_file: FILE for Avro"
                 : "a schema file is for format: avro; write descriptor_set: FILE for Protobuf");
    if (avro_) refuse("message", "'message' is for format: protobuf: leave it out");
    const YamlNode* registry = fields_.find("registry");
    const YamlNode* file = fields_.find(file_key_);
    if (const auto message = fields_.text("message"); message && !avro_) {
      kafka_.set_message_type(*message);
    }
    if (registry != nullptr && file != nullptr) {
      fields_.error(*file, file_key_,
                    std::string("records either name a schema of the registry or are all of one "
                                "schema: leave 'registry' or '") +
                        file_key_ + "' out");
    } else if (registry != nullptr) {
      compile_registry(*registry);
    } else if (file != nullptr) {
      compile_file(*file);
    } else {
      fields_.error(std::string("nothing says what the records are: write registry: {url: ...} if "
                                "they begin with the id of a registered schema, or ") +
                    file_key_ + ": FILE if they are all of one schema");
    }
  }

  // Of another format.
  static void refuse_all(YamlFields* fields) {
    for (const char* key : {"registry", "schema_file", "descriptor_set", "message"}) {
      if (const YamlNode* stray = fields->find(key); stray != nullptr) {
        fields->error(*stray, key,
                      std::string("'") + key + "' is for format: avro or protobuf: leave it out");
      }
    }
  }

 private:
  void refuse(const char* key, const char* why) {
    if (const YamlNode* stray = fields_.find(key); stray != nullptr) {
      fields_.error(*stray, key, why);
    }
  }

  void compile_registry(const YamlNode& node) {
    YamlFields fields(node, fields_.path_of("registry"), {"url", "user", "password"}, job_.errors);
    proto::SchemaRegistry* const registry = kafka_.mutable_registry();
    const auto set = [&](const char* key, Status (*check)(std::string_view)) {
      const std::optional<std::string> text = fields.text(key);
      if (!text) return std::string();
      if (Status s = check(*text); !s.ok())
        fields.error(*fields.find(key), key, s.error().message());
      return *text;
    };
    if (!fields.is_map()) return;
    fields.require("url", "the registry's address, such as http://registry:8081");
    registry->set_url(set("url", check_registry_url));
    registry->set_user(set("user", check_registry_user));
    registry->set_password(set("password", check_registry_password));
  }

  void compile_file(const YamlNode& node) {
    const std::optional<std::string> name = fields_.text(file_key_);
    if (!name) return;
    auto bytes = read_schema_file(absolute_pattern(*name, job_.base_dir));
    if (!bytes.ok()) return refuse_file(node, bytes.error());
    kafka_.set_message_schema(*bytes);
    const auto names = avro_ ? avro_fields(*bytes) : protobuf_fields(*bytes);
    if (!names.ok()) return refuse_file(node, names.error());
    check_columns(node, *names);
  }

  void refuse_file(const YamlNode& node, const Error& error) {
    fields_.error(node, file_key_,
                  error.message() + (avro_ ? "; give the schema that the records were written with"
                                           : "; give what protoc --descriptor_set_out=FILE "
                                             "--include_imports wrote"));
  }

  static Result<std::vector<std::string>> avro_fields(const std::string& text) {
    const auto schema = AvroSchema::parse(text);
    if (!schema.ok()) return schema.error();
    if ((*schema)->root().kind != AvroType::Kind::kRecord) {
      return user_error("the schema is not that of a record");
    }
    return (*schema)->root().names;
  }

  Result<std::vector<std::string>> protobuf_fields(const std::string& bytes) {
    const auto schema = ProtobufSchema::from_descriptor_set(bytes);
    if (!schema.ok()) return schema.error();
    if (kafka_.message_type().empty()) {
      fields_.error(
          "nothing says which message type the records are of: write message: PACKAGE.TYPE");
      return std::vector<std::string>();
    }
    const auto type = (*schema)->message(kafka_.message_type());
    if (!type.ok()) {
      fields_.error(*fields_.find("message"), "message", type.error().message());
      return std::vector<std::string>();
    }
    return (*type)->field_names();
  }

  // Fields that no column is named after are skipped, but each column must have one.
  void check_columns(const YamlNode& node, const std::vector<std::string>& names) {
    if (names.empty()) return;
    for (const proto::Field& column : source_.schema()) {
      if (std::find(names.begin(), names.end(), column.name()) != names.end()) continue;
      fields_.error(node, file_key_,
                    "the schema has no field '" + column.name() +
                        "', so that the column would always be null: leave it out of 'schema'" +
                        suggestion(column.name(), names));
    }
  }

  YamlFields& fields_;
  JobContext& job_;
  const proto::Source& source_;
  proto::KafkaInput& kafka_;
  const bool avro_;
  const char* const file_key_;
};

}  // namespace

void compile_message_schema(YamlFields* fields, JobContext* job, proto::Source* source) {
  const auto format = source->kafka().format();
  if (format == proto::KafkaInput::AVRO || format == proto::KafkaInput::PROTOBUF) {
    MessageSchemaCompiler(fields, job, source).compile();
  } else {
    MessageSchemaCompiler::refuse_all(fields);
  }
}

}  // namespace tidemill
