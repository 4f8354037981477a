#include "shared/expr/parser.h"

#include <algorithm>
#include <array>
#include <limits>

#include "shared/base/decimal.h"
#include "shared/expr/casts.h"
#include "shared/expr/check.h"
#include "shared/expr/decimal_types.h"
#include "shared/expr/printer.h"
#include "shared/expr/scalars.h"
#include "shared/expr/suggest.h"
#include "shared/expr/typer.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using proto::Expr;

constexpr int kNullTestIsNull = 1;

Expr bool_operator(Expr::Op op, Expr arg) {
  Expr out;
  out.set_op(op);
  out.set_type(proto::BOOL);
  *out.add_args() = std::move(arg);
  return out;
}

Expr::Op infix_operator(const std::string& name) {
  static const std::map<std::string, Expr::Op> kOperators = {
      {"+", Expr::ADD},        {"-", Expr::SUBTRACT},      {"*", Expr::MULTIPLY},
      {"/", Expr::DIVIDE},     {"%", Expr::MODULO},        {"=", Expr::EQUAL},
      {"<>", Expr::NOT_EQUAL}, {"<", Expr::LESS},          {"<=", Expr::LESS_EQUAL},
      {">", Expr::GREATER},    {">=", Expr::GREATER_EQUAL}};
  const auto found = kOperators.find(name);
  return found == kOperators.end() ? Expr::OP_UNSPECIFIED : found->second;
}

// Whether PostgreSQL has the result of arithmetic as numeric, where it is a double here.
bool is_double_for_numeric(const Operand& left, const Operand& right) {
  const auto fits = [](const Operand& each) {
    return each.numeric.has_value() || (!each.untyped && is_integer(each.expr.type()));
  };
  return fits(left) && fits(right) && (left.numeric.has_value() || right.numeric.has_value());
}

bool is_comparison(Expr::Op op) { return op >= Expr::EQUAL && op <= Expr::GREATER_EQUAL; }

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

}  // namespace

std::string name_of(const google::protobuf::RepeatedPtrField<pg::Node>& parts) {
  std::string out;
  for (const pg::Node& part : parts) {
    if (!out.empty()) out += '.';
    out += part.node_case() == pg::Node::kString ? part.string().sval() : "*";
  }
  return out;
}

void prefer_numeric(std::span<Operand* const> operands) {
  const auto is_decimal = [](const Operand* each) { return each->expr.type() == proto::DECIMAL; };
  const auto is_double = [](const Operand* each) {
    return each->expr.type() == proto::DOUBLE && !each->numeric.has_value();
  };
  if (std::none_of(operands.begin(), operands.end(), is_decimal) ||
      std::any_of(operands.begin(), operands.end(), is_double)) {
    return;
  }
  for (Operand* each : operands) {
    if (!each->numeric.has_value()) continue;
    each->expr = *std::move(each->numeric);
    each->numeric.reset();
  }
}

Operand operation_of(Expr::Op op, proto::ColumnType type, int location, std::vector<Operand> args) {
  Operand out;
  out.location = location;
  out.expr.set_op(op);
  out.expr.set_type(type);
  for (Operand& arg : args) {
    // What chooses between lists, structs or maps is of their type.
    if (is_nested(type) && arg.expr.type() == type) set_full_type(full_type(arg.expr), &out.expr);
    *out.expr.add_args() = std::move(arg.expr);
  }
  return out;
}

Typer::Typer(std::string_view text, const std::vector<NamedColumn>& schema)
    : text_(text), schema_(schema) {
  for (const NamedColumn& column : schema) names_.push_back(column.name);
}

