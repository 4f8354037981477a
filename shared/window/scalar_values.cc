#include "shared/window/scalar_values.h"

#include "shared/base/bytes_text.h"
#include "shared/base/calendar.h"
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

ScalarValue scalar_of_text(ColumnType type, std::string_view text) {
  return type == ColumnType::kBytes ? bytes_text(text) : std::string(text);
}

}  // namespace tidemill
