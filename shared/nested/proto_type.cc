#include "shared/nested/proto_type.h"

namespace tidemill {

NestedType nested_type(const proto::Type& type) {
  NestedType out;
  out.kind = static_cast<ColumnType>(type.kind());
  out.precision = static_cast<uint8_t>(type.precision());
  out.scale = static_cast<uint8_t>(type.scale());
  for (const proto::NestedField& field : type.fields()) {
    out.fields.push_back({field.name(), nested_type(field.type())});
  }
  return out;
}

}  // namespace tidemill
