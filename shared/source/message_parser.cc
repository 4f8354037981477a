#include "shared/source/message_parser.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "shared/base/utf8.h"
#include "shared/registry/schema_registry.h"
#include "shared/source/message_decoder.h"
#include "shared/source/record_parser.h"

namespace tidemill {
namespace {

// Confluent's framing: a zero byte, the schema's id in four bytes, of highest significance first.
// Behind it Protobuf has the numbers of the message type.
// https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html
constexpr size_t kFrameBytes = 5;
constexpr size_t kMaxPath = 64;     // of message types within one another
constexpr size_t kMaxCodecs = 256;  // of one schema
constexpr int kMaxVarintBytes = 10;

bool frame_id(std::string_view message, uint32_t* id) {
  if (message.size() < kFrameBytes || message[0] != 0) return false;
  *id = 0;
  for (size_t i = 1; i < kFrameBytes; ++i) *id = *id << 8 | static_cast<uint8_t>(message[i]);
  return true;
}

std::string no_frame(std::string_view message) {
  if (!message.empty() && message[0] != 0) {
    return "the record's first byte is " + std::to_string(static_cast<uint8_t>(message[0])) +
           ", not 0: it does not begin with the id of a registered schema; write it with the "
           "registry's serializer, or leave 'registry' out";
  }
  return "the record has " + std::to_string(message.size()) +
         " bytes; 5 are the least that begin with the id of a registered schema";
}

bool take_varint(std::string_view* from, int64_t* out) {
  uint64_t value = 0;
  for (int i = 0; i < kMaxVarintBytes && !from->empty(); ++i) {
    const auto bits = static_cast<uint8_t>(from->front());
    from->remove_prefix(1);
    value |= uint64_t{bits & 0x7fu} << (7 * i);
    if (bits < 0x80) {
      *out = static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
      return true;
    }
  }
  return false;
}

// Which message type of the schema a Protobuf record is of; moves `from` behind that. A count of 0
// stands for the first one.
bool take_path(std::string_view* from, std::vector<int64_t>* path) {
  path->clear();
  int64_t count = 0;
  if (!take_varint(from, &count) || count < 0 || count > static_cast<int64_t>(kMaxPath)) {
    return false;
  }
  path->resize(std::max<size_t>(static_cast<size_t>(count), 1));
  for (int64_t i = 0; i < count; ++i) {
    if (!take_varint(from, &(*path)[static_cast<size_t>(i)])) return false;
  }
  return true;
}

// How records of a schema are decoded, or why they cannot be.
struct Codec {
  std::unique_ptr<MessageDecoder> decoder;
  std::string why_not;
};

// Records that are all of one schema, which the plan holds.
class FixedSchemaParser : public MessageParser {
 public:
  FixedSchemaParser(const proto::Source& source, std::unique_ptr<MessageDecoder> decoder)
      : source_(source), decoder_(std::move(decoder)) {}

  void parse_message(const Window& message, BatchWriter* writer) override {
    add_record(decoder_.get(), {message.data, message.size}, true, message.offset, source_,
               latest_event_time(), writer);
  }

 private:
  const proto::Source source_;
  const std::unique_ptr<MessageDecoder> decoder_;
};

// A schema of the registry, and the decoders that it has been needed for: one, or of Protobuf one
// for each message type.
struct Registered {
  SchemaRegistry::Schema schema;  // null: the registry has none of the id
  std::string why_not;            // it is no schema of the source's format
  std::shared_ptr<const ProtobufSchema> protobuf;
  std::map<std::vector<int64_t>, Codec> codecs;
};

// Records that begin with the id of a schema in a registry.
class RegistryParser : public MessageParser {
 public:
  RegistryParser(const proto::Source& source, std::shared_ptr<SchemaRegistry> registry)
      : source_(source),
        is_protobuf_(source.kafka().format() == proto::KafkaInput::PROTOBUF),
        registry_(std::move(registry)) {}

  Result<size_t> prepare(std::span<const std::string_view> messages) override {
    // What was not there may be there by now.
    std::erase_if(schemas_, [](const auto& each) { return each.second.schema == nullptr; });
    std::vector<uint32_t> ids;
    std::vector<size_t> first;  // messages that name them
    std::set<uint32_t> seen;
    uint32_t last = 0;
    for (size_t i = 0; i < messages.size(); ++i) {
      uint32_t id = 0;
      if (!frame_id(messages[i], &id) || (id == last && !seen.empty())) continue;
      last = id;
      if (!seen.insert(id).second || schemas_.contains(id)) continue;
      ids.push_back(id);
      first.push_back(i);
    }
    if (ids.empty()) return messages.size();
    auto fetched = registry_->schemas(ids);
    if (!fetched.ok()) return fetched.error();
    for (size_t i = 0; i < fetched->size(); ++i) add(ids[i], std::move((*fetched)[i]));
    return fetched->size() == ids.size() ? messages.size() : first[fetched->size()];
  }

  void parse_message(const Window& message, BatchWriter* writer) override {
    std::string_view rest{message.data, message.size};
    std::string why_not;
    MessageDecoder* const decoder = find_decoder(&rest, &why_not);
    if (decoder == nullptr) {
      return writer->bad(message.offset, BadReason::kUnparsable, std::move(why_not),
                         {message.data, message.size});
    }
    add_record(decoder, rest, true, message.offset, source_, latest_event_time(), writer);
  }

