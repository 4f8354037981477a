// The functions and operators that expressions can call, each described once: what the parser
// resolves, the checker checks, the evaluator calls, the printer prints and docs/expressions.md
// lists. Beside them are only what is no function of values: the operators of plan.proto's Expr.
// Immutable; thread-safe.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/expr/call.h"

namespace tidemill {

// Longest string that a function makes, in bytes. Longer results fail.
inline constexpr size_t kMaxTextBytes = 1 << 20;

// A parameter that takes any type, and a result that follows from the arguments: SqlFunction::type
// says which.
inline constexpr proto::ColumnType kAnyType = proto::COLUMN_TYPE_UNSPECIFIED;

struct SqlFunction {
  std::string_view name;
  // Types of the arguments; of a variadic function the last one may be repeated.
  std::vector<proto::ColumnType> args;
  proto::ColumnType result{};
  void (*kernel)(const Call& call) = nullptr;
  bool can_fail = false;
  std::string_view summary;  // for docs/expressions.md
  bool variadic = false;
  // What it keeps between rows, made of the call whose literal arguments it may look at. An error
  // says what is wrong with them.
  Result<std::unique_ptr<FunctionState>> (*prepare)(const proto::Expr& call) = nullptr;
  // The type of a call whose arguments have the kinds of `args`, or why it has none. Null:
  // `result`.
  Result<proto::Type> (*type)(const proto::Expr& call) = nullptr;
};

// A family's functions, in the order of the documentation.
std::span<const SqlFunction> string_functions();
std::span<const SqlFunction> pattern_functions();
std::span<const SqlFunction> math_functions();
std::span<const SqlFunction> time_functions();
std::span<const SqlFunction> date_functions();
std::span<const SqlFunction> json_functions();
std::span<const SqlFunction> decimal_functions();
std::span<const SqlFunction> list_functions();
std::span<const SqlFunction> nested_functions();

// Families with their titles.
struct FunctionFamily {
  std::string_view title;
  std::span<const SqlFunction> functions;
};
std::span<const FunctionFamily> function_families();

// The function of this name that takes arguments of exactly these types; null if there is none.
const SqlFunction* find_function(std::string_view name, std::span<const proto::ColumnType> types);
const SqlFunction* function_of(const proto::Expr& call);

// The function that the arguments fit with the fewest conversions. nullopt as a type: a string
// literal or null that takes any type, and is a string where that is possible. Null without one.
const SqlFunction* resolve_function(std::string_view name,
                                    std::span<const std::optional<proto::ColumnType>> types);
inline proto::ColumnType parameter(const SqlFunction& function, size_t argument) {
  return function.args[std::min(argument, function.args.size() - 1)];
}

// All of one name, and all names, in alphabetical order.
std::vector<const SqlFunction*> functions_named(std::string_view name);
const std::vector<std::string>& sql_function_names();

// "substring(string, int32) string", or "json -> string".
std::string signature(const SqlFunction& function);

// A name made of signs, such as ||, which stands between its arguments, also = any.
bool is_operator_name(std::string_view name);

// Whether the value of some row can be an error. try() has none.
bool can_fail(const proto::Expr& expr);

// try(x): x, or null where x fails. The one call without an entry: the evaluator's own.
inline constexpr std::string_view kTry = "try";

}  // namespace tidemill
