// Forms with a syntax of their own: case, coalesce, in, between, like and the rest.
#include "shared/expr/casts.h"
#include "shared/expr/check.h"
#include "shared/expr/typer.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using proto::Expr;

// A_Expr_Kind of libpg_query.
enum Kind {
  kOperator = 1,
  kOperatorAny = 2,
  kOperatorAll = 3,
  kDistinct = 4,
  kNotDistinct = 5,
  kNullIf = 6,
  kIn = 7,
  kLike = 8,
  kIlike = 9,
  kSimilar = 10,
  kBetween = 11,
  kNotBetween = 12,
  kBetweenSymmetric = 13,
  kNotBetweenSymmetric = 14,
};
constexpr int kIsGreatest = 1;

size_t parts_of(const Expr& expr) {
  size_t parts = 1;
  for (const Expr& arg : expr.args()) parts += parts_of(arg);
  return parts;
}

const char* sign_of(Expr::Op op) {
  switch (op) {
    case Expr::EQUAL:
      return "=";
    case Expr::NOT_EQUAL:
      return "<>";
    case Expr::LESS:
      return "<";
    case Expr::LESS_EQUAL:
      return "<=";
    case Expr::GREATER:
      return ">";
    default:
      return ">=";
  }
}

// Its arguments in one level: (a and b) and c is a and b and c.
Operand flat(Expr::Op op, int location, std::vector<Operand> args) {
  if (args.size() == 1) return std::move(args[0]);
  Operand out;
  out.location = location;
  out.expr.set_op(op);
  out.expr.set_type(proto::BOOL);
  for (Operand& arg : args) {
    if (arg.expr.op() == op) {
      for (Expr& inner : *arg.expr.mutable_args()) *out.expr.add_args() = std::move(inner);
    } else {
      *out.expr.add_args() = std::move(arg.expr);
    }
  }
  return out;
}

}  // namespace

Result<Operand> Typer::operation(const pg::AExpr& node, int depth) {
  const std::string name = name_of(node.name());
  switch (node.kind()) {
    case kOperator:
    case kLike:
    case kIlike:
    case kSimilar:
      if (node.name_size() == 1) return plain_operation(node, name, depth);
      break;
    case kOperatorAny:
    case kOperatorAll:
      if (node.name_size() == 1) return quantified(node, depth);
      break;
    case kDistinct:
    case kNotDistinct:
      return distinct(node, depth);
    case kNullIf:
      return null_if(node, depth);
    case kIn:
      return among(node, depth);
    case kBetween:
    case kNotBetween:
    case kBetweenSymmetric:
    case kNotBetweenSymmetric:
      return between(node, depth);
    default:
      break;
  }
  return fail(node.location(), "'" + name +
                                   "' in this form is not supported; docs/expressions.md lists "
                                   "what is");
}

// What is written once stands several times in what it means; that stays within the limit.
Status Typer::copies(const Operand& operand, size_t count) const {
  if (parts_of(operand.expr) * count <= kMaxTypedNodes) return {};
  return fail(operand.location,
              "the expression has more than " + std::to_string(kMaxTypedNodes) +
                  " parts, the most allowed, as this one stands for each comparison "
                  "with it");
}

Result<Operand> Typer::compared(Expr::Op op, int location, const Operand& a, const Operand& b) {
  return binary(op, sign_of(op), location, a, b);
}

// Brings all to the type that they promote to; to string if none has a type.
Status Typer::unify(const std::string& who, std::vector<Operand*> operands) const {
  prefer_numeric(operands);
  std::optional<proto::ColumnType> common;
  proto::Type whole;  // that others adopt
  for (const Operand* each : operands) {
    if (each->untyped) continue;
    const proto::ColumnType type = each->expr.type();
    std::optional<proto::ColumnType> both = common ? common_type(*common, type) : type;
    if (common && is_nested(type) && !same_type(whole, full_type(each->expr))) both.reset();
    if (!both.has_value()) {
      const bool nested = is_nested(type) || is_nested(*common);
      return fail(
          each->location,
          who + " needs values of one type, but there are " +
              (nested ? type_name(whole) : type_name(*common)) + " and " +
              (nested ? type_name(full_type(each->expr)) : type_name(type)) +
              (nested ? "; write all as one type"
                      : "; write cast(" + sql(each->expr) + " as " + type_name(*common) + ")"));
    }
    common = both;
    whole = adopted_type(*each);
  }
  if (!is_nested(whole.kind())) whole.set_kind(common.value_or(proto::STRING));
  for (Operand* each : operands) {
    Result<Operand> typed = cast_to(*each, whole);
    if (!typed.ok()) return typed.error();
    *each = *std::move(typed);
  }
  return {};
}

