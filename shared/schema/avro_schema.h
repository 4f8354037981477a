// AvroSchema: with what schema Avro data was written, as a table of types that name one another by
// number. https://avro.apache.org/docs/1.11.1/specification/
//
// Aliases, defaults, order and documentation do not change what bytes mean and are not kept. A
// logical type that is not known, or does not fit its type, is ignored, as the specification has
// it. immutable
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"

namespace tidemill {

struct AvroType {
  enum class Kind : uint8_t {
    kNull,
    kBoolean,
    kInt,
    kLong,
    kFloat,
    kDouble,
    kBytes,
    kString,
    kFixed,
    kEnum,
    kArray,
    kMap,
    kUnion,
    kRecord,
  };
  enum class Logical : uint8_t {
    kNone,
    kDate,             // of kInt
    kTimestampMillis,  // of kLong, since 1970; local ones are taken for UTC
    kTimestampMicros,
    kTimestampNanos,
    kDecimal,  // of kBytes and kFixed: a whole number × 10^-scale
    kUuid,     // of kString, and of kFixed of 16 bytes
  };
  Kind kind{};
  Logical logical{};
  uint32_t size = 0;               // kFixed: bytes
  uint32_t scale = 0;              // kDecimal
  std::string name;                // kFixed, kEnum, kRecord: with its namespace
  std::vector<std::string> names;  // kEnum: its symbols; kRecord: of its fields
  std::vector<uint32_t> types;     // kRecord: of its fields; kUnion, kArray, kMap: of what it holds
};

class AvroSchema {
 public:
  // Of a schema's JSON text. `references` are schemas that define types which it names, each after
  // those that it names itself. kUser: it is no schema; says what is wrong with it.
  static Result<std::shared_ptr<const AvroSchema>> parse(
      std::string_view text, std::span<const std::string> references = {});

  const AvroType& root() const { return types_[root_]; }
  uint32_t root_number() const { return root_; }
  const AvroType& operator[](uint32_t type) const { return types_[type]; }

  // "an Avro long (timestamp-millis)", "the Avro record shop.Item": for messages.
  std::string describe(uint32_t type) const;

 private:
  friend class AvroSchemaReader;
  AvroSchema() = default;

  std::vector<AvroType> types_;
  uint32_t root_ = 0;
};

}  // namespace tidemill
