#include "shared/parquet/parquet_footer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

namespace tidemill {
namespace {

// Types of the compact protocol.
enum Wire : uint8_t {
  kStop = 0,
  kTrue = 1,  // of a field; in a list, a byte that says which
  kFalse = 2,
  kByte = 3,
  kI16 = 4,
  kI32 = 5,
  kI64 = 6,
  kDouble = 7,
  kBinary = 8,
  kList = 9,
  kSet = 10,
  kMap = 11,
  kStruct = 12,
  kUuid = 13
};

enum class Message : uint8_t {
  kOther,  // holds no lists
  kFile,
  kSchemaElement,
  kRowGroup,
  kColumnChunk,
  kColumnMetaData,
  kColumnCrypto,
  kColumnKey,
  kSizeStatistics,
  kGeospatialStatistics
};

// A field that is a list, or a message with lists: whoever decodes it makes room for what a list
// says it has, and takes its elements for what they should be, whatever type it says they are.
struct Part {
  Message in;
  int16_t field;
  Wire wire;
  Wire element;    // of a list
  Message is;      // its elements
  uint64_t bytes;  // that an element takes, about, with what is made of it
};
using enum Message;
constexpr std::array kParts{
    Part{kFile, 2, kList, kStruct, kSchemaElement, 2048},
    Part{kFile, 4, kList, kStruct, kRowGroup, 256},
    Part{kFile, 5, kList, kStruct, kOther, 128},  // key_value_metadata
    Part{kFile, 7, kList, kStruct, kOther, 64},   // column_orders
    Part{kRowGroup, 1, kList, kStruct, kColumnChunk, 1024},
    Part{kRowGroup, 4, kList, kStruct, kOther, 32},  // sorting_columns
    Part{kColumnChunk, 3, kStruct, kStop, kColumnMetaData, 0},
    Part{kColumnChunk, 8, kStruct, kStop, kColumnCrypto, 0},
    Part{kColumnCrypto, 2, kStruct, kStop, kColumnKey, 0},
    Part{kColumnKey, 1, kList, kBinary, kOther, 32},        // path_in_schema
    Part{kColumnMetaData, 2, kList, kI32, kOther, 4},       // encodings
    Part{kColumnMetaData, 3, kList, kBinary, kOther, 32},   // path_in_schema
    Part{kColumnMetaData, 8, kList, kStruct, kOther, 128},  // key_value_metadata
    Part{kColumnMetaData, 13, kList, kStruct, kOther, 32},  // encoding_stats
    Part{kColumnMetaData, 16, kStruct, kStop, kSizeStatistics, 0},
    Part{kColumnMetaData, 17, kStruct, kStop, kGeospatialStatistics, 0},
    Part{kSizeStatistics, 2, kList, kI64, kOther, 8},
    Part{kSizeStatistics, 3, kList, kI64, kOther, 8},
    Part{kGeospatialStatistics, 2, kList, kI32, kOther, 4},
};
constexpr int16_t kNameField = 4;      // of a SchemaElement
constexpr int16_t kChildrenField = 5;  // likewise

constexpr int kMaxDepth = 64;
constexpr size_t kVarintBytes = 10;

const Part* find_part(Message in, int16_t field, Wire wire) {
  const auto found = std::find_if(kParts.begin(), kParts.end(), [&](const Part& part) {
    return part.in == in && part.field == field && part.wire == wire;
  });
  return found == kParts.end() ? nullptr : &*found;
}

int64_t from_zigzag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

// Every function that reads is false once something is wrong; failure() says what.
class Footer {
 public:
  explicit Footer(std::string_view bytes) : left_(bytes) {}

  bool read() { return message(kFile, 0); }
  const Error& failure() const { return *failure_; }

 private:
  bool damaged(const char* what) {
    failure_ = corrupt_error(std::string("its footer is damaged: ") + what);
    return false;
  }

  bool charge(uint64_t bytes, uint64_t times = 1) {
    if (bytes == 0 || times <= (kMaxFooterMemory - taken_) / bytes) {
      taken_ += bytes * times;
      return true;
    }
    failure_ = user_error("its footer lists columns and row groups that would take more than " +
                          std::to_string(kMaxFooterMemory >> 20) +
                          " MB of memory; write larger row groups, or fewer columns");
    return false;
  }

  bool skip(uint64_t bytes) {
    if (bytes > left_.size()) return damaged("it ends within a value");
    left_.remove_prefix(bytes);
    return true;
  }
  bool byte(uint8_t* out) {
    if (!left_.empty()) *out = static_cast<uint8_t>(left_[0]);
    return skip(1);
  }
  bool varint(uint64_t* out) {
    *out = 0;
    for (size_t i = 0; i < kVarintBytes; ++i) {
      uint8_t next = 0;
      if (!byte(&next)) return false;
      *out |= static_cast<uint64_t>(next & 0x7f) << (7 * i);
      if (next < 0x80) return true;
    }
    return damaged("a number has more than 64 bits");
  }
  // How many elements, of which each takes a byte at least.
  bool count(uint64_t* out) {
    if (!varint(out)) return false;
    return *out <= left_.size() || damaged("a list is longer than the footer");
  }