Result<Operand> Typer::choice(const pg::CaseExpr& node, int depth) {
  std::vector<Operand> args;
  Operand value;
  if (node.has_arg()) {
    Result<Operand> converted = convert(node.arg(), depth + 1);
    if (!converted.ok()) return converted;
    value = *std::move(converted);
    if (Status s = copies(value, static_cast<size_t>(node.args_size())); !s.ok()) return s.error();
  }
  std::vector<size_t> results;
  for (const pg::Node& each : node.args()) {
    const pg::CaseWhen& when = each.case_when();
    Result<Operand> condition =
        node.has_arg() ? convert(when.expr(), depth + 1) : as_bool(when.expr(), "when", depth);
    if (condition.ok() && node.has_arg()) {
      condition = compared(Expr::EQUAL, when.location(), value, *condition);
    }
    if (!condition.ok()) return condition;
    args.push_back(*std::move(condition));
    Result<Operand> result = convert(when.result(), depth + 1);
    if (!result.ok()) return result;
    results.push_back(args.size());
    args.push_back(*std::move(result));
  }
  if (node.has_defresult()) {
    Result<Operand> otherwise = convert(node.defresult(), depth + 1);
    if (!otherwise.ok()) return otherwise;
    results.push_back(args.size());
    args.push_back(*std::move(otherwise));
  }
  std::vector<Operand*> values;
  for (const size_t at : results) values.push_back(&args[at]);
  if (Status s = unify("'case'", values); !s.ok()) return s.error();
  const proto::ColumnType type = args[results[0]].expr.type();
  return operation_of(Expr::CASE, type, node.location(), std::move(args));
}

Result<Operand> Typer::first_of(const pg::CoalesceExpr& node, int depth) {
  Result<std::vector<Operand>> args = convert_all(node.args(), depth);
  if (!args.ok()) return args.error();
  std::vector<Operand*> all;
  for (Operand& arg : *args) all.push_back(&arg);
  if (Status s = unify("coalesce()", all); !s.ok()) return s.error();
  const proto::ColumnType type = args->front().expr.type();
  return operation_of(Expr::COALESCE, type, node.location(), *std::move(args));
}

Result<Operand> Typer::extreme(const pg::MinMaxExpr& node, int depth) {
  const bool greatest = node.op() == kIsGreatest;
  const std::string name = greatest ? "greatest()" : "least()";
  Result<std::vector<Operand>> args = convert_all(node.args(), depth);
  if (!args.ok()) return args.error();
  std::vector<Operand*> all;
  for (Operand& arg : *args) all.push_back(&arg);
  if (Status s = unify(name, all); !s.ok()) return s.error();
  const proto::ColumnType type = args->front().expr.type();
  if (!is_comparable(type) || is_nested(type)) {
    return fail(node.location(), name + " does not take " + type_name(type));
  }
  return operation_of(greatest ? Expr::GREATEST : Expr::LEAST, type, node.location(),
                      *std::move(args));
}

// Literals go into one list; other values are compared one after the other behind it.
Result<Operand> Typer::among(const pg::AExpr& node, int depth) {
  const bool negated = name_of(node.name()) == "<>";
  Result<Operand> value = convert(node.lexpr(), depth + 1);
  if (!value.ok()) return value;
  if (node.rexpr().node_case() != pg::Node::kList) {
    return fail(node.location(), "'in' needs a list of values in parentheses");
  }
  Result<std::vector<Operand>> values = convert_all(node.rexpr().list().items(), depth);
  if (!values.ok()) return values.error();
  std::vector<Operand> literals{*value};
  std::vector<Operand> tests;
  for (Operand& each : *values) {
    if (each.expr.op() == Expr::LITERAL) {
      literals.push_back(std::move(each));
      continue;
    }
    const Expr::Op op = negated ? Expr::NOT_EQUAL : Expr::EQUAL;
    Result<Operand> test = compared(op, node.location(), *value, each);
    if (!test.ok()) return test;
    tests.push_back(*std::move(test));
  }
  if (Status s = copies(*value, tests.size() + 1); !s.ok()) return s.error();
  if (literals.size() > 1) {
    std::vector<Operand*> all;
    for (Operand& each : literals) all.push_back(&each);
    if (Status s = unify("'in'", all); !s.ok()) return s.error();
    if (!is_comparable(literals[0].expr.type())) {
      return fail(node.location(), "'in' does not take json; write ->> for text, and cast that");
    }
    Operand in = operation_of(Expr::IN, proto::BOOL, node.location(), std::move(literals));
    if (negated) in = operation_of(Expr::NOT, proto::BOOL, node.location(), {std::move(in)});
    tests.insert(tests.begin(), std::move(in));
  }
  return flat(negated ? Expr::AND : Expr::OR, node.location(), std::move(tests));
}