Result<Operand> Typer::convert(const pg::Node& node, int depth) {
  if (depth > kMaxExpressionDepth) {
    return user_error("the expression is nested more than " + std::to_string(kMaxExpressionDepth) +
                      " deep, the most allowed");
  }
  switch (node.node_case()) {
    case pg::Node::kColumnRef:
      return column(node.column_ref());
    case pg::Node::kAConst:
      return literal(node.a_const());
    case pg::Node::kTypeCast:
      return cast(node.type_cast(), depth);
    case pg::Node::kAExpr:
      return operation(node.a_expr(), depth);
    case pg::Node::kBoolExpr:
      return boolean(node.bool_expr(), depth);
    case pg::Node::kNullTest:
      return null_test(node.null_test(), depth);
    case pg::Node::kBooleanTest:
      return boolean_test(node.boolean_test(), depth);
    case pg::Node::kFuncCall:
      return function(node.func_call(), depth);
    case pg::Node::kCaseExpr:
      return choice(node.case_expr(), depth);
    case pg::Node::kCoalesceExpr:
      return first_of(node.coalesce_expr(), depth);
    case pg::Node::kMinMaxExpr:
      return extreme(node.min_max_expr(), depth);
    case pg::Node::kAIndirection:
      return indirection(node.a_indirection(), depth);
    case pg::Node::kAArrayExpr:
      return array(node.a_array_expr(), nullptr, depth);
    default:
      return unsupported(node);
  }
}

Result<Operand> Typer::convert_whole(const pg::Node& node) {
  Result<Operand> out = convert(node, 1);
  if (!out.ok()) return out;
  if (out->expr.type() == proto::LOCAL_TIMESTAMP) return cast_to(*std::move(out), proto::TIMESTAMP);
  if (out->expr.type() != proto::INTERVAL) return out;
  return fail(out->location,
              "an interval cannot be the value of an expression; write extract(epoch "
              "from " +
                  sql(out->expr) + ") for seconds");
}

Error Typer::unsupported(const pg::Node& node) const {
  const auto say = [](const std::string& what) {
    return user_error(what + " not supported; docs/expressions.md lists what is");
  };
  switch (node.node_case()) {
    case pg::Node::kSubLink:
      return say("subqueries are");
    case pg::Node::kSqlValueFunction:
      return user_error(
          "current_timestamp and its like are not supported: a value must follow from the event; "
          "use its event time");
    case pg::Node::kParamRef:
      return say("parameters such as $1 are");
    case pg::Node::kCollateClause:
      return say("'collate' is");
    case pg::Node::kRowExpr:
      return say("row values are");
    default:
      return say("this form of expression is");
  }
}

Result<Operand> Typer::plain_operation(const pg::AExpr& node, const std::string& name, int depth) {
  if (!node.has_lexpr()) return sign(node, name, depth);
  Result<Operand> left = convert(node.lexpr(), depth + 1);
  if (!left.ok()) return left;
  Result<Operand> right = convert(node.rexpr(), depth + 1);
  if (!right.ok()) return right;
  const Expr::Op op = infix_operator(name);
  if (op == Expr::OP_UNSPECIFIED) {
    return call(node.location(), name, {*std::move(left), *std::move(right)});
  }
  return binary(op, name, node.location(), *std::move(left), *std::move(right));
}

Result<Operand> Typer::sign(const pg::AExpr& node, const std::string& name, int depth) {
  if (name != "-" && name != "+") {
    return fail(node.location(), "the operator " + name + " before a value is not supported" +
                                     operator_advice(name));
  }
  Result<Operand> arg = convert(node.rexpr(), depth + 1);
  if (!arg.ok()) return arg;
  if (arg->expr.type() == proto::INTERVAL) {
    if (name == "+") return arg;
    return call(node.location(), name, {*std::move(arg)});
  }
  if (arg->untyped || !is_numeric(arg->expr.type())) {
    return fail(arg->location, needs_number(name, *arg));
  }
  if (name == "+") return arg;
  const proto::ColumnType type = arg->expr.type();
  Operand numeric;
  if (arg->numeric.has_value()) numeric.expr = *std::move(arg->numeric);
  arg->numeric.reset();
  Result<Operand> out =
      simplified(operation_of(Expr::NEGATE, type, node.location(), {*std::move(arg)}));
  if (!out.ok() || numeric.expr.op() == Expr::OP_UNSPECIFIED) return out;
  Result<Operand> negative =
      simplified(operation_of(Expr::NEGATE, proto::DECIMAL, node.location(), {std::move(numeric)}));
  if (!negative.ok()) return negative;
  out->numeric = std::move(negative->expr);
  return out;
}