 private:
  void add(uint32_t id, SchemaRegistry::Schema schema) {
    Registered& registered = schemas_[id];
    registered.schema = std::move(schema);
    if (registered.schema == nullptr) return;
    const char* const format = is_protobuf_ ? "PROTOBUF" : "AVRO";
    if (!registered.schema->fault.empty()) {
      registered.why_not = registered.schema->fault;
    } else if (registered.schema->type != format) {
      registered.why_not = "it is of type " + printable(registered.schema->type, 40) +
                           ", and the source reads " + format;
    } else if (is_protobuf_) {
      auto parsed =
          ProtobufSchema::from_text(registered.schema->text, registered.schema->references);
      if (!parsed.ok()) registered.why_not = parsed.error().message();
      if (parsed.ok()) registered.protobuf = std::move(*parsed);
    }
  }

  // Moves `rest` behind the frame. Null: why not.
  MessageDecoder* find_decoder(std::string_view* rest, std::string* why_not) {
    uint32_t id = 0;
    if (!frame_id(*rest, &id)) {
      *why_not = no_frame(*rest);
      return nullptr;
    }
    rest->remove_prefix(kFrameBytes);
    const auto found = schemas_.find(id);
    if (found == schemas_.end() || found->second.schema == nullptr) {
      *why_not = "the schema registry has no schema " + std::to_string(id);
      return nullptr;
    }
    Registered& registered = found->second;
    const std::string schema = "schema " + std::to_string(id) + " of the registry: ";
    if (!registered.why_not.empty()) {
      *why_not = schema + registered.why_not;
      return nullptr;
    }
    path_.clear();
    if (is_protobuf_ && !take_path(rest, &path_)) {
      *why_not = "the numbers of the message type, behind the schema's id, are not valid";
      return nullptr;
    }
    Codec& codec = codec_of(&registered);
    if (codec.decoder == nullptr) *why_not = schema + codec.why_not;
    return codec.decoder.get();
  }

  Codec& codec_of(Registered* registered) {
    const auto found = registered->codecs.find(path_);
    if (found != registered->codecs.end()) return found->second;
    // Whoever writes the records can make up any number of paths.
    if (registered->codecs.size() >= kMaxCodecs) registered->codecs.clear();
    auto made = is_protobuf_ ? make_protobuf(*registered) : make_avro(*registered);
    Codec& codec = registered->codecs[path_];
    if (made.ok()) {
      codec.decoder = std::move(*made);
    } else {
      codec.why_not = made.error().message();
    }
    return codec;
  }

  Result<std::unique_ptr<MessageDecoder>> make_avro(const Registered& registered) const {
    std::vector<std::string> references;
    for (const auto& [name, text] : registered.schema->references) references.push_back(text);
    auto schema = AvroSchema::parse(registered.schema->text, references);
    if (!schema.ok()) return schema.error();
    return make_avro_decoder(std::move(*schema), source_);
  }

  Result<std::unique_ptr<MessageDecoder>> make_protobuf(const Registered& registered) const {
    auto type = registered.protobuf->message(path_);
    if (!type.ok()) return type.error();
    const std::string& name = (*type)->descriptor().full_name();
    const std::string& wanted = source_.kafka().message_type();
    if (!wanted.empty() && name != wanted) {
      return user_error("the record is of type " + name + ", and the source reads " + wanted);
    }
    return make_protobuf_decoder(std::move(*type), source_);
  }

  const proto::Source source_;
  const bool is_protobuf_;
  const std::shared_ptr<SchemaRegistry> registry_;
  std::unordered_map<uint32_t, Registered> schemas_;
  std::vector<int64_t> path_;
};

Result<std::unique_ptr<MessageDecoder>> make_fixed_decoder(const proto::Source& source) {
  const proto::KafkaInput& kafka = source.kafka();
  if (kafka.format() == proto::KafkaInput::AVRO) {
    auto schema = AvroSchema::parse(kafka.message_schema());
    if (!schema.ok()) return schema.error();
    return make_avro_decoder(std::move(*schema), source);
  }
  const auto schema = ProtobufSchema::from_descriptor_set(kafka.message_schema());
  if (!schema.ok()) return schema.error();
  auto type = (*schema)->message(kafka.message_type());
  if (!type.ok()) return type.error();
  return make_protobuf_decoder(std::move(*type), source);
}

Result<std::unique_ptr<MessageParser>> make_schema_parser(const proto::Source& source) {
  if (source.kafka().has_registry()) {
    auto registry = SchemaRegistry::get(source.kafka().registry());
    if (!registry.ok()) return registry.error();
    return std::unique_ptr<MessageParser>(
        std::make_unique<RegistryParser>(source, std::move(*registry)));
  }
  auto decoder = make_fixed_decoder(source);
  if (!decoder.ok()) return decoder.error();
  return std::unique_ptr<MessageParser>(
      std::make_unique<FixedSchemaParser>(source, std::move(*decoder)));
}

Result<std::unique_ptr<MessageParser>> as_message_parser(
    Result<std::unique_ptr<RecordParser>> parser) {
  if (!parser.ok()) return parser.error();
  return std::unique_ptr<MessageParser>(std::move(*parser));
}

}  // namespace

Result<std::unique_ptr<MessageParser>> make_message_parser(const proto::Source& source) {
  switch (source.kafka().format()) {
    case proto::KafkaInput::JSON:
      return as_message_parser(make_ndjson_parser(source));
    case proto::KafkaInput::CSV:
      return as_message_parser(make_csv_message_parser(source, source.kafka().csv_fields()));
    case proto::KafkaInput::AVRO:
    case proto::KafkaInput::PROTOBUF:
      return make_schema_parser(source);
    default:
      return user_error("the format of the records is not set; it is json, csv, avro or protobuf");
  }
}

}  // namespace tidemill
