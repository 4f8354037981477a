// Protobuf messages into columns: which type goes to which column is in docs/formats/protobuf.md.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <algorithm>
#include <utility>

#include "shared/base/calendar.h"
#include "shared/base/json_text.h"
#include "shared/base/utf8.h"
#include "shared/source/message_decoder.h"
#include "shared/source/nested_columns.h"
#include "shared/source/protobuf_nested.h"
#include "shared/source/record_parser.h"
#include "shared/source/values.h"

namespace tidemill {
namespace {

namespace pb = google::protobuf;
using pb::FieldDescriptor;

constexpr char kTypePrefix[] = "type.googleapis.com";

std::string describe(const FieldDescriptor& field) {
  if (field.is_map()) return "a map";
  if (field.is_repeated()) return "a repeated field";
  if (field.message_type() != nullptr) return "the message " + field.message_type()->full_name();
  if (field.enum_type() != nullptr) return "the enum " + field.enum_type()->full_name();
  return std::string("a Protobuf ") + field.type_name();
}

// What canonical JSON leaves out: a field that is not there, of a kind that has a default.
std::string default_json(const FieldDescriptor& field) {
  if (field.is_map()) return "{}";
  if (field.is_repeated()) return "[]";
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return "false";
    case FieldDescriptor::CPPTYPE_STRING:
      return "\"\"";
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "\"0\"";
    case FieldDescriptor::CPPTYPE_ENUM:
      return '"' + field.default_value_enum()->name() + '"';
    default:
      return "0";
  }
}

// Takes text up to a bound, and says when there is more.
class BoundedText : public pb::io::ZeroCopyOutputStream {
 public:
  explicit BoundedText(std::string* text) : text_(*text) { text_.clear(); }

  bool full() const { return full_; }

  bool Next(void** data, int* size) override {
    const size_t used = text_.size();
    full_ = full_ || used >= kMost;
    if (full_) return false;
    text_.resize(std::min(std::max(2 * used, kFirst), kMost));
    *data = text_.data() + used;
    *size = static_cast<int>(text_.size() - used);
    return true;
  }
  void BackUp(int count) override { text_.resize(text_.size() - static_cast<size_t>(count)); }
  int64_t ByteCount() const override { return static_cast<int64_t>(text_.size()); }

 private:
  static constexpr size_t kFirst = 1024;
  // A writer may ask for room that it does not need then.
  static constexpr size_t kMost = kMaxRecordBytes + kFirst;

  std::string& text_;
  bool full_ = false;
};

class ProtobufDecoder : public MessageDecoder {
 public:
  ProtobufDecoder(std::shared_ptr<const ProtobufType> type, const proto::Source& source)
      : type_(std::move(type)),
        source_(source),
        nested_(source),
        message_(type_->prototype().New()),
        json_part_(type_->prototype().New()),
        resolver_(pb::util::NewTypeResolverForDescriptorPool(kTypePrefix, &type_->pool())),
        url_(std::string(kTypePrefix) + "/" + type_->descriptor().full_name()) {
    for (const proto::Field& column : source_.schema()) {
      const FieldDescriptor* field = type_->descriptor().FindFieldByName(column.name());
      if (field == nullptr) field = type_->descriptor().FindFieldByCamelcaseName(column.name());
      fields_.push_back(field);
      // Of columns "order_id" and "orderId" the field is one, and is taken once.
      if (field != nullptr && column.type() == proto::JSON &&
          std::find(json_fields_.begin(), json_fields_.end(), field) == json_fields_.end()) {
        json_fields_.push_back(field);
      }
    }
  }

  Decoded decode(std::string_view bytes, bool alone, BatchWriter* writer) override;

 private:
  void set_value(size_t column, const pb::Message& message, const FieldDescriptor& field,
                 BatchWriter* writer);
  void set_message(size_t column, const pb::Message& message, const FieldDescriptor& field,
                   BatchWriter* writer);
  void set_integer(size_t column, int64_t value, const FieldDescriptor& field, BatchWriter* writer);
  void set_unsigned(size_t column, uint64_t value, const FieldDescriptor& field,
                    BatchWriter* writer);
  void set_real(size_t column, double value, const FieldDescriptor& field, BatchWriter* writer);
  void set_enum(size_t column, const pb::Message& message, const FieldDescriptor& field,
                BatchWriter* writer);
  void set_text(size_t column, const pb::Message& message, const FieldDescriptor& field,
                BatchWriter* writer);
  void set_timestamp(size_t column, const pb::Message& time, BatchWriter* writer);
  void set_nested(size_t column, const pb::Message& message, const FieldDescriptor& field,
                  BatchWriter* writer);
  void set_digits(size_t column, std::string_view text, BatchWriter* writer);
  // Of the columns of type json: all at once.
  void set_json(BatchWriter* writer);
  void mismatch(size_t column, const FieldDescriptor& field);
  const proto::Field& column(size_t index) const { return source_.schema(static_cast<int>(index)); }
  void bad(std::string why) {
    if (done_.why.empty()) done_.why = std::move(why);
  }

