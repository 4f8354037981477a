// The types of plans as NestedType.
#pragma once

#include "proto/plan.pb.h"
#include "shared/nested/nested_type.h"

namespace tidemill {

NestedType nested_type(const proto::Type& type);
// Of anything with a `type` and `details`: a field of a source, an expression, a feature.
template <typename Message>
NestedType nested_type_of(const Message& message) {
  if (message.has_details()) return nested_type(message.details());
  NestedType out;
  out.kind = static_cast<ColumnType>(message.type());
  return out;
}

}  // namespace tidemill
