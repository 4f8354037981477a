#include "shared/source/avro_input.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "shared/base/bytes_text.h"
#include "shared/base/calendar.h"
#include "shared/base/time.h"
#include "shared/base/utf8.h"
#include "shared/net/json_text.h"
#include "shared/source/decimal_text.h"
#include "shared/source/record_parser.h"

namespace tidemill {
namespace {

using Kind = AvroType::Kind;
using Logical = AvroType::Logical;

constexpr int kMaxDepth = 256;  // of values within one another
// A record may have so many values, and so many more for each of its bytes.
constexpr size_t kFreeValues = 1024;
constexpr size_t kValuesPerByte = 16;
constexpr int kMaxVarintBytes = 10;

void append_float(float value, std::string* out) {
  if (!std::isfinite(value)) return append_json_double(value, out);
  std::array<char, 32> text{};
  const auto [end, ec] = std::to_chars(text.data(), text.data() + text.size(), value);
  const std::string_view digits(text.data(), static_cast<size_t>(end - text.data()));
  out->append(digits);
  if (digits.find_first_of(".e") == std::string_view::npos) out->append(".0");
}

}  // namespace

bool avro_time(Logical logical, int64_t number, int64_t* micros) {
  switch (logical) {
    case Logical::kTimestampMillis:
      if (__builtin_mul_overflow(number, int64_t{1000}, micros)) return false;
      break;
    case Logical::kTimestampNanos:
      *micros = number / 1000 - (number % 1000 < 0 ? 1 : 0);
      break;
    default:
      *micros = number;
  }
  return *micros >= kLeastTextTime && *micros <= kGreatestTextTime;
}

void AvroInput::fail(std::string why) {
  if (fault_.empty()) fault_ = std::move(why);
  rest_.remove_prefix(rest_.size());
}

std::string_view AvroInput::take(size_t size) {
  if (size > rest_.size()) {
    fail("it ends within a value");
    return {};
  }
  const std::string_view out = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return out;
}

bool AvroInput::boolean() {
  const std::string_view byte = take(1);
  if (byte.empty()) return false;
  if (byte[0] != 0 && byte[0] != 1) fail("a boolean is neither 0 nor 1");
  return byte[0] == 1;
}

int64_t AvroInput::number() {
  uint64_t value = 0;
  for (int i = 0; i < kMaxVarintBytes; ++i) {
    const std::string_view byte = take(1);
    if (byte.empty()) return 0;
    const auto bits = static_cast<uint8_t>(byte[0]);
    if (i == kMaxVarintBytes - 1 && bits > 1) break;
    value |= uint64_t{bits & 0x7fu} << (7 * i);
    if (bits < 0x80) return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
  }
  fail("a number has more than 64 bits");
  return 0;
}

float AvroInput::single() {
  const std::string_view raw = take(sizeof(float));
  float value = 0;
  if (raw.size() == sizeof(value)) std::memcpy(&value, raw.data(), sizeof(value));
  return value;
}

double AvroInput::real() {
  const std::string_view raw = take(sizeof(double));
  double value = 0;
  if (raw.size() == sizeof(value)) std::memcpy(&value, raw.data(), sizeof(value));
  return value;
}

std::string_view AvroInput::bytes() {
  const int64_t size = number();
  if (size < 0) {
    fail("a length is negative");
    return {};
  }
  return take(static_cast<size_t>(size));
}

uint32_t AvroInput::branch(const AvroType& type) {
  const int64_t at = number();
  if (ok() && (at < 0 || at >= static_cast<int64_t>(type.types.size()))) {
    fail("type " + std::to_string(at) + " of a union of " + std::to_string(type.types.size()));
  }
  return ok() ? type.types[static_cast<size_t>(at)] : type.types[0];
}

std::string_view AvroInput::symbol(const AvroType& type) {
  const int64_t at = number();
  if (ok() && (at < 0 || at >= static_cast<int64_t>(type.names.size()))) {
    fail("symbol " + std::to_string(at) + " of the enum " + type.name + " of " +
         std::to_string(type.names.size()));
  }
  return ok() ? std::string_view(type.names[static_cast<size_t>(at)]) : std::string_view();
}

void AvroInput::enter() {
  ++depth_;
  if (depth_ > kMaxDepth) fail("its values lie more than " + std::to_string(kMaxDepth) + " deep");
  if (++values_ > kFreeValues + kValuesPerByte * used()) {
    fail("it has more values than " + std::to_string(kFreeValues) + " and " +
         std::to_string(kValuesPerByte) + " for each of its bytes");
  }
}

uint64_t AvroInput::next_block(uint64_t* size) {
  *size = 0;
  const int64_t count = number();
  if (count >= 0) return static_cast<uint64_t>(count);
  const int64_t bytes = number();
  if (bytes < 0 || count == INT64_MIN) {
    fail("a length is negative");
    return 0;
  }
  *size = static_cast<uint64_t>(bytes);
  return static_cast<uint64_t>(-count);
}

template <typename Each>
void AvroInput::items(const Each& each) {
  uint64_t size = 0;
  for (uint64_t count = next_block(&size); count > 0 && ok(); count = next_block(&size)) {
    for (; count > 0; --count) {
      each();
      if (!ok()) return;
    }
  }
}

void AvroInput::skip(uint32_t type) {
  const Value value(this);
  if (ok()) skip_inside(type);
}

void AvroInput::skip_inside(uint32_t number_of_type) {
  const AvroType& type = schema_[number_of_type];
  switch (type.kind) {
    case Kind::kNull:
      return;
    case Kind::kBoolean:
      boolean();
      return;
    case Kind::kInt:
    case Kind::kLong:
      number();
      return;
    case Kind::kFloat:
      take(sizeof(float));
      return;
    case Kind::kDouble:
      take(sizeof(double));
      return;
    case Kind::kBytes:
    case Kind::kString:
      bytes();
      return;
    case Kind::kFixed:
      take(type.size);
      return;
    case Kind::kEnum:
      symbol(type);
      return;
    case Kind::kUnion:
      return skip(branch(type));
    case Kind::kArray:
      return items([&] { skip(type.types[0]); });
    case Kind::kMap:
      return items([&] {
        bytes();
        skip(type.types[0]);
      });
    case Kind::kRecord:
      for (const uint32_t field : type.types) {
        if (ok()) skip(field);
      }
      return;
  }
}

void AvroInput::append_number(const AvroType& type, std::string* out) {
  const int64_t value = number();
  if (type.logical == Logical::kNone) return append_json_int(value, out);
  int64_t micros = 0;
  const bool date = type.logical == Logical::kDate;
  if (date ? value < kLeastTextDay || value > kGreatestTextDay
           : !avro_time(type.logical, value, &micros)) {
    value_fault_ = std::to_string(value) + " is a day or time beyond the years 0001 to 9999";
    return;
  }
  *out += '"' + (date ? date_text(value) : format_timestamp(micros)) + '"';
}

std::string AvroInput::decimal(const AvroType& type) {
  const std::string_view raw = type.kind == Kind::kFixed ? take(type.size) : bytes();
  std::string text;
  if (ok() && !decimal_text(raw, type.scale, &text)) {
    value_fault_ = "a decimal has " + std::to_string(raw.size()) + " bytes, not 1 to " +
                   std::to_string(kMaxDecimalBytes);
  }
  return text;
}

std::string AvroInput::uuid(const AvroType& type) {
  if (type.kind == Kind::kString) return std::string(bytes());
  constexpr char kHex[] = "0123456789abcdef";
  const std::string_view raw = take(type.size);
  std::string out;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += kHex[static_cast<uint8_t>(raw[i]) >> 4];
    out += kHex[static_cast<uint8_t>(raw[i]) & 15];
  }
  return out;
}