Result<Operand> Typer::between(const pg::AExpr& node, int depth) {
  Result<Operand> value = convert(node.lexpr(), depth + 1);
  if (!value.ok()) return value;
  Result<std::vector<Operand>> ends = convert_all(node.rexpr().list().items(), depth);
  if (!ends.ok()) return ends.error();
  if (ends->size() != 2) return fail(node.location(), "'between' needs two ends");
  for (const Operand* each : {&*value, &ends->front(), &ends->back()}) {
    if (Status s = copies(*each, 4); !s.ok()) return s.error();
  }
  const bool negated = node.kind() == kNotBetween || node.kind() == kNotBetweenSymmetric;
  const bool symmetric = node.kind() == kBetweenSymmetric || node.kind() == kNotBetweenSymmetric;
  const Expr::Op inner = negated ? Expr::OR : Expr::AND;
  const auto within = [&](const Operand& low, const Operand& high) -> Result<Operand> {
    const Expr::Op from = negated ? Expr::LESS : Expr::GREATER_EQUAL;
    const Expr::Op to = negated ? Expr::GREATER : Expr::LESS_EQUAL;
    Result<Operand> above = compared(from, node.location(), *value, low);
    if (!above.ok()) return above;
    Result<Operand> below = compared(to, node.location(), *value, high);
    if (!below.ok()) return below;
    return flat(inner, node.location(), {*std::move(above), *std::move(below)});
  };
  Result<Operand> out = within(ends->front(), ends->back());
  if (!out.ok() || !symmetric) return out;
  Result<Operand> swapped = within(ends->back(), ends->front());
  if (!swapped.ok()) return swapped;
  return flat(negated ? Expr::AND : Expr::OR, node.location(),
              {*std::move(out), *std::move(swapped)});
}

Result<Operand> Typer::distinct(const pg::AExpr& node, int depth) {
  Result<Operand> left = convert(node.lexpr(), depth + 1);
  if (!left.ok()) return left;
  Result<Operand> right = convert(node.rexpr(), depth + 1);
  if (!right.ok()) return right;
  if (Status s = unify("'is distinct from'", {&*left, &*right}); !s.ok()) {
    return s.error();
  }
  if (!is_comparable(left->expr.type())) {
    return fail(node.location(), "'is distinct from' does not take json");
  }
  const Expr::Op op =
      node.kind() == kDistinct ? Expr::IS_DISTINCT_FROM : Expr::IS_NOT_DISTINCT_FROM;
  return operation_of(op, proto::BOOL, node.location(), {*std::move(left), *std::move(right)});
}

// The value is of the first one's type, also where that is promoted for the comparison.
Result<Operand> Typer::null_if(const pg::AExpr& node, int depth) {
  Result<Operand> value = convert(node.lexpr(), depth + 1);
  if (!value.ok()) return value;
  Result<Operand> other = convert(node.rexpr(), depth + 1);
  if (!other.ok()) return other;
  Operand left = *value;
  if (Status s = unify("nullif()", {&left, &*other}); !s.ok()) return s.error();
  const proto::ColumnType type = left.expr.type();
  if (!is_comparable(type)) return fail(node.location(), "nullif() does not take json");
  const bool numeric = value->numeric.has_value() && type == proto::DECIMAL;
  if (value->untyped || numeric || value->expr.type() == type) {
    return operation_of(Expr::NULLIF, type, node.location(), {std::move(left), *std::move(other)});
  }
  if (Status s = copies(*value, 2); !s.ok()) return s.error();
  Operand same = operation_of(Expr::EQUAL, proto::BOOL, node.location(), {left, *other});
  Operand null;
  null.expr.set_op(Expr::LITERAL);
  null.expr.set_type(value->expr.type());
  const proto::ColumnType own = value->expr.type();
  return operation_of(Expr::CASE, own, node.location(),
                      {std::move(same), std::move(null), *std::move(value)});
}

}  // namespace tidemill
