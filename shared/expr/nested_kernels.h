// What functions of lists, structs and maps share: the types of a call's arguments and result, and
// loops over items. Private to shared/expr.
#pragma once

#include <optional>

#include "shared/expr/evaluation.h"
#include "shared/nested/nested_value.h"
#include "shared/nested/proto_type.h"

namespace tidemill {

inline constexpr RowFault kTooManyItems{
    "54000", "the list would take more than 65536 bytes or elements, the most allowed"};

// The types that a call's kernel works with, and room for what it makes.
struct NestedCall : FunctionState {
  std::vector<NestedType> args;
  NestedType result;
  NestedWriter writer;
  std::string text;
};

Result<std::unique_ptr<FunctionState>> prepare_nested(const proto::Expr& call);
inline NestedCall& nested_call(const Call& call) { return static_cast<NestedCall&>(*call.state); }

// An item as it lies in its list; nothing for null.
using NestedItem = std::optional<std::string_view>;

// f(item) for each element, until it answers false.
template <typename F>
void each_element(const NestedType& list, std::string_view bytes, F&& f) {
  NestedInput in(bytes);
  const NestedInput::Items items = in.items();
  for (uint32_t i = 0; i < items.count && in.ok(); ++i) {
    NestedItem item;
    if (!items.is_null(i)) item = in.take(list.element());
    if (in.ok() && !f(item)) return;
  }
}
// f(key, value) likewise.
template <typename F>
void each_entry(const NestedType& map, std::string_view bytes, F&& f) {
  NestedInput in(bytes);
  const NestedInput::Items items = in.items();
  for (uint32_t i = 0; i < items.count && in.ok(); ++i) {
    const std::string_view key = in.take(map.key());
    NestedItem value;
    if (!items.is_null(i)) value = in.take(map.value());
    if (in.ok() && !f(key, value)) return;
  }
}

inline void put_item(const NestedItem& item, NestedWriter* out) {
  if (item.has_value()) {
    out->encoded(*item);
  } else {
    out->null();
  }
}

// A column's value to be compared with items of a type: of the same type, but for decimals, which
// may have more digits.
class ItemProbe {
 public:
  ItemProbe(const NestedType& type, const Column& column) : type_(type), column_(column) {}

  // Before items are compared with it.
  void at(uint32_t row);
  bool is_null() const { return column_.nulls[row_] != 0; }
  bool equals(std::string_view item) const;
  int compare(std::string_view item) const;  // the value with the item: < 0, 0 or > 0

 private:
  const NestedType& type_;
  const Column& column_;
  uint32_t row_ = 0;
  NestedWriter value_;
};

proto::Type list_of(const proto::Type& element);

}  // namespace tidemill