Result<Operand> Typer::binary(Expr::Op op, const std::string& name, int location, Operand left,
                              Operand right) {
  const auto is_time = [](const Operand& operand) {
    const proto::ColumnType type = operand.expr.type();
    return type == proto::TIMESTAMP || type == proto::LOCAL_TIMESTAMP || type == proto::DATE ||
           type == proto::INTERVAL;
  };
  if (!is_comparison(op) && op != Expr::MODULO && (is_time(left) || is_time(right))) {
    return call(location, name, {std::move(left), std::move(right)});
  }
  if (left.untyped != right.untyped) {
    Operand& open = left.untyped ? left : right;
    Result<Operand> typed = cast_to(open, adopted_type(left.untyped ? right : left));
    if (!typed.ok()) return typed;
    open = *std::move(typed);
  }
  const std::array<Operand*, 2> both{&left, &right};
  prefer_numeric(both);
  std::optional<Expr> numeric;
  if (!is_comparison(op) && is_double_for_numeric(left, right)) {
    Result<Operand> out = both_numeric(op, location, left, right);
    if (!out.ok()) return out;
    if (op == Expr::MODULO) return out;
    numeric = std::move(out->expr);
  }
  if (!is_comparison(op)) {
    for (const Operand* arg : {&left, &right}) {
      if (!is_numeric(arg->expr.type())) return fail(arg->location, needs_number(name, *arg));
      if (op == Expr::MODULO && arg->expr.type() == proto::DOUBLE) {
        return fail(arg->location, "'%' needs integers, but " + sql(arg->expr) +
                                       " is double; write cast(" + sql(arg->expr) + " as int64)");
      }
    }
  }
  if (op >= Expr::LESS && op <= Expr::GREATER_EQUAL && is_nested(left.expr.type())) {
    return fail(location, "lists, structs and maps have no order; compare what is in them");
  }
  if (Status s = agree(location, &left, &right); !s.ok()) return s.error();
  const proto::ColumnType type = is_comparison(op) ? proto::BOOL : left.expr.type();
  Operand out = operation_of(op, type, location, {std::move(left), std::move(right)});
  out.numeric = std::move(numeric);
  return out;
}

// What PostgreSQL makes of it, of which at least one is a double in its place.
Result<Operand> Typer::both_numeric(Expr::Op op, int location, const Operand& left,
                                    const Operand& right) const {
  std::vector<Operand> args;
  for (const Operand* each : {&left, &right}) {
    Result<Operand> arg = cast_to(*each, proto::DECIMAL);
    if (!arg.ok()) return arg;
    args.push_back(*std::move(arg));
  }
  return operation_of(op, proto::DECIMAL, location, std::move(args));
}

// Brings two operands to one type, if promotion does.
Status Typer::agree(int location, Operand* left, Operand* right) const {
  const proto::ColumnType a = left->expr.type();
  const proto::ColumnType b = right->expr.type();
  for (const Operand* each : {left, right}) {
    if (is_nested(each->expr.type()) && !is_comparable(full_type(each->expr))) {
      return fail(each->location, sql(each->expr) + " is " + type_name(full_type(each->expr)) +
                                      ", and json is not comparable");
    }
    if (is_comparable(each->expr.type())) continue;
    return fail(each->location, "json is not comparable, but " + sql(each->expr) +
                                    " is json; write ->> for text, and cast that");
  }
  std::optional<proto::ColumnType> common = common_type(a, b);
  const bool nested = is_nested(a) || is_nested(b);
  if (nested && !same_type(full_type(left->expr), full_type(right->expr))) common.reset();
  if (!common.has_value()) {
    std::string advice = "; write both as one type";
    if (a != proto::STRING && can_cast(b, a)) {
      advice = "; write cast(" + sql(right->expr) + " as " + type_name(a) + ")";
    } else if (can_cast(a, b)) {
      advice = "; write cast(" + sql(left->expr) + " as " + type_name(b) + ")";
    }
    const auto name = [&](const Operand& each) { return type_name(adopted_type(each)); };
    return fail(location, "cannot compare " + sql(left->expr) + ", which is " + name(*left) +
                              ", with " + sql(right->expr) + ", which is " + name(*right) + advice);
  }
  for (Operand* each : {left, right}) {
    Result<Operand> promoted = cast_to(*each, *common);
    if (!promoted.ok()) return promoted.error();
    *each = *std::move(promoted);
  }
  return {};
}