  const std::shared_ptr<const ProtobufType> type_;
  const proto::Source source_;
  NestedColumns nested_;
  ProtobufNested nested_reader_;
  const std::unique_ptr<pb::Message> message_;
  const std::unique_ptr<pb::Message> json_part_;
  const std::unique_ptr<pb::util::TypeResolver> resolver_;
  const std::string url_;
  std::vector<const FieldDescriptor*> fields_;       // by column; null: none
  std::vector<const FieldDescriptor*> json_fields_;  // each once
  TimestampParser timestamps_;
  Decoded done_;
  std::string binary_;
  std::string json_;
};

Decoded ProtobufDecoder::decode(std::string_view bytes, bool alone, BatchWriter* writer) {
  ASSERT(alone);  // nothing in a message says where it ends
  done_ = {};
  done_.size = bytes.size();
  const bool parsed = bytes.size() <= kMaxRecordBytes &&
                      message_->ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()));
  if (!parsed || !message_->IsInitialized()) {
    done_.whole = false;
    done_.why = "the record is no message of type " + type_->descriptor().full_name();
    if (parsed) done_.why += ": it lacks " + message_->InitializationErrorString();
    return std::move(done_);
  }
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i] == nullptr) {
      writer->set_null(i);
    } else if (writer->type(i) != ColumnType::kJson) {
      set_value(i, *message_, *fields_[i], writer);
    }
  }
  if (!json_fields_.empty() && done_.why.empty()) set_json(writer);
  return std::move(done_);
}

void ProtobufDecoder::mismatch(size_t index, const FieldDescriptor& field) {
  bad("column '" + column(index).name() + "': the record has " + describe(field) +
      ", the column wants " + type_noun(column(index).type()));
}

void ProtobufDecoder::set_value(size_t index, const pb::Message& message,
                                const FieldDescriptor& field, BatchWriter* writer) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (nested_.holds(index)) return set_nested(index, message, field, writer);
  if (field.is_repeated()) return mismatch(index, field);
  if (field.has_presence() && !reflection.HasField(message, &field)) return writer->set_null(index);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      if (writer->type(index) != ColumnType::kBool) return mismatch(index, field);
      return writer->set_bool(index, reflection.GetBool(message, &field));
    case FieldDescriptor::CPPTYPE_INT32:
      return set_integer(index, reflection.GetInt32(message, &field), field, writer);
    case FieldDescriptor::CPPTYPE_INT64:
      return set_integer(index, reflection.GetInt64(message, &field), field, writer);
    case FieldDescriptor::CPPTYPE_UINT32:
      return set_integer(index, reflection.GetUInt32(message, &field), field, writer);
    case FieldDescriptor::CPPTYPE_UINT64:
      return set_unsigned(index, reflection.GetUInt64(message, &field), field, writer);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return set_real(index, reflection.GetFloat(message, &field), field, writer);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return set_real(index, reflection.GetDouble(message, &field), field, writer);
    case FieldDescriptor::CPPTYPE_ENUM:
      return set_enum(index, message, field, writer);
    case FieldDescriptor::CPPTYPE_STRING:
      return set_text(index, message, field, writer);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return set_message(index, message, field, writer);
  }
}

void ProtobufDecoder::set_integer(size_t index, int64_t value, const FieldDescriptor& field,
                                  BatchWriter* writer) {
  switch (writer->type(index)) {
    case ColumnType::kInt32:
      if (!fits_int32(value)) bad(bad_value(column(index), std::to_string(value)));
      return writer->set_int(index, value);
    case ColumnType::kInt64:
      return writer->set_int(index, value);
    case ColumnType::kDouble:
      return writer->set_double(index, static_cast<double>(value));
    case ColumnType::kDecimal:
      return set_digits(index, std::to_string(value), writer);
    default:
      return mismatch(index, field);
  }
}

void ProtobufDecoder::set_unsigned(size_t index, uint64_t value, const FieldDescriptor& field,
                                   BatchWriter* writer) {
  if (writer->type(index) == ColumnType::kDouble) {
    return writer->set_double(index, static_cast<double>(value));
  }
  if (writer->type(index) == ColumnType::kDecimal) {
    return set_digits(index, std::to_string(value), writer);
  }
  const bool whole =
      writer->type(index) == ColumnType::kInt64 || writer->type(index) == ColumnType::kInt32;
  if (whole && value > INT64_MAX) return bad(bad_value(column(index), std::to_string(value)));
  return set_integer(index, static_cast<int64_t>(value), field, writer);
}

void ProtobufDecoder::set_real(size_t index, double value, const FieldDescriptor& field,
                               BatchWriter* writer) {
  if (writer->type(index) == ColumnType::kDecimal) {
    return set_digits(index, digits_of(value), writer);
  }
  if (writer->type(index) != ColumnType::kDouble) return mismatch(index, field);
  writer->set_double(index, value);
}

