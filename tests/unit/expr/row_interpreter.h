// One expression over one row, straight from the definition: the truth that the evaluator is
// tested against. Shares no code with it.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proto/plan.pb.h"

namespace tidemill::test {

// Null, or a value. Integers and timestamps are int64_t.
using Value = std::variant<std::monostate, bool, int64_t, double, std::string>;

// Nothing if the row fails.
std::optional<Value> interpret(const proto::Expr& expr, const std::vector<Value>& row);

}  // namespace tidemill::test
