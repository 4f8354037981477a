#include "shared/source/protobuf_nested.h"

#include <google/protobuf/descriptor.h>

#include <array>
#include <charconv>
#include <cmath>

#include "shared/base/calendar.h"
#include "shared/base/time.h"
#include "shared/base/utf8.h"

namespace tidemill {
namespace {

namespace pb = google::protobuf;

constexpr int64_t kNanosPerMicro = 1000;
constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr size_t kShownBytes = 60;

// As it is written in the .proto file, or as JSON has it.
const pb::FieldDescriptor* find_field(const pb::Descriptor& type, const std::string& name) {
  const pb::FieldDescriptor* found = type.FindFieldByName(name);
  return found != nullptr ? found : type.FindFieldByCamelcaseName(name);
}

}  // namespace

bool is_wrapper(const pb::Descriptor& type) {
  return type.file()->name() == "google/protobuf/wrappers.proto";
}

bool is_timestamp(const pb::Descriptor& type) {
  return type.full_name() == "google.protobuf.Timestamp" &&
         type.file()->name() == "google/protobuf/timestamp.proto";
}

bool micros_of(const pb::Message& time, int64_t* micros) {
  const pb::Descriptor& type = *time.GetDescriptor();
  const pb::Reflection& reflection = *time.GetReflection();
  const int64_t seconds = reflection.GetInt64(time, type.FindFieldByNumber(1));
  const int64_t nanos = reflection.GetInt32(time, type.FindFieldByNumber(2));
  return nanos >= 0 && nanos < kNanosPerSecond &&
         !__builtin_mul_overflow(seconds, kMicrosPerSecond, micros) &&
         !__builtin_add_overflow(*micros, nanos / kNanosPerMicro, micros) &&
         *micros >= kLeastTextTime && *micros <= kGreatestTextTime;
}

std::string timestamp_words(const pb::Message& time) {
  const pb::Descriptor& type = *time.GetDescriptor();
  const pb::Reflection& reflection = *time.GetReflection();
  return "{seconds: " + std::to_string(reflection.GetInt64(time, type.FindFieldByNumber(1))) +
         ", nanos: " + std::to_string(reflection.GetInt32(time, type.FindFieldByNumber(2))) + "}";
}

std::optional<NestedFault> ProtobufNested::read(const Message& message, const Field& of,
                                                const NestedType& type, std::string_view* value) {
  path_.clear();
  fault_ = {};
  writer_.clear();
  if (!field(message, of, type)) {
    fault_.path = path_;
    return std::move(fault_);
  }
  *value = writer_.value();
  return std::nullopt;
}

bool ProtobufNested::wrong(const NestedType& type, std::string found) {
  fault_.wanted = &type;
  fault_.found = std::move(found);
  return false;
}

bool ProtobufNested::field(const Message& message, const Field& of, const NestedType& type) {
  if (of.is_map()) {
    return type.kind == ColumnType::kMap ? map(message, of, type) : wrong(type, "a map");
  }
  if (of.is_repeated()) {
    return type.kind == ColumnType::kList ? list(message, of, type)
                                          : wrong(type, "a repeated field");
  }
  if (of.has_presence() && !message.GetReflection()->HasField(message, &of)) {
    writer_.null();
    return true;
  }
  return item(message, of, kAlone, type);
}

bool ProtobufNested::list(const Message& message, const Field& of, const NestedType& type) {
  const int count = message.GetReflection()->FieldSize(message, &of);
  writer_.begin_list();
  for (int i = 0; i < count; ++i) {
    const size_t before = path_.size();
    path_ += '[' + std::to_string(i + 1) + ']';
    if (static_cast<uint32_t>(i) >= kMaxNestedItems) {
      fault_.why = "a list has at most " + std::to_string(kMaxNestedItems) + " elements";
      return false;
    }
    if (!item(message, of, i, type.element())) return false;
    path_.resize(before);
  }
  writer_.end_list();
  return true;
}

bool ProtobufNested::map(const Message& message, const Field& of, const NestedType& type) {
  const pb::Reflection& reflection = *message.GetReflection();
  const int count = reflection.FieldSize(message, &of);
  if (static_cast<uint32_t>(count) > kMaxNestedItems) {
    fault_.why = "a map has at most " + std::to_string(kMaxNestedItems) + " entries";
    return false;
  }
  writer_.begin_map();
  for (int i = 0; i < count; ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &of, i);
    const pb::Descriptor& parts = *entry.GetDescriptor();
    const size_t before = path_.size();
    path_ += "[entry " + std::to_string(i + 1) + "]";
    if (!item(entry, *parts.map_key(), kAlone, type.key())) return false;
    if (!field(entry, *parts.map_value(), type.value())) return false;
    path_.resize(before);
  }
  if (writer_.end_map(type.key(), nullptr)) return true;
  fault_.why = "a key is there twice";
  return false;
}

bool ProtobufNested::record(const Message& message, const NestedType& type) {
  writer_.begin_struct();
  for (const NestedType::Field& each : type.fields) {
    const pb::FieldDescriptor* of = find_field(*message.GetDescriptor(), each.name);
    if (of == nullptr) {
      writer_.null();
      continue;
    }
    const size_t before = path_.size();
    path_ += '.' + each.name;
    if (!field(message, *of, each.type)) return false;
    path_.resize(before);
  }
  writer_.end_struct();
  return true;
}

