#include "shared/expr/functions.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "shared/expr/casts.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using Type = proto::ColumnType;
using proto::Expr;

const std::multimap<std::string_view, const SqlFunction*>& by_name() {
  static const auto all = [] {
    std::multimap<std::string_view, const SqlFunction*> out;
    for (const FunctionFamily& family : function_families()) {
      for (const SqlFunction& each : family.functions) out.emplace(each.name, &each);
    }
    return out;
  }();
  return all;
}

bool takes(const SqlFunction& function, size_t count) {
  if (function.variadic) return count >= function.args.size();
  return count == function.args.size();
}

// Steps of promotion from the arguments to the parameters; nothing if there is no way.
std::optional<int> distance(const SqlFunction& function,
                            std::span<const std::optional<Type>> types) {
  int sum = 0;
  for (size_t i = 0; i < types.size(); ++i) {
    const Type wanted = parameter(function, i);
    if (wanted == kAnyType || is_nested(wanted)) {
      if (!types[i].has_value()) return std::nullopt;
      if (wanted != kAnyType && wanted != *types[i]) return std::nullopt;
      continue;
    }
    if (!types[i].has_value()) {
      sum += wanted == proto::STRING ? 0 : 100;
      continue;
    }
    const std::optional<int> steps = promotion_steps(*types[i], wanted);
    if (!steps.has_value()) return std::nullopt;
    sum += *steps;
  }
  return sum;
}

// Whether a cast to a decimal may find more digits than that has.
bool cuts_digits(const Expr& cast) {
  const proto::Type& type = cast.details();
  if (cast.type() != proto::DECIMAL || type.precision() == 0) return false;
  const proto::ColumnType from = cast.args(0).type();
  const uint32_t digits = from == proto::INT32 ? 10 : from == proto::INT64 ? 19 : 100;
  return type.precision() - type.scale() < digits;
}

}  // namespace

std::span<const FunctionFamily> function_families() {
  static const std::array<FunctionFamily, 9> families{{{"Strings", string_functions()},
                                                       {"Patterns", pattern_functions()},
                                                       {"Numbers", math_functions()},
                                                       {"Decimals", decimal_functions()},
                                                       {"Times and intervals", time_functions()},
                                                       {"Fields of times", date_functions()},
                                                       {"JSON", json_functions()},
                                                       {"Lists", list_functions()},
                                                       {"Structs and maps", nested_functions()}}};
  return families;
}

const SqlFunction* find_function(std::string_view name, std::span<const Type> types) {
  const auto [begin, end] = by_name().equal_range(name);
  for (auto it = begin; it != end; ++it) {
    const SqlFunction& each = *it->second;
    if (!takes(each, types.size())) continue;
    bool same = true;
    for (size_t i = 0; i < types.size(); ++i) {
      const Type wanted = parameter(each, i);
      same = same && (wanted == kAnyType || wanted == types[i]);
    }
    if (same) return &each;
  }
  return nullptr;
}

const SqlFunction* function_of(const Expr& call) {
  std::vector<Type> types;
  for (const Expr& arg : call.args()) types.push_back(arg.type());
  return find_function(call.function(), types);
}

const SqlFunction* resolve_function(std::string_view name,
                                    std::span<const std::optional<Type>> types) {
  const SqlFunction* best = nullptr;
  int least = 0;
  const auto [begin, end] = by_name().equal_range(name);
  for (auto it = begin; it != end; ++it) {
    const SqlFunction& each = *it->second;
    if (!takes(each, types.size())) continue;
    const std::optional<int> steps = distance(each, types);
    if (steps.has_value() && (best == nullptr || *steps < least)) {
      best = &each;
      least = *steps;
    }
  }
  return best;
}

std::vector<const SqlFunction*> functions_named(std::string_view name) {
  std::vector<const SqlFunction*> out;
  const auto [begin, end] = by_name().equal_range(name);
  for (auto it = begin; it != end; ++it) out.push_back(it->second);
  return out;
}

const std::vector<std::string>& sql_function_names() {
  static const auto names = [] {
    std::set<std::string> out{std::string(kTry)};
    for (const auto& [name, function] : by_name()) {
      if (!is_operator_name(name)) out.emplace(name);
    }
    return std::vector<std::string>(out.begin(), out.end());
  }();
  return names;
}

bool is_operator_name(std::string_view name) {
  const bool quantified = name.ends_with(" any") || name.ends_with(" all");
  return quantified || name.find_first_of("abcdefghijklmnopqrstuvwxyz") == std::string_view::npos;
}

std::string signature(const SqlFunction& function) {
  const auto type_name = [](Type type) {
    return type == kAnyType ? std::string("any") : tidemill::type_name(type);
  };
  if (function.name.find(' ') != std::string_view::npos) {
    return type_name(function.args[0]) + " " + std::string(function.name) + "(" +
           type_name(function.args[1]) + ")";
  }
  if (is_operator_name(function.name) && function.args.size() == 2) {
    return type_name(function.args[0]) + " " + std::string(function.name) + " " +
           type_name(function.args[1]);
  }
  std::string out = std::string(function.name) + "(";
  for (size_t i = 0; i < function.args.size(); ++i) {
    out += (i == 0 ? "" : ", ") + type_name(function.args[i]);
  }
  return out + (function.variadic ? ", ...)" : ")");
}

bool can_fail(const Expr& expr) {
  switch (expr.op()) {
    case Expr::ADD:
    case Expr::SUBTRACT:
    case Expr::MULTIPLY:
    case Expr::DIVIDE:
    case Expr::MODULO:
    case Expr::NEGATE:
      return true;
    case Expr::CAST:
      if (cast_can_fail(expr.args(0).type(), expr.type()) || cuts_digits(expr)) return true;
      break;
    case Expr::CALL: {
      if (expr.function() == kTry) return false;
      const SqlFunction* function = function_of(expr);
      if (function == nullptr || function->can_fail) return true;
      break;
    }
    default:
      break;
  }
  return std::any_of(expr.args().begin(), expr.args().end(),
                     [](const Expr& arg) { return can_fail(arg); });
}

}  // namespace tidemill
