// What a feature can be.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tidemill {

// One value of a column: never null within a list.
using ScalarValue = std::variant<int64_t, double, bool, std::string>;

struct ListValue : std::vector<ScalarValue> {
  using std::vector<ScalarValue>::vector;
  // There were more different values than the function looks at.
  bool truncated = false;
  friend bool operator==(const ListValue&, const ListValue&) = default;
};

// A value of a map: null only by `by:`, where a function has none for some value of the column.
using NullableScalar = std::variant<std::monostate, int64_t, double, bool, std::string>;

// Keys are different; their order is the function's.
struct MapValue {
  std::vector<std::pair<ScalarValue, NullableScalar>> entries;
  bool truncated = false;  // as of a list
  friend bool operator==(const MapValue&, const MapValue&) = default;
};

// A feature's value: null, or the type the feature declares, or a list or a map of that.
using FeatureValue =
    std::variant<std::monostate, int64_t, double, bool, std::string, ListValue, MapValue>;

inline bool is_null(const FeatureValue& value) {
  return std::holds_alternative<std::monostate>(value);
}

// Whether the value is of some of the values in its window only, as there are more than its
// function looks at.
inline bool is_truncated(const FeatureValue& value) {
  if (const auto* list = std::get_if<ListValue>(&value)) return list->truncated;
  const auto* map = std::get_if<MapValue>(&value);
  return map != nullptr && map->truncated;
}

}  // namespace tidemill
