// AvroInput: reads binary Avro data front to back, by the schema it was written with. Safe on any
// bytes: behind a fault everything reads as nothing, and ok() says so once and for all. Nothing is
// copied. https://avro.apache.org/docs/1.11.1/specification/#binary-encoding
//
// Two kinds of faults: bytes that are no data of the schema (ok() is false, and what follows cannot
// be found), and values that are, but that no column can hold (value_fault()).
//
// A schema may make much of few bytes: every value counts, whether it is skipped, written as JSON
// or read by whoever uses this, who says so by a Value. So where a record ends, or that it does
// not, is the same whatever is made of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shared/schema/avro_schema.h"

namespace tidemill {

class AvroInput {
 public:
  AvroInput(const AvroSchema& schema, std::string_view bytes)
      : schema_(schema), begin_(bytes.data()), rest_(bytes) {}

  // Has floats in JSON with all digits of the double that they are.
  void write_floats_as_doubles(bool whether) { floats_as_doubles_ = whether; }

  bool ok() const { return fault_.empty(); }
  const std::string& fault() const { return fault_; }
  const std::string& value_fault() const { return value_fault_; }
  size_t used() const { return static_cast<size_t>(rest_.data() - begin_); }

  bool boolean();
  int64_t number();  // int and long
  float single();
  double real();
  std::string_view bytes();  // bytes and string
  std::string_view take(size_t size);
  // The type that a union's value is of; 0 if its number is none of the union's.
  uint32_t branch(const AvroType& type);
  // A symbol of an enum; "" if its number is none of the enum's.
  std::string_view symbol(const AvroType& type);

  // A value that is being read, within those that are.
  class Value {
   public:
    explicit Value(AvroInput* in) : in_(*in) { in_.enter(); }
    ~Value() { --in_.depth_; }
    Value(const Value&) = delete;
    Value& operator=(const Value&) = delete;

   private:
    AvroInput& in_;
  };

  void skip(uint32_t type);
  // The value as JSON text, as docs/formats/avro.md has it. Text behind kMaxRecordBytes is left
  // out: it is too large anyway.
  void append_json(uint32_t type, std::string* out);
  // The same where there is a Value already.
  void skip_inside(uint32_t type);
  void append_json_inside(uint32_t type, std::string* out);
  // The text of a value of a type that has one: decimals and UUIDs.
  std::string decimal(const AvroType& type);
  std::string uuid(const AvroType& type);

 private:
  void fail(std::string why);
  // One value more, within one more. Fails beyond the bounds of both.
  void enter();
  void append_number(const AvroType& type, std::string* out);
  void append_text(const AvroType& type, std::string* out);
  // Calls `each` for every item of an array or entry of a map.
  template <typename Each>
  void items(const Each& each);
  // The number of items in the next block of an array or map; 0: there is none. `*size` is its
  // bytes, 0 if not known.
  uint64_t next_block(uint64_t* size);

  const AvroSchema& schema_;
  const char* begin_;
  std::string_view rest_;
  std::string fault_;
  std::string value_fault_;
  int depth_ = 0;
  size_t values_ = 0;
  bool floats_as_doubles_ = false;
};

// A number of a timestamp type in microseconds, rounded down; false if it is out of range.
bool avro_time(AvroType::Logical logical, int64_t number, int64_t* micros);

}  // namespace tidemill
