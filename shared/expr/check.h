// Whether a typed expression is well-formed: every operator has the arguments and the types it
// needs, every column exists. Expressions from outside go through it before anything uses them.
#pragma once

#include <cstddef>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/columns/column.h"

namespace tidemill {

// Deepest and largest typed expression; conversions that the parser inserts count.
inline constexpr int kMaxTypedDepth = 64;
inline constexpr size_t kMaxTypedNodes = 4096;

Status check_expression(const proto::Expr& expr, const std::vector<ColumnType>& schema);

}  // namespace tidemill