std::string Typer::sql(const Expr& expr) const { return to_sql(expr, names_); }

Error Typer::fail(int location, const std::string& message) const {
  return user_error(at_character(text_, location) + message);
}

Result<Operand> Typer::column(const pg::ColumnRef& ref) {
  const std::string name = name_of(ref.fields());
  if (ref.fields_size() > 1 && ref.fields(0).node_case() == pg::Node::kString) {
    const bool known =
        std::find(names_.begin(), names_.end(), ref.fields(0).string().sval()) != names_.end();
    if (known) return column_path(ref);
  }
  if (ref.fields_size() != 1 || ref.fields(0).node_case() != pg::Node::kString) {
    return fail(ref.location(), "'" + name + "' is not a column: write a column's name alone");
  }
  for (size_t i = 0; i < schema_.size(); ++i) {
    if (schema_[i].name != name) continue;
    Operand out;
    out.location = ref.location();
    out.expr.set_op(Expr::COLUMN);
    set_full_type(type_of(schema_[i]), &out.expr);
    out.expr.set_column(static_cast<uint32_t>(i));
    return out;
  }
  return fail(ref.location(), unknown_column(name));
}

// A name without double quotes is in small letters by the time it gets here.
std::string Typer::unknown_column(const std::string& name) const {
  for (const std::string& known : names_) {
    if (lower(known) != known && known.size() == name.size() &&
        nearest(name, {&known, 1}) == known && edit_distance(lower(known), lower(name)) == 0) {
      return "unknown column '" + name + "'; names with capital letters need double quotes: \"" +
             known + "\"";
    }
  }
  return "unknown column '" + name + "'" + suggestion(name, names_);
}

Result<Operand> Typer::literal(const pg::AConst& value) {
  Operand out;
  out.location = value.location();
  out.expr.set_op(Expr::LITERAL);
  switch (value.val_case()) {
    case pg::AConst::kIval:
      out.expr.set_type(proto::INT32);
      out.expr.set_literal_int(value.ival().ival());
      return out;
    case pg::AConst::kFval:
      return number(value.fval().fval(), std::move(out));
    case pg::AConst::kBoolval:
      out.expr.set_type(proto::BOOL);
      out.expr.set_literal_bool(value.boolval().boolval());
      return out;
    case pg::AConst::kSval:
      out.expr.set_type(proto::STRING);
      out.expr.set_literal_string(value.sval().sval());
      out.untyped = true;
      return out;
    case pg::AConst::kBsval:
      return fail(value.location(), "bit strings are not supported; write a number or a string");
    case pg::AConst::VAL_NOT_SET:
      break;
  }
  out.expr.set_type(proto::STRING);
  out.untyped = true;
  return out;
}

Result<Operand> Typer::number(const std::string& digits, Operand out) const {
  int64_t whole = 0;
  if (digits.find_first_of(".eE") == std::string::npos && text_to_int(digits, &whole)) {
    const bool small = whole >= std::numeric_limits<int32_t>::min() &&
                       whole <= std::numeric_limits<int32_t>::max();
    out.expr.set_type(small ? proto::INT32 : proto::INT64);
    out.expr.set_literal_int(whole);
    return out;
  }
  double value = 0;
  if (!text_to_double(digits, &value)) {
    return fail(out.location, digits + " is out of the range of double; write a smaller number");
  }
  out.expr.set_type(proto::DOUBLE);
  out.expr.set_literal_double(value);
  Decimal exact;
  if (parse_decimal(digits, &exact) == DecimalText::kGood) {
    out.numeric.emplace();
    out.numeric->set_op(Expr::LITERAL);
    out.numeric->set_type(proto::DECIMAL);
    out.numeric->set_literal_string(decimal_to_string(exact));
  }
  return out;
}

