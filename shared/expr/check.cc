#include "shared/expr/check.h"

#include <limits>

#include "shared/expr/parse_tree.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using proto::Expr;

class Checker {
 public:
  explicit Checker(const std::vector<ColumnType>& schema) : schema_(schema) {}

  Status check(const Expr& expr, int depth) {
    if (depth > kMaxTypedDepth) {
      return user_error("the expression is nested more than " + std::to_string(kMaxTypedDepth) +
                        " deep");
    }
    if (++nodes_ > kMaxTypedNodes) {
      return user_error("the expression has more than " + std::to_string(kMaxTypedNodes) +
                        " parts");
    }
    if (!is_known_type(expr.type())) return broken(expr, "has no type");
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
    const bool in_int32 = expr.literal_int() >= std::numeric_limits<int32_t>::min() &&
                          expr.literal_int() <= std::numeric_limits<int32_t>::max();
    bool fits = false;
    switch (expr.literal_case()) {
      case Expr::LITERAL_NOT_SET:
        fits = true;
        break;
      case Expr::kLiteralBool:
        fits = expr.type() == proto::BOOL;
        break;
      case Expr::kLiteralInt:
        fits = expr.type() == proto::INT64 || expr.type() == proto::TIMESTAMP ||
               (expr.type() == proto::INT32 && in_int32);
        break;
      case Expr::kLiteralDouble:
        fits = expr.type() == proto::DOUBLE;
        break;
      case Expr::kLiteralString:
        fits = expr.type() == proto::STRING &&
               expr.literal_string().size() <= kMaxExpressionBytes &&
               is_valid_utf8(expr.literal_string()) &&
               expr.literal_string().find('\0') == std::string::npos;
        break;
    }
    return fits ? Status() : broken(expr, "has a value that is not of its type");
  }

  Status check_operator(const Expr& expr) {
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
        return is_integer(first) && first == expr.args(1).type() && first == expr.type();
      case Expr::NEGATE:
        return is_numeric(first) && first == expr.type();
      case Expr::EQUAL:
      case Expr::NOT_EQUAL:
      case Expr::LESS:
      case Expr::LESS_EQUAL:
      case Expr::GREATER:
      case Expr::GREATER_EQUAL:
        return first == expr.args(1).type() && expr.type() == proto::BOOL;
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
