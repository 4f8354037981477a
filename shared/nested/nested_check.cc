#include "shared/base/decimal.h"
#include "shared/base/json_text.h"
#include "shared/base/utf8.h"
#include "shared/nested/nested_value.h"

namespace tidemill {
namespace {

class Checker {
 public:
  explicit Checker(std::string_view bytes) : in_(bytes) {}

  bool whole(const NestedType& type) {
    check(type, 1);
    return in_.ok() && in_.at_end();
  }

 private:
  void check(const NestedType& type, int depth) {
    if (depth > kMaxNestedDepth + 1) return in_.fail();
    switch (type.kind) {
      case ColumnType::kBool:
        in_.boolean();
        return;
      case ColumnType::kInt32:
      case ColumnType::kInt64:
      case ColumnType::kTimestamp:
      case ColumnType::kDate:
        in_.whole(type.kind);
        return;
      case ColumnType::kDouble:
        return check_real();
      case ColumnType::kList:
        return check_list(type, depth);
      case ColumnType::kMap:
        return check_map(type, depth);
      case ColumnType::kStruct:
        return check_struct(type, depth);
      default:
        return check_text(type);
    }
  }

  // One NaN, one zero.
  void check_real() {
    NestedInput ahead = in_;
    static const NestedType kDouble{ColumnType::kDouble, 0, 0, {}};
    const std::string_view raw = ahead.take(kDouble);
    const double value = in_.real();
    if (!in_.ok()) return;
    again_.clear();
    again_.real(value);
    if (again_.value() != raw) in_.fail();
  }

  void check_text(const NestedType& type) {
    const std::string_view text = in_.text();
    if (!in_.ok()) return;
    bool good = true;
    if (type.kind == ColumnType::kDecimal) {
      const std::optional<Decimal> value = decode_decimal(text);
      Decimal fitted;
      good = value.has_value() && value->scale == type.scale &&
             fit(*value, DecimalType{type.precision, type.scale}, &fitted);
    } else if (type.kind == ColumnType::kJson) {
      good = is_valid_utf8(text) && is_valid_json(text);
    } else if (type.kind == ColumnType::kString) {
      good = is_valid_utf8(text);
    }
    if (!good) in_.fail();
  }

  // A bitmap that says of none that it is null is not there.
  void need_null(const NestedInput::Items& items) {
    if (items.null_bits == nullptr) return;
    for (uint32_t i = 0; i < items.count; ++i) {
      if (items.is_null(i)) return;
    }
    in_.fail();
  }

  void check_list(const NestedType& type, int depth) {
    const NestedInput::Items items = in_.items();
    need_null(items);
    for (uint32_t i = 0; i < items.count && in_.ok(); ++i) {
      if (!items.is_null(i)) check(type.element(), depth + 1);
    }
  }

  void check_map(const NestedType& type, int depth) {
    const NestedInput::Items items = in_.items();
    need_null(items);
    std::string_view before;
    for (uint32_t i = 0; i < items.count && in_.ok(); ++i) {
      NestedInput ahead = in_;
      const std::string_view key = ahead.take(type.key());
      check(type.key(), depth + 1);
      if (!in_.ok() || (i > 0 && compare_keys(type.key(), before, key) >= 0)) return in_.fail();
      before = key;
      if (!items.is_null(i)) check(type.value(), depth + 1);
    }
  }

  void check_struct(const NestedType& type, int depth) {
    const NestedInput::Items items = in_.fields(type.fields.size());
    for (uint32_t i = 0; i < items.count && in_.ok(); ++i) {
      if (!items.is_null(i)) check(type.fields[i].type, depth + 1);
    }
  }

  NestedInput in_;
  NestedWriter again_;
};

}  // namespace

bool is_nested_value(const NestedType& type, std::string_view bytes) {
  return bytes.size() <= kMaxNestedBytes && Checker(bytes).whole(type);
}

}  // namespace tidemill