std::string Typer::needs_number(const std::string& op, const Operand& arg) const {
  std::string out =
      "'" + op + "' needs numbers, but " + sql(arg.expr) + " is " + type_name(arg.expr.type());
  if (can_cast(arg.expr.type(), proto::DOUBLE)) {
    out += "; write cast(" + sql(arg.expr) + " as double)";
  }
  return out;
}

Result<Operand> Typer::as_bool(const pg::Node& node, const std::string& who, int depth) {
  Result<Operand> arg = convert(node, depth + 1);
  if (!arg.ok()) return arg;
  if (arg->untyped) return cast_to(*std::move(arg), proto::BOOL);
  if (arg->expr.type() == proto::BOOL) return arg;
  return fail(arg->location, "'" + who + "' needs bool, but " + sql(arg->expr) + " is " +
                                 type_name(arg->expr.type()) + "; write a comparison, such as " +
                                 sql(arg->expr) +
                                 (is_numeric(arg->expr.type()) ? " <> 0" : " = '...'"));
}

Result<Operand> Typer::boolean(const pg::BoolExpr& node, int depth) {
  constexpr std::array<Expr::Op, 4> kOps{Expr::OP_UNSPECIFIED, Expr::AND, Expr::OR, Expr::NOT};
  constexpr std::array<const char*, 4> kNames{"", "and", "or", "not"};
  const auto which = static_cast<size_t>(node.boolop());
  if (which == 0 || which >= kOps.size()) return fail(node.location(), "unknown operator");
  Operand out;
  out.location = node.location();
  out.expr.set_op(kOps[which]);
  out.expr.set_type(proto::BOOL);
  for (const pg::Node& each : node.args()) {
    Result<Operand> arg = as_bool(each, kNames[which], depth);
    if (!arg.ok()) return arg;
    // (a and b) and c is the same as a and b and c, in this order of evaluation too.
    if (arg->expr.op() == out.expr.op() && out.expr.op() != Expr::NOT) {
      for (Expr& inner : *arg->expr.mutable_args()) *out.expr.add_args() = std::move(inner);
    } else {
      *out.expr.add_args() = std::move(arg->expr);
    }
  }
  return out;
}

Result<Operand> Typer::null_test(const pg::NullTest& node, int depth) {
  Result<Operand> arg = convert(node.arg(), depth + 1);
  if (!arg.ok()) return arg;
  const bool plain = node.nulltesttype() == kNullTestIsNull;
  arg->expr = bool_operator(plain ? Expr::IS_NULL : Expr::IS_NOT_NULL, std::move(arg->expr));
  arg->untyped = false;
  arg->location = node.location();
  return arg;
}

Result<Operand> Typer::boolean_test(const pg::BooleanTest& node, int depth) {
  constexpr std::array<Expr::Op, 7> kOps{
      Expr::OP_UNSPECIFIED, Expr::IS_TRUE,    Expr::IS_NOT_TRUE,   Expr::IS_FALSE,
      Expr::IS_NOT_FALSE,   Expr::IS_UNKNOWN, Expr::IS_NOT_UNKNOWN};
  const auto which = static_cast<size_t>(node.booltesttype());
  if (which == 0 || which >= kOps.size()) return fail(node.location(), "unknown test");
  Result<Operand> arg = as_bool(node.arg(), "is", depth);
  if (!arg.ok()) return arg;
  arg->expr = bool_operator(kOps[which], std::move(arg->expr));
  arg->location = node.location();
  return arg;
}

Result<proto::Expr> parse_expression(std::string_view text,
                                     const std::vector<NamedColumn>& schema) {
  Result<pg::Node> tree = parse_tree(text);
  if (!tree.ok()) return tree.error();
  Typer typer(text, schema);
  Result<Operand> typed = typer.convert_whole(*tree);
  if (!typed.ok()) return typed.error();
  std::vector<ColumnType> types;
  types.reserve(schema.size());
  for (const NamedColumn& column : schema) types.push_back(static_cast<ColumnType>(column.type));
  if (Status s = check_expression(typed->expr, types); !s.ok()) return s.error();
  complete_decimal_types(&typed->expr);
  typed->expr.set_text(typer.sql(typed->expr));
  return std::move(typed->expr);
}

}  // namespace tidemill
