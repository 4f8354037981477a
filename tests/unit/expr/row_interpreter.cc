#include "tests/unit/expr/row_interpreter.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace tidemill::test {
namespace {

using proto::Expr;
using Maybe = std::optional<Value>;

bool is_null(const Value& v) { return std::holds_alternative<std::monostate>(v); }

Maybe integer(__int128 value, proto::ColumnType type) {
  const __int128 low = type == proto::INT32 ? __int128{std::numeric_limits<int32_t>::min()}
                                            : __int128{std::numeric_limits<int64_t>::min()};
  if (value < low || value > -low - 1) return std::nullopt;
  return Value(static_cast<int64_t>(value));
}

Maybe finite(double value, bool operands_finite) {
  if (std::isinf(value) && operands_finite) return std::nullopt;
  return Value(value);
}

Maybe arithmetic(Expr::Op op, proto::ColumnType type, const Value& left, const Value& right) {
  if (type != proto::DOUBLE) {
    const __int128 a = std::get<int64_t>(left);
    const __int128 b = std::get<int64_t>(right);
    if (op == Expr::ADD) return integer(a + b, type);
    if (op == Expr::SUBTRACT) return integer(a - b, type);
    if (op == Expr::MULTIPLY) return integer(a * b, type);
    if (b == 0) return std::nullopt;
    return op == Expr::DIVIDE ? integer(a / b, type) : integer(a % b, type);
  }
  const double a = std::get<double>(left);
  const double b = std::get<double>(right);
  const bool operands_finite = !std::isinf(a) && !std::isinf(b);
  if (op == Expr::ADD) return finite(a + b, operands_finite);
  if (op == Expr::SUBTRACT) return finite(a - b, operands_finite);
  if (op == Expr::MULTIPLY) {
    if (a * b == 0 && a != 0 && b != 0) return std::nullopt;
    return finite(a * b, operands_finite);
  }
  if (b == 0 && !std::isnan(a)) return std::nullopt;
  if (a / b == 0 && a != 0 && !std::isinf(b)) return std::nullopt;
  return finite(a / b, !std::isinf(a));
}

// -1, 0, 1.
int compare(const Value& left, const Value& right) {
  if (const double* a = std::get_if<double>(&left)) {
    const double b = std::get<double>(right);
    if (std::isnan(*a) || std::isnan(b)) return std::isnan(*a) - std::isnan(b);
    return (*a > b) - (*a < b);
  }
  return (left > right) - (left < right);
}

bool holds(Expr::Op op, int order) {
  switch (op) {
    case Expr::EQUAL:
      return order == 0;
    case Expr::NOT_EQUAL:
      return order != 0;
    case Expr::LESS:
      return order < 0;
    case Expr::LESS_EQUAL:
      return order <= 0;
    case Expr::GREATER:
      return order > 0;
    default:
      return order >= 0;
  }
}

Maybe cast(const Value& v, proto::ColumnType from, proto::ColumnType to) {
  if (from == proto::BOOL) {
    const bool b = std::get<bool>(v);
    return to == proto::DOUBLE ? Value(b ? 1.0 : 0.0) : Value(int64_t{b});
  }
  if (to == proto::BOOL) return Value(std::get<int64_t>(v) != 0);
  if (from == proto::DOUBLE) {
    const long double d = std::get<double>(v);
    if (!(std::fabs(d) < 1e30L)) return std::nullopt;
    // Half to even by hand.
    const long double low = std::floor(d);
    long double rounded = d - low > 0.5L ? low + 1 : low;
    if (d - low == 0.5L) rounded = std::fmod(low, 2.0L) == 0 ? low : low + 1;
    return integer(static_cast<__int128>(rounded), to);
  }
  if (to == proto::DOUBLE) return Value(static_cast<double>(std::get<int64_t>(v)));
  return integer(std::get<int64_t>(v), to);
}

Value literal(const Expr& e) {
  switch (e.literal_case()) {
    case Expr::kLiteralBool:
      return e.literal_bool();
    case Expr::kLiteralInt:
      return e.literal_int();
    case Expr::kLiteralDouble:
      return e.literal_double();
    case Expr::kLiteralString:
      return e.literal_string();
    default:
      return {};
  }
}

Maybe logic(const Expr& e, const std::vector<Value>& row) {
  const bool deciding = e.op() == Expr::OR;
  bool unknown = false;
  for (const Expr& arg : e.args()) {
    const Maybe v = interpret(arg, row);
    if (!v.has_value()) return std::nullopt;
    if (is_null(*v)) {
      unknown = true;
    } else if (std::get<bool>(*v) == deciding) {
      return Value(deciding);
    }
  }
  return unknown ? Value() : Value(!deciding);
}

Maybe test(Expr::Op op, const Value& v) {
  const bool null = is_null(v);
  const bool yes = !null && std::holds_alternative<bool>(v) && std::get<bool>(v);
  switch (op) {
    case Expr::IS_NULL:
    case Expr::IS_UNKNOWN:
      return Value(null);
    case Expr::IS_NOT_NULL:
    case Expr::IS_NOT_UNKNOWN:
      return Value(!null);
    case Expr::IS_TRUE:
      return Value(yes);
    case Expr::IS_NOT_TRUE:
      return Value(!yes);
    case Expr::IS_FALSE:
      return Value(!null && !yes);
    default:
      return Value(null || yes);
  }
}

}  // namespace

std::optional<Value> interpret(const Expr& e, const std::vector<Value>& row) {
  if (e.op() == Expr::COLUMN) return row[e.column()];
  if (e.op() == Expr::LITERAL) return literal(e);
  if (e.op() == Expr::AND || e.op() == Expr::OR) return logic(e, row);
  const Maybe first = interpret(e.args(0), row);
  if (!first.has_value()) return std::nullopt;
  if (e.op() >= Expr::IS_NULL) return test(e.op(), *first);
  Maybe second = Value();
  if (e.args_size() == 2) {
    second = interpret(e.args(1), row);
    if (!second.has_value()) return std::nullopt;
    if (is_null(*second)) return Value();
  }
  if (is_null(*first)) return Value();
  switch (e.op()) {
    case Expr::NOT:
      return Value(!std::get<bool>(*first));
    case Expr::CAST:
      return cast(*first, e.args(0).type(), e.type());
    case Expr::NEGATE:
      if (e.type() == proto::DOUBLE) return Value(-std::get<double>(*first));
      return integer(-__int128{std::get<int64_t>(*first)}, e.type());
    case Expr::EQUAL:
    case Expr::NOT_EQUAL:
    case Expr::LESS:
    case Expr::LESS_EQUAL:
    case Expr::GREATER:
    case Expr::GREATER_EQUAL:
      return Value(holds(e.op(), compare(*first, *second)));
    default:
      return arithmetic(e.op(), e.type(), *first, *second);
  }
}

}  // namespace tidemill::test