void AvroInput::append_text(const AvroType& type, std::string* out) {
  if (type.logical == Logical::kDecimal) {
    *out += decimal(type);
    return;
  }
  if (type.kind == Kind::kFixed && type.logical == Logical::kUuid) {
    return append_json_string(uuid(type), out);
  }
  const std::string_view raw = type.kind == Kind::kFixed ? take(type.size) : bytes();
  if (type.kind != Kind::kString) return append_json_string(bytes_text(raw), out);
  if (!is_valid_utf8(raw)) value_fault_ = "a string is not valid UTF-8";
  append_json_string(raw, out);
}

void AvroInput::append_json(uint32_t type, std::string* out) {
  const Value value(this);
  if (ok()) append_json_inside(type, out);
}

void AvroInput::append_json_inside(uint32_t number_of_type, std::string* out) {
  const AvroType& type = schema_[number_of_type];
  if (out->size() > kMaxRecordBytes) return skip_inside(number_of_type);
  bool first = true;
  const auto separate = [&] {
    if (!std::exchange(first, false)) *out += ',';
  };
  switch (type.kind) {
    case Kind::kNull:
      *out += "null";
      return;
    case Kind::kBoolean:
      *out += boolean() ? "true" : "false";
      return;
    case Kind::kInt:
    case Kind::kLong:
      return append_number(type, out);
    case Kind::kFloat:
      if (floats_as_doubles_) return append_json_double(single(), out);
      return append_float(single(), out);
    case Kind::kDouble:
      return append_json_double(real(), out);
    case Kind::kBytes:
    case Kind::kString:
    case Kind::kFixed:
      return append_text(type, out);
    case Kind::kEnum:
      return append_json_string(symbol(type), out);
    case Kind::kUnion:
      return append_json(branch(type), out);
    case Kind::kArray:
      *out += '[';
      items([&] {
        separate();
        append_json(type.types[0], out);
      });
      *out += ']';
      return;
    case Kind::kMap:
      *out += '{';
      items([&] {
        separate();
        const std::string_view key = bytes();
        if (!is_valid_utf8(key)) value_fault_ = "a key of a map is not valid UTF-8";
        append_json_string(key, out);
        *out += ':';
        append_json(type.types[0], out);
      });
      *out += '}';
      return;
    case Kind::kRecord:
      *out += '{';
      for (size_t i = 0; i < type.types.size() && ok(); ++i) {
        if (out->size() <= kMaxRecordBytes) {
          separate();
          append_json_string(type.names[i], out);
          *out += ':';
        }
        append_json(type.types[i], out);
      }
      *out += '}';
      return;
  }
}

}  // namespace tidemill
