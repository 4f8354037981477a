#include "shared/expr/check.h"

#include <limits>

#include "shared/base/bytes_text.h"
#include "shared/base/json_text.h"
#include "shared/expr/casts.h"
#include "shared/expr/civil.h"
#include "shared/expr/functions.h"
#include "shared/expr/interval_text.h"
#include "shared/expr/parse_tree.h"
#include "shared/expr/scalars.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using proto::Expr;

// Bytes are written with two digits each.
constexpr size_t kMaxLiteralBytes = 2 * kMaxExpressionBytes + 2;

class Checker {
 public:
  explicit Checker(const std::vector<ColumnType>& schema) : schema_(schema) {}

  Status check(const Expr& expr, int depth) {
    if (depth > kMaxTypedDepth) {
      return user_error("the expression is nested more than " + std::to_string(kMaxTypedDepth) +
                        " deep, the most allowed");
    }
    if (++nodes_ > kMaxTypedNodes) {
      return user_error("the expression has more than " + std::to_string(kMaxTypedNodes) +
                        " parts, the most allowed");
    }
    if (!is_known_type(expr.type())) return broken(expr, "has no type");
    if (is_nested(expr.type()) &&
        (expr.details().kind() != expr.type() || !check_type(expr.details()).ok())) {
      return broken(expr, "does not say what is in its list, struct or map");
    }
    for (const Expr& arg : expr.args()) {
      if (Status s = check(arg, depth + 1); !s.ok()) return s;
    }
    switch (expr.op()) {
      case Expr::COLUMN:
        return check_column(expr);
      case Expr::LITERAL:
        return check_literal(expr);
      default:
        return check_operator(expr);
    }
  }

 private:
  static Error broken(const Expr& expr, const std::string& what) {
    return user_error("malformed expression: operator " + std::to_string(expr.op()) + " " + what);
  }

  Status check_column(const Expr& expr) {
    if (expr.args_size() != 0) return broken(expr, "has arguments");
    if (expr.column() >= schema_.size()) {
      return broken(expr, "names column " + std::to_string(expr.column()) + " of " +
                              std::to_string(schema_.size()));
    }
    if (static_cast<int>(expr.type()) != static_cast<int>(schema_[expr.column()])) {
      return broken(expr, "has another type than its column");
    }
    return {};
  }

  Status check_literal(const Expr& expr) {
    if (expr.args_size() != 0) return broken(expr, "has arguments");
    bool fits = false;
    switch (expr.literal_case()) {
      case Expr::LITERAL_NOT_SET:
        fits = true;
        break;
      case Expr::kLiteralBool:
        fits = expr.type() == proto::BOOL;
        break;
      case Expr::kLiteralInt:
        fits = is_int_literal(expr.type(), expr.literal_int());
        break;
      case Expr::kLiteralDouble:
        fits = expr.type() == proto::DOUBLE;
        break;
      case Expr::kLiteralString:
        fits = expr.literal_string().size() <= kMaxLiteralBytes &&
               is_text_literal(expr.type(), expr.literal_string());
        break;
    }
    return fits ? Status() : broken(expr, "has a value that is not of its type");
  }

  static bool is_int_literal(proto::ColumnType type, int64_t value) {
    switch (type) {
      case proto::INT32:
        return value >= std::numeric_limits<int32_t>::min() &&
               value <= std::numeric_limits<int32_t>::max();
      case proto::DATE:
        return is_date(value);
      default:
        return type == proto::INT64 || type == proto::TIMESTAMP || type == proto::LOCAL_TIMESTAMP;
    }
  }

  static bool is_text_literal(proto::ColumnType type, const std::string& text) {
    Interval interval;
    Decimal decimal;
    std::string bytes(text.size(), '\0');
    switch (type) {
      case proto::STRING:
        return is_valid_utf8(text) && text.find('\0') == std::string::npos;
      case proto::JSON:
        return is_valid_json(text);
      case proto::INTERVAL:
        return text_to_interval(text, &interval) == nullptr;
      case proto::DECIMAL:
        return parse_decimal(text, &decimal) == DecimalText::kGood;
      case proto::BYTES:
        return text.starts_with("\\x") && text_to_bytes(text, bytes.data()).has_value();
      default:
        return false;
    }
  }

  static bool gives_type_of(const SqlFunction& function, const Expr& call) {
    if (function.type == nullptr) return function.result == call.type();
    const Result<proto::Type> type = function.type(call);
    if (!type.ok() || type->kind() != call.type()) return false;
    return !is_nested(type->kind()) || same_type(*type, call.details());
  }

  Status check_call(const Expr& expr) {
    if (expr.function() == kTry) {
      const bool right = expr.args_size() == 1 && expr.args(0).type() == expr.type();
      return right ? Status() : broken(expr, "does not fit the types of its arguments");
    }
    const SqlFunction* function = function_of(expr);
    if (function == nullptr || !gives_type_of(*function, expr)) {
      return broken(expr, "calls a function that there is not");
    }
    if (function->prepare == nullptr) return {};
    const auto state = function->prepare(expr);
    return state.ok() ? Status() : Status(state.error());
  }

