#include "shared/window/nested_features.h"

#include "shared/nested/nested_json.h"

namespace tidemill {
namespace {

template <typename Scalar>
void write_scalar(const NestedType& type, Scalar* value) {
  auto* bytes = std::get_if<std::string>(value);
  if (bytes == nullptr) return;
  std::string json;
  append_nested_json(type, *bytes, JsonDoubles::kWithPoint, &json);
  *bytes = std::move(json);
}

}  // namespace

void write_nested_as_json(const FeatureSpec& feature, FeatureValue* value) {
  if (auto* list = std::get_if<ListValue>(value)) {
    if (feature.nested == nullptr) return;
    for (ScalarValue& element : *list) write_scalar(*feature.nested, &element);
  } else if (auto* map = std::get_if<MapValue>(value)) {
    for (auto& [key, of_key] : map->entries) {
      if (feature.nested_key != nullptr) write_scalar(*feature.nested_key, &key);
      if (feature.nested != nullptr) write_scalar(*feature.nested, &of_key);
    }
  } else if (feature.nested != nullptr) {
    write_scalar(*feature.nested, value);
  }
}

}  // namespace tidemill
