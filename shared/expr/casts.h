// Conversions between the types of expressions, each described once.
#pragma once

#include <optional>

#include "proto/plan.pb.h"
#include "shared/expr/call.h"

namespace tidemill {

// Whether an explicit cast between two different types exists. As in PostgreSQL, and besides from
// bool to double.
bool can_cast(proto::ColumnType from, proto::ColumnType to);

// Whether some value of `from` has no counterpart in `to`. False for a type itself.
bool cast_can_fail(proto::ColumnType from, proto::ColumnType to);

// How far a value of `from` is from `to` in the conversions that need no cast: 0 for the same type;
// int32 to int64 to double, date to timestamp or a local one, that to a timestamp. Nothing if there
// is none.
std::optional<int> promotion_steps(proto::ColumnType from, proto::ColumnType to);

// The type that both promote to; nothing if there is none.
std::optional<proto::ColumnType> common_type(proto::ColumnType a, proto::ColumnType b);

// The kernel of a cast that exists. Its one argument is the value.
using CastKernel = void (*)(const Call& call);
CastKernel cast_kernel(proto::ColumnType from, proto::ColumnType to);

}  // namespace tidemill
