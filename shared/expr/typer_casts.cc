// Casts: the types that they name, and the values of those over literals.
#include "shared/base/bytes_text.h"
#include "shared/base/decimal.h"
#include "shared/expr/casts.h"
#include "shared/expr/evaluator.h"
#include "shared/expr/interval_text.h"
#include "shared/expr/printer.h"
#include "shared/expr/typer.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using proto::Expr;

// The value of an operator over a literal, worked out by the evaluator itself.
Result<Expr> folded(Expr expr) {
  expr.set_text(to_sql(expr, {}));
  Result<Evaluator> evaluator = Evaluator::compile(expr, {});
  if (!evaluator.ok()) return evaluator.error();
  EventBatch one_row;
  one_row.offsets.push_back(0);
  std::vector<RowError> errors;
  const Column& value = evaluator->evaluate(one_row, &errors);
  if (!errors.empty()) return user_error(errors[0].reason);
  Expr out;
  out.set_op(Expr::LITERAL);
  out.set_type(expr.type());
  if (value.nulls[0] != 0) return out;
  switch (expr.type()) {
    case proto::BOOL:
      out.set_literal_bool(value.bools[0] != 0);
      break;
    case proto::DOUBLE:
      out.set_literal_double(value.doubles[0]);
      break;
    case proto::STRING:
    case proto::JSON:
      out.set_literal_string(std::string(value.strings[0]));
      break;
    case proto::BYTES: {
      std::string digits(2 + 2 * value.strings[0].size(), '\0');
      bytes_to_text(value.strings[0], digits.data());
      out.set_literal_string(digits);
      break;
    }
    case proto::INTERVAL:
      out.set_literal_string(interval_to_text(value.intervals[0]));
      break;
    case proto::DECIMAL:
      out.set_literal_string(decimal_bytes_to_string(value.strings[0]));
      break;
    default:
      out.set_literal_int(value.ints[0]);
  }
  return out;
}

}  // namespace

// numeric, numeric(12), numeric(12, 2)
Result<proto::Type> Typer::decimal_type(const pg::TypeName& type) const {
  std::vector<int> parameters;
  for (const pg::Node& each : type.typmods()) {
    if (each.a_const().val_case() != pg::AConst::kIval || parameters.size() == 2) {
      return fail(type.location(), "write decimal(12, 2), with two numbers");
    }
    parameters.push_back(each.a_const().ival().ival());
  }
  proto::Type out;
  out.set_kind(proto::DECIMAL);
  if (parameters.empty()) return out;
  parameters.resize(2);
  const auto [precision, scale] = std::pair(parameters[0], parameters[1]);
  if (precision < 1 || precision > static_cast<int>(kMaxDecimalDigits) || scale < 0 ||
      scale > precision) {
    return fail(type.location(), "write decimal(p, s) with p from 1 to " +
                                     std::to_string(kMaxDecimalDigits) + " and s from 0 to p");
  }
  out.set_precision(static_cast<uint32_t>(precision));
  out.set_scale(static_cast<uint32_t>(scale));
  return out;
}

Result<proto::Type> Typer::target_type(const pg::TypeName& type) const {
  std::string name = name_of(type.names());
  if (name.rfind("pg_catalog.", 0) == 0) name = name.substr(11);
  if (type.array_bounds_size() != 0 && !type.setof()) return list_type(type);
  if (type.array_bounds_size() == 0 && !type.setof() && parse_type_name(name) == proto::DECIMAL) {
    return decimal_type(type);
  }
  if (type.typmods_size() != 0 || type.array_bounds_size() != 0 || type.setof()) {
    return fail(type.location(),
                "types with a length, precision or array bounds are not "
                "supported; write " +
                    known_type_names());
  }
  const auto known = parse_type_name(name);
  if (!known.has_value()) {
    return fail(type.location(), "unknown type '" + name + "'; write " + known_type_names());
  }
  proto::Type out;
  out.set_kind(*known);
  return out;
}

Result<Operand> Typer::cast(const pg::TypeCast& node, int depth) {
  if (node.arg().node_case() == pg::Node::kAArrayExpr) return array_cast(node, depth);
  Result<Operand> arg = convert(node.arg(), depth + 1);
  if (!arg.ok()) return arg;
  Result<proto::Type> type = target_type(node.type_name());
  if (!type.ok()) return type.error();
  return cast_to(*std::move(arg), *type);
}

Result<Operand> Typer::cast_to(Operand arg, proto::ColumnType type) const {
  proto::Type full;
  full.set_kind(type);
  return cast_to(std::move(arg), full);
}

// An explicit or an inserted cast; of a literal, its value.
Result<Operand> Typer::cast_to(Operand arg, const proto::Type& full) const {
  const proto::ColumnType type = full.kind();
  if (type == proto::DECIMAL && arg.numeric.has_value()) {
    arg.expr = *std::move(arg.numeric);
  }
  arg.numeric.reset();
  const proto::ColumnType from = arg.expr.type();
  arg.untyped = false;
  const bool rounds = full.precision() != 0;  // a decimal to so many digits
  if (from == type && !rounds && full.fields().empty()) return arg;
  if (arg.expr.op() == Expr::LITERAL && arg.expr.literal_case() == Expr::LITERAL_NOT_SET) {
    set_full_type(full, &arg.expr);
    return arg;
  }
  if (is_nested(from) || is_nested(type)) return cast_nested(std::move(arg), full);
  if (!can_cast(from, type)) {
    return fail(arg.location, "there is no cast from " + type_name(from) + " to " +
                                  type_name(type) + detour(arg.expr, type));
  }
  Expr out;
  out.set_op(Expr::CAST);
  set_full_type(full, &out);
  *out.add_args() = std::move(arg.expr);
  arg.expr = std::move(out);
  return simplified(std::move(arg));
}

std::string Typer::detour(const Expr& from, proto::ColumnType to) const {
  if (from.type() == proto::BOOL && to == proto::INT64) {
    return "; write cast(cast(" + sql(from) + " as int32) as int64)";
  }
  if (from.type() == proto::INT64 && to == proto::BOOL) return "; write " + sql(from) + " <> 0";
  if (from.type() == proto::DOUBLE && to == proto::BOOL) {
    return "; write " + sql(from) + " <> 0";
  }
  return "; docs/expressions.md lists the casts that there are";
}

// Works out an operator over a literal.
Result<Operand> Typer::simplified(Operand operand) const {
  if (operand.expr.args(0).op() != Expr::LITERAL) return operand;
  Result<Expr> value = folded(operand.expr);
  if (!value.ok())
    return fail(operand.location, value.error().message() + "; write another literal");
  operand.expr = *std::move(value);
  return operand;
}

}  // namespace tidemill