// The element of a repeated field, or the value of one that is not.
bool ProtobufNested::item(const Message& message, const Field& of, int index,
                          const NestedType& type) {
  const pb::Reflection& reflection = *message.GetReflection();
  const bool alone = index == kAlone;
  switch (of.cpp_type()) {
    case Field::CPPTYPE_BOOL: {
      const bool value = alone ? reflection.GetBool(message, &of)
                               : reflection.GetRepeatedBool(message, &of, index);
      if (type.kind != ColumnType::kBool) return wrong(type, value ? "true" : "false");
      writer_.boolean(value);
      return true;
    }
    case Field::CPPTYPE_INT32:
      return whole(alone ? reflection.GetInt32(message, &of)
                         : reflection.GetRepeatedInt32(message, &of, index),
                   type);
    case Field::CPPTYPE_INT64:
      return whole(alone ? reflection.GetInt64(message, &of)
                         : reflection.GetRepeatedInt64(message, &of, index),
                   type);
    case Field::CPPTYPE_UINT32:
      return whole(alone ? reflection.GetUInt32(message, &of)
                         : reflection.GetRepeatedUInt32(message, &of, index),
                   type);
    case Field::CPPTYPE_UINT64: {
      const uint64_t value = alone ? reflection.GetUInt64(message, &of)
                                   : reflection.GetRepeatedUInt64(message, &of, index);
      if (value <= INT64_MAX) return whole(static_cast<int64_t>(value), type);
      if (type.kind == ColumnType::kDouble) return real(static_cast<double>(value), type);
      return (type.kind == ColumnType::kDecimal &&
              put_text_value(type, std::to_string(value), &writer_)) ||
             wrong(type, std::to_string(value));
    }
    case Field::CPPTYPE_FLOAT:
      return real(alone ? reflection.GetFloat(message, &of)
                        : reflection.GetRepeatedFloat(message, &of, index),
                  type);
    case Field::CPPTYPE_DOUBLE:
      return real(alone ? reflection.GetDouble(message, &of)
                        : reflection.GetRepeatedDouble(message, &of, index),
                  type);
    case Field::CPPTYPE_ENUM: {
      const int number = alone ? reflection.GetEnumValue(message, &of)
                               : reflection.GetRepeatedEnumValue(message, &of, index);
      if (type.kind != ColumnType::kString) return whole(number, type);
      const pb::EnumValueDescriptor* value = of.enum_type()->FindValueByNumber(number);
      writer_.text(value == nullptr ? std::to_string(number) : value->name());
      return true;
    }
    case Field::CPPTYPE_STRING:
      return text(alone ? reflection.GetStringReference(message, &of, &scratch_)
                        : reflection.GetRepeatedStringReference(message, &of, index, &scratch_),
                  of.type() == Field::TYPE_BYTES, type);
    case Field::CPPTYPE_MESSAGE:
      return message_item(alone ? reflection.GetMessage(message, &of)
                                : reflection.GetRepeatedMessage(message, &of, index),
                          type);
  }
  return wrong(type, "a value of an unknown type");
}

bool ProtobufNested::message_item(const Message& inner, const NestedType& type) {
  const pb::Descriptor& of = *inner.GetDescriptor();
  if (is_wrapper(of)) return item(inner, *of.field(0), kAlone, type);
  if (is_timestamp(of) && type.kind == ColumnType::kTimestamp) return timestamp(inner, type);
  if (type.kind == ColumnType::kStruct) return record(inner, type);
  return wrong(type, "the message " + of.full_name());
}

bool ProtobufNested::timestamp(const Message& inner, const NestedType& type) {
  int64_t micros = 0;
  if (!micros_of(inner, &micros)) return wrong(type, timestamp_words(inner));
  writer_.whole(type.kind, micros);
  return true;
}

bool ProtobufNested::whole(int64_t value, const NestedType& type) {
  switch (type.kind) {
    case ColumnType::kInt32:
    case ColumnType::kInt64:
    case ColumnType::kDecimal: {
      const std::string digits = std::to_string(value);
      return put_text_value(type, digits, &writer_) || wrong(type, digits);
    }
    case ColumnType::kDouble:
      return real(static_cast<double>(value), type);
    default:
      return wrong(type, std::to_string(value));
  }
}

bool ProtobufNested::real(double value, const NestedType& type) {
  std::array<char, 32> digits{};
  const auto [end, ec] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  const std::string text(digits.data(), end);
  if (type.kind == ColumnType::kDouble) {
    writer_.real(value);
    return true;
  }
  const bool good = type.kind == ColumnType::kDecimal && put_text_value(type, text, &writer_);
  return good || wrong(type, text);
}

bool ProtobufNested::text(const std::string& value, bool bytes, const NestedType& type) {
  const bool fits = bytes ? type.kind == ColumnType::kBytes
                          : type.kind == ColumnType::kString || type.kind == ColumnType::kDate ||
                                type.kind == ColumnType::kTimestamp ||
                                type.kind == ColumnType::kDecimal;
  if (fits && bytes) {
    writer_.text(value);
    return true;
  }
  return (fits && put_text_value(type, value, &writer_)) ||
         wrong(type, printable(value, kShownBytes));
}

}  // namespace tidemill