  // Conditionals: how many arguments, and of which types.
  Status check_choice(const Expr& expr) {
    const bool two = expr.op() == Expr::NULLIF || expr.op() == Expr::IS_DISTINCT_FROM ||
                     expr.op() == Expr::IS_NOT_DISTINCT_FROM;
    const bool least_two = expr.op() == Expr::CASE || expr.op() == Expr::IN;
    if (two ? expr.args_size() != 2 : expr.args_size() < (least_two ? 2 : 1)) {
      return broken(expr, "has " + std::to_string(expr.args_size()) + " arguments");
    }
    return choice_agrees(expr) ? Status() : broken(expr, "does not fit the types of its arguments");
  }

  // Of values of one kind: what is in their lists, structs or maps.
  static bool same_parts(const Expr& a, const Expr& b) {
    return !is_nested(a.type()) || same_type(a.details(), b.details());
  }

  static bool choice_agrees(const Expr& expr) {
    const bool orders = expr.op() == Expr::GREATEST || expr.op() == Expr::LEAST;
    if (orders && is_nested(expr.type())) return false;
    const bool compares = expr.op() != Expr::CASE && expr.op() != Expr::COALESCE;
    if (compares && !is_comparable(full_type(expr.args(0)))) return false;
    const bool tests = expr.op() == Expr::IN || expr.op() == Expr::IS_DISTINCT_FROM ||
                       expr.op() == Expr::IS_NOT_DISTINCT_FROM;
    if (tests && expr.type() != proto::BOOL) return false;
    const proto::ColumnType values = tests ? expr.args(0).type() : expr.type();
    for (int i = 0; i < expr.args_size(); ++i) {
      const bool condition = expr.op() == Expr::CASE && i % 2 == 0 && i + 1 < expr.args_size();
      if (expr.args(i).type() != (condition ? proto::BOOL : values)) return false;
      if (!condition && !same_parts(expr.args(i), tests ? expr.args(0) : expr)) return false;
      if (expr.op() == Expr::IN && i > 0 && expr.args(i).op() != Expr::LITERAL) return false;
    }
    return true;
  }

  Status check_operator(const Expr& expr) {
    if (expr.op() == Expr::CALL) return check_call(expr);
    if (expr.op() > Expr::CALL && expr.op() <= Expr::LEAST) return check_choice(expr);
    const bool many = expr.op() == Expr::AND || expr.op() == Expr::OR;
    const bool two = (expr.op() >= Expr::ADD && expr.op() <= Expr::MODULO) ||
                     (expr.op() >= Expr::EQUAL && expr.op() <= Expr::GREATER_EQUAL);
    const bool one = expr.op() == Expr::CAST || expr.op() == Expr::NEGATE ||
                     (expr.op() >= Expr::NOT && expr.op() <= Expr::IS_NOT_UNKNOWN);
    if (!many && !two && !one) return broken(expr, "is unknown");
    if ((two && expr.args_size() != 2) || (one && expr.args_size() != 1) ||
        (many && expr.args_size() < 2)) {
      return broken(expr, "has " + std::to_string(expr.args_size()) + " arguments");
    }
    return types_agree(expr) ? Status() : broken(expr, "does not fit the types of its arguments");
  }

  static bool types_agree(const Expr& expr) {
    const proto::ColumnType first = expr.args(0).type();
    switch (expr.op()) {
      case Expr::CAST:
        return can_cast(first, expr.type());
      case Expr::ADD:
      case Expr::SUBTRACT:
      case Expr::MULTIPLY:
      case Expr::DIVIDE:
        return is_numeric(first) && first == expr.args(1).type() && first == expr.type();
      case Expr::MODULO:
        return (is_integer(first) || first == proto::DECIMAL) && first == expr.args(1).type() &&
               first == expr.type();
      case Expr::NEGATE:
        return is_numeric(first) && first == expr.type();
      case Expr::EQUAL:
      case Expr::NOT_EQUAL:
        return is_comparable(full_type(expr.args(0))) && first == expr.args(1).type() &&
               same_parts(expr.args(0), expr.args(1)) && expr.type() == proto::BOOL;
      case Expr::LESS:
      case Expr::LESS_EQUAL:
      case Expr::GREATER:
      case Expr::GREATER_EQUAL:
        return is_comparable(first) && !is_nested(first) && first == expr.args(1).type() &&
               expr.type() == proto::BOOL;
      case Expr::IS_NULL:
      case Expr::IS_NOT_NULL:
        return expr.type() == proto::BOOL;
      default:
        for (const Expr& arg : expr.args()) {
          if (arg.type() != proto::BOOL) return false;
        }
        return expr.type() == proto::BOOL;
    }
  }

  const std::vector<ColumnType>& schema_;
  size_t nodes_ = 0;
};

}  // namespace

Status check_expression(const proto::Expr& expr, const std::vector<ColumnType>& schema) {
  return Checker(schema).check(expr, 1);
}

}  // namespace tidemill
