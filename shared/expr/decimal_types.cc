#include "shared/expr/decimal_types.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "shared/expr/functions.h"

namespace tidemill {
namespace {

using proto::Expr;

constexpr int kMost = static_cast<int>(kMaxDecimalDigits);

// Digits before the point and behind it.
struct Digits {
  int before = 0;
  int behind = 0;
};
using Known = std::optional<Digits>;

DecimalType type_of(const Known& digits) {
  if (!digits.has_value() || digits->behind > kMost) return {};
  const int precision = std::clamp(digits->before + digits->behind, 1, kMost);
  return {static_cast<uint8_t>(precision), static_cast<uint8_t>(digits->behind)};
}

bool is_null_literal(const Expr& expr) {
  return expr.op() == Expr::LITERAL && expr.literal_case() == Expr::LITERAL_NOT_SET;
}

Known digits_of(const Expr& expr) {
  const proto::Type& type = expr.details();
  if (type.precision() == 0) return std::nullopt;
  const auto scale = static_cast<int>(type.scale());
  return Digits{static_cast<int>(type.precision()) - scale, scale};
}

Known of_literal(const Expr& expr) {
  if (is_null_literal(expr)) return digits_of(expr);
  const std::string& text = expr.literal_string();
  const size_t point = text.find('.');
  const auto count = [](std::string_view part) {
    return static_cast<int>(
        std::count_if(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; }));
  };
  const std::string_view whole = std::string_view(text).substr(0, point);
  const int behind = point == std::string::npos ? 0 : count(std::string_view(text).substr(point));
  const bool zero = whole == "0" || whole == "-0";
  return Digits{zero ? 0 : count(whole), behind};
}

Known of_cast(const Expr& expr) {
  if (expr.details().precision() != 0) return digits_of(expr);
  switch (expr.args(0).type()) {
    case proto::INT32:
      return Digits{10, 0};
    case proto::INT64:
      return Digits{19, 0};
    case proto::DECIMAL:
      return digits_of(expr.args(0));
    default:
      return std::nullopt;
  }
}

Known of_arithmetic(Expr::Op op, const Expr& left, const Expr& right) {
  const Known a = digits_of(left);
  const Known b = digits_of(right);
  if (!a.has_value() || !b.has_value() || op == Expr::DIVIDE) return std::nullopt;
  if (op == Expr::MULTIPLY) return Digits{a->before + b->before, a->behind + b->behind};
  const int more = op == Expr::MODULO ? 0 : 1;
  return Digits{std::max(a->before, b->before) + more, std::max(a->behind, b->behind)};
}

// Of one of several values: all have room in it. Nulls have no digits.
Known of_choice(const Expr& expr) {
  Digits out;
  for (int i = 0; i < expr.args_size(); ++i) {
    const bool condition = expr.op() == Expr::CASE && i % 2 == 0 && i + 1 < expr.args_size();
    if (condition || is_null_literal(expr.args(i))) continue;
    const Known digits = digits_of(expr.args(i));
    if (!digits.has_value()) return std::nullopt;
    out = {std::max(out.before, digits->before), std::max(out.behind, digits->behind)};
  }
  return out;
}

Known of_rounding(const Expr& call) {
  const Known value = digits_of(call.args(0));
  if (!value.has_value()) return value;
  if (call.args_size() == 1) return Digits{value->before + 1, 0};
  const Expr& places = call.args(1);
  if (places.literal_case() != Expr::kLiteralInt) return std::nullopt;
  return Digits{value->before + 1,
                static_cast<int>(std::clamp<int64_t>(places.literal_int(), 0, kMost))};
}

Known of_call(const Expr& call) {
  const std::string& name = call.function();
  if (name == kTry || name == "abs") return digits_of(call.args(0));
  if (name == "mod") return of_arithmetic(Expr::MODULO, call.args(0), call.args(1));
  if (name == "sign") return Digits{1, 0};
  if (name == "round" || name == "trunc" || name == "floor" || name == "ceil" ||
      name == "ceiling") {
    return of_rounding(call);
  }
  if (name != "div") return std::nullopt;
  const Known a = digits_of(call.args(0));
  const Known b = digits_of(call.args(1));
  if (!a.has_value() || !b.has_value()) return std::nullopt;
  return Digits{a->before + b->behind, 0};
}

Known derived(const Expr& expr) {
  switch (expr.op()) {
    case Expr::LITERAL:
      return of_literal(expr);
    case Expr::CAST:
      return of_cast(expr);
    case Expr::ADD:
    case Expr::SUBTRACT:
    case Expr::MULTIPLY:
    case Expr::DIVIDE:
    case Expr::MODULO:
      return of_arithmetic(expr.op(), expr.args(0), expr.args(1));
    case Expr::NEGATE:
    case Expr::NULLIF:
      return digits_of(expr.args(0));
    case Expr::CASE:
    case Expr::COALESCE:
    case Expr::GREATEST:
    case Expr::LEAST:
      return of_choice(expr);
    case Expr::CALL:
      return of_call(expr);
    default:
      return digits_of(expr);  // a column
  }
}

}  // namespace

void complete_decimal_types(Expr* expr) {
  for (Expr& arg : *expr->mutable_args()) complete_decimal_types(&arg);
  // What takes an element out of a list says the digits itself.
  if (expr->type() != proto::DECIMAL) return;
  if (expr->op() == Expr::CALL && expr->details().precision() != 0) return;
  const DecimalType type = type_of(derived(*expr));
  proto::Type* details = expr->mutable_details();
  details->set_kind(proto::DECIMAL);
  details->set_precision(type.precision);
  details->set_scale(type.scale);
}

DecimalType decimal_type_of(const Expr& expr) {
  return {static_cast<uint8_t>(expr.details().precision()),
          static_cast<uint8_t>(expr.details().scale())};
}

}  // namespace tidemill
