#include "shared/window/scalar_values.h"

#include "shared/base/assert.h"
#include "shared/base/bytes_text.h"
#include "shared/base/calendar.h"
#include "shared/base/decimal.h"
#include "shared/window/chunk.h"

namespace tidemill {

ScalarValue scalar_of_number(ColumnType type, int64_t number) {
  switch (type) {
    case ColumnType::kDouble:
      return double_of_key(number);
    case ColumnType::kBool:
      return number != 0;
    case ColumnType::kDate:
      return date_text(number);
    default:
      return number;
  }
}

NullableScalar nullable_scalar(FeatureValue value) {
  return std::visit(
      [](auto v) -> NullableScalar {
        if constexpr (std::is_constructible_v<NullableScalar, decltype(v)>) {
          return v;
        } else {
          ASSERT(false);
        }
      },
      std::move(value));
}

ScalarValue scalar_of_text(ColumnType type, std::string_view text) {
  if (type == ColumnType::kDecimal) return decimal_bytes_to_string(text);
  return type == ColumnType::kBytes ? bytes_text(text) : std::string(text);
}

}  // namespace tidemill