  bool message(Message what, int depth) {
    int16_t field = 0;
    for (;;) {
      uint8_t head = 0;
      if (!byte(&head)) return false;
      const auto wire = static_cast<Wire>(head & 15);
      if (wire == kStop) return true;
      uint64_t number = 0;
      if (head >> 4 != 0) {
        field = static_cast<int16_t>(field + (head >> 4));
      } else {
        if (!varint(&number)) return false;
        field = static_cast<int16_t>(from_zigzag(static_cast<uint32_t>(number)));
      }
      if (wire == kTrue || wire == kFalse) continue;
      if (what == kSchemaElement && !look_at_schema(field, wire)) return false;
      if (!value(wire, find_part(what, field, wire), depth + 1)) return false;
    }
  }

  // A value that is no field, or a field with more to it than its type.
  bool value(Wire wire, const Part* part, int depth) {
    if (depth > kMaxDepth) return damaged("it is nested too deeply");
    uint64_t number = 0;
    switch (wire) {
      case kTrue:
      case kFalse:
      case kByte:
        return skip(1);
      case kI16:
      case kI32:
      case kI64:
        return varint(&number);
      case kDouble:
        return skip(8);
      case kUuid:
        return skip(16);
      case kBinary:
        return varint(&number) && skip(number) && charge(number);
      case kList:
      case kSet:
        return list(part, depth);
      case kMap:
        return map(depth);
      case kStruct:
        return message(part == nullptr ? kOther : part->is, depth);
      case kStop:
        break;
    }
    return damaged("a value has no known type");
  }

  bool list(const Part* part, int depth) {
    uint8_t head = 0;
    if (!byte(&head)) return false;
    const auto element = static_cast<Wire>(head & 15);
    uint64_t size = head >> 4;
    if (size == 15 && !count(&size)) return false;
    if (part != nullptr) {
      if (size > 0 && element != part->element) return damaged("a list is of another type");
      if (!charge(part->bytes, size)) return false;
      if (part->is == kSchemaElement) groups_.clear();
    }
    for (uint64_t i = 0; i < size; ++i) {
      if (part == nullptr || element != kStruct) {
        if (!value(element, nullptr, depth + 1)) return false;
      } else if (part->is == kSchemaElement) {
        if (!schema_element(depth + 1)) return false;
      } else if (!message(part->is, depth + 1)) {
        return false;
      }
    }
    return true;
  }

  bool map(int depth) {
    uint64_t size = 0;
    uint8_t types = 0;
    if (!count(&size)) return false;
    if (size > 0 && !byte(&types)) return false;
    for (uint64_t i = 0; i < size; ++i) {
      if (!value(static_cast<Wire>(types >> 4), nullptr, depth + 1)) return false;
      if (!value(static_cast<Wire>(types & 15), nullptr, depth + 1)) return false;
    }
    return true;
  }

  // What comes next stays to be read.
  bool look_at_schema(int16_t field, Wire wire) {
    const std::string_view here = left_;
    uint64_t number = 0;
    if (field == kNameField && wire == kBinary) {
      if (!varint(&number)) return false;
      name_bytes_ = number;
    } else if (field == kChildrenField && wire == kI32) {
      if (!varint(&number)) return false;
      children_ = std::max<int64_t>(0, from_zigzag(static_cast<uint32_t>(number)));
    }
    left_ = here;
    return true;
  }

  // Elements are in the order of a walk that begins with the root. The path of each, which has the
  // names of all groups that it is in, is kept in two forms.
  bool schema_element(int depth) {
    name_bytes_ = 0;
    children_ = 0;
    if (!message(kSchemaElement, depth)) return false;
    while (!groups_.empty() && groups_.back().left == 0) groups_.pop_back();
    uint64_t path = 0;
    if (!groups_.empty()) {
      --groups_.back().left;
      path = groups_.back().path_bytes + name_bytes_ + 1;
    }
    if (children_ > 0) groups_.push_back({children_, path});
    return charge(2 * path);
  }

  struct Group {
    int64_t left;  // of its fields
    uint64_t path_bytes;
  };

  std::string_view left_;
  uint64_t taken_ = 0;
  std::vector<Group> groups_;  // of the schema, that are open
  uint64_t name_bytes_ = 0;    // of the schema element at hand
  int64_t children_ = 0;
  std::optional<Error> failure_;
};

}  // namespace

Status check_footer(std::string_view bytes) {
  Footer footer(bytes);
  if (footer.read()) return {};
  return footer.failure();
}

}  // namespace tidemill
