// Values of a column as features have them: dates and bytes as their text. thread-safe
#pragma once

#include <cstdint>
#include <string_view>

#include "shared/columns/row_block.h"
#include "shared/window/feature_value.h"

namespace tidemill {

// A value as ChunkLayout::number_at() gives it, of a type that is not held as a string.
ScalarValue scalar_of_number(ColumnType type, int64_t number);
// One of a type that is.
ScalarValue scalar_of_text(ColumnType type, std::string_view text);

inline NullableScalar nullable(ScalarValue value) {
  return std::visit([](auto scalar) { return NullableScalar(std::move(scalar)); },
                    std::move(value));
}

// Of a value that is neither list nor map.
NullableScalar nullable_scalar(FeatureValue value);

inline FeatureValue as_feature(ScalarValue value) {
  return std::visit([](auto scalar) { return FeatureValue(std::move(scalar)); }, std::move(value));
}

}  // namespace tidemill
