// NestedType: the whole type of a value, with what is in lists, structs and maps. Immutable once
// made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shared/columns/row_block.h"

namespace tidemill {

// Lists, structs and maps within one another, at most.
inline constexpr int kMaxNestedDepth = 8;

struct NestedType {
  struct Field;

  ColumnType kind{};
  uint8_t precision = 0;      // kDecimal
  uint8_t scale = 0;          // kDecimal
  std::vector<Field> fields;  // kList: its element; kMap: key and value; kStruct: its fields

  // kList and kMap.
  const NestedType& element() const;
  const NestedType& key() const;
  const NestedType& value() const;
};

struct NestedType::Field {
  std::string name;  // kStruct only
  NestedType type;
};

inline const NestedType& NestedType::element() const { return fields[0].type; }
inline const NestedType& NestedType::key() const { return fields[0].type; }
inline const NestedType& NestedType::value() const { return fields[1].type; }

constexpr bool is_nested(ColumnType kind) {
  return kind == ColumnType::kList || kind == ColumnType::kStruct || kind == ColumnType::kMap;
}

}  // namespace tidemill