// A number that the schema has no name for is that number, as in canonical JSON.
void ProtobufDecoder::set_enum(size_t index, const pb::Message& message,
                               const FieldDescriptor& field, BatchWriter* writer) {
  const int number = message.GetReflection()->GetEnumValue(message, &field);
  if (writer->type(index) != ColumnType::kString) {
    if (writer->type(index) != ColumnType::kInt32 && writer->type(index) != ColumnType::kInt64) {
      return mismatch(index, field);
    }
    return set_integer(index, number, field, writer);
  }
  const pb::EnumValueDescriptor* value = field.enum_type()->FindValueByNumber(number);
  writer->set_string(index,
                     writer->keep(value == nullptr ? std::to_string(number) : value->name()));
}

void ProtobufDecoder::set_text(size_t index, const pb::Message& message,
                               const FieldDescriptor& field, BatchWriter* writer) {
  const std::string& text = message.GetReflection()->GetStringReference(message, &field, &binary_);
  const bool bytes = field.type() == FieldDescriptor::TYPE_BYTES;
  int64_t number = 0;
  switch (writer->type(index)) {
    case ColumnType::kBytes:
      if (!bytes) return mismatch(index, field);
      return writer->set_string(index, writer->keep(text));
    case ColumnType::kString:
      if (bytes) return mismatch(index, field);
      if (!is_valid_utf8(text)) bad(bad_value(column(index), text));
      return writer->set_string(index, writer->keep(text));
    case ColumnType::kTimestamp:
    case ColumnType::kDate: {
      if (bytes) return mismatch(index, field);
      const bool good = writer->type(index) == ColumnType::kDate ? parse_date(text, &number)
                                                                 : timestamps_.parse(text, &number);
      if (!good) bad(bad_value(column(index), text));
      return writer->set_int(index, number);
    }
    case ColumnType::kDecimal:
      return bytes ? mismatch(index, field) : set_digits(index, text, writer);
    default:
      return mismatch(index, field);
  }
}

void ProtobufDecoder::set_message(size_t index, const pb::Message& message,
                                  const FieldDescriptor& field, BatchWriter* writer) {
  const pb::Message& inner = message.GetReflection()->GetMessage(message, &field);
  const pb::Descriptor& type = *field.message_type();
  if (is_wrapper(type)) return set_value(index, inner, *type.field(0), writer);
  if (!is_timestamp(type) || writer->type(index) != ColumnType::kTimestamp) {
    return mismatch(index, field);
  }
  set_timestamp(index, inner, writer);
}

void ProtobufDecoder::set_timestamp(size_t index, const pb::Message& time, BatchWriter* writer) {
  int64_t micros = 0;
  if (!micros_of(time, &micros)) bad(bad_value(column(index), timestamp_words(time)));
  writer->set_int(index, micros);
}

void ProtobufDecoder::set_nested(size_t index, const pb::Message& message,
                                 const FieldDescriptor& field, BatchWriter* writer) {
  if (field.has_presence() && !message.GetReflection()->HasField(message, &field)) {
    return writer->set_null(index);
  }
  std::string_view value;
  const auto fault = nested_reader_.read(message, field, nested_.type(index), &value);
  std::string why =
      fault.has_value() ? nested_.words(index, *fault) : nested_.put(index, value, writer);
  if (!why.empty()) bad(std::move(why));
}

// A decimal by its text.
void ProtobufDecoder::set_digits(size_t index, std::string_view text, BatchWriter* writer) {
  if (!set_decimal(index, text, writer)) bad(bad_value(column(index), text));
}

void ProtobufDecoder::set_json(BatchWriter* writer) {
  const pb::Reflection& reflection = *message_->GetReflection();
  json_part_->Clear();
  reflection.SwapFields(message_.get(), json_part_.get(), json_fields_);
  binary_.clear();
  json_part_->SerializePartialToString(&binary_);
  BoundedText text(&json_);
  pb::io::ArrayInputStream input(binary_.data(), static_cast<int>(binary_.size()));
  const auto status = pb::util::BinaryToJsonStream(resolver_.get(), url_, &input, &text);
  if (text.full() || json_.size() > kMaxRecordBytes) {
    done_.reason = BadReason::kOversized;
    return bad("the JSON text of the record's columns is larger than 1 MB");
  }
  if (!status.ok()) {
    return bad("the record has no JSON text for its columns of type json: " +
               printable(status.ToString(), 200));
  }
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i] == nullptr || writer->type(i) != ColumnType::kJson) continue;
    const FieldDescriptor& field = *fields_[i];
    const auto text = json_member(json_, field.json_name());
    if (text && *text != "null") {
      writer->set_string(i, writer->keep(*text));
    } else if (text || field.has_presence()) {
      writer->set_null(i);
    } else {
      writer->set_string(i, writer->keep(default_json(field)));
    }
  }
}

}  // namespace

std::unique_ptr<MessageDecoder> make_protobuf_decoder(std::shared_ptr<const ProtobufType> type,
                                                      const proto::Source& source) {
  return std::make_unique<ProtobufDecoder>(std::move(type), source);
}

}  // namespace tidemill
