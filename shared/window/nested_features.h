// Features that are lists, structs or maps of a column: their values as JSON text, as all outputs
// have them. thread-safe
#pragma once

#include "shared/window/table_schema.h"

namespace tidemill {

inline bool is_of_nested(const FeatureSpec& feature) {
  return feature.nested != nullptr || feature.nested_key != nullptr;
}

// `value` is of bytes (docs/formats/nested.md) where the feature says so.
void write_nested_as_json(const FeatureSpec& feature, FeatureValue* value);

}  // namespace tidemill
